import type { ReactNode } from "react";
import { useRead } from "../api";
import { Forbidden, SubPages } from "../kit";
import { atApplication, useMay, useRest, useScope, useText } from "../shell";
import { Callers } from "./Callers";
import { Nodes } from "./Nodes";
import { LIST_DEFINITIONS, LIST_NODES, OFTEN, READ_ACCESS, READ_OFFERS, READ_ROUTES, READ_RULES, RECEIVED } from "./operations";
import { Rules } from "./Rules";
import { Services } from "./Services";
import "./registry.css";

const PAGES = { nodes: Nodes, services: Services, callers: Callers, rules: Rules };
type Page = keyof typeof PAGES;
const isPage = (page: string): page is Page => page in PAGES;

/** The first that is missing stands for what a page needs. */
const NEEDS: Record<Page, string[]> = {
  nodes: [LIST_NODES],
  services: [LIST_DEFINITIONS, READ_OFFERS],
  callers: [READ_OFFERS, READ_ACCESS],
  rules: [READ_RULES, READ_ROUTES],
};

/** The microservice of an application: its nodes, what it offers, who calls it, and the rules of calls. */
export default function Tab(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const may = useMay();
  const [page = ""] = useRest();
  const shown: Page = isPage(page) ? page : "nodes";
  const waiting = useRead(RECEIVED, { path: scope, query: { limit: 100 } }, { every: OFTEN, enabled: may(READ_ACCESS, scope) }).data?.items.length ?? 0;
  const Shown = PAGES[shown];
  const items = (Object.keys(PAGES) as Page[]).map((key) => ({
    key,
    label: say(`pages.${key}`),
    to: key === "nodes" ? atApplication(scope, "services") : atApplication(scope, "services", key),
    ...(key === "callers" ? { count: waiting } : {}),
  }));
  return (
    <>
      <div className="k-page-bar">
        <SubPages label={say("title")} active={shown} items={items} />
      </div>
      {NEEDS[shown].some((one) => may(one, scope)) ? (
        <Shown key={`${scope.environment}/${scope.center}/${scope.application}`} />
      ) : (
        <Forbidden title={say("forbidden")}>{say("needs", { permission: NEEDS[shown][0] ?? "" })}</Forbidden>
      )}
    </>
  );
}
