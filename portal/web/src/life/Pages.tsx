import type { ReactNode } from "react";
import type { BarPage } from "./Bar";
import { Drafts } from "./Drafts";
import { History } from "./History";
import { LifeProvider, type Life } from "./life";
import { Publish } from "./Publish";
import { Requests } from "./Requests";
import "./life.css";

export interface Bar {
  first: BarPage;
  last: BarPage[];
}

const PAGES = { diff: Drafts, publish: Publish, history: History, requests: Requests } as const;

/** The pages of a bundle under its tab: those of the one life by their name in the address, else what the capability shows itself. */
export function LifePages({ life, page, bar, children }: { life: Life; page: string; bar: Bar; children: ReactNode }): ReactNode {
  const Page = Object.hasOwn(PAGES, page) ? PAGES[page as keyof typeof PAGES] : undefined;
  return <LifeProvider value={life}>{Page ? <Page bar={bar} /> : children}</LifeProvider>;
}
