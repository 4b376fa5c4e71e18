import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { useKeys, type Binding } from "./keyboard";

/** What a page tells the frame: its title, the line that does the same on the command line, the request behind it, its actions. */
export interface PageAction {
  key: string;
  label: string;
  keys?: string;
  run: () => void;
  group?: Binding["group"];
}

export interface PageSaid {
  title: string;
  cli?: string;
  api?: string;
  actions?: PageAction[];
  /** When what is shown was read; the foot tells its age. */
  readAt?: number | undefined;
}

interface Said {
  page: PageSaid;
  say: (page: PageSaid) => void;
}

const PageContext = createContext<Said>({ page: { title: "" }, say: () => {} });

export function PageProvider({ children }: { children: ReactNode }): ReactNode {
  const [page, say] = useState<PageSaid>({ title: "" });
  const value = useMemo(() => ({ page, say }), [page]);
  return <PageContext.Provider value={value}>{children}</PageContext.Provider>;
}

export const usePageSaid = (): PageSaid => useContext(PageContext).page;

/** Tell the frame of this page, and bind the keys of its actions. */
export function usePage(said: PageSaid): void {
  const { say } = useContext(PageContext);
  const key = JSON.stringify([said.title, said.cli, said.api, said.readAt, said.actions?.map((one) => [one.key, one.label, one.keys])]);
  useEffect(() => {
    say(said);
    document.title = said.title ? `${said.title} · qiantang` : "qiantang";
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` says what changed
  }, [key]);
  useKeys((said.actions ?? []).filter((one) => one.keys).map((one) => ({ keys: one.keys ?? "", label: one.label, group: one.group ?? "edit", run: one.run })));
}
