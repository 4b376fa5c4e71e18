import { useCallback, useContext } from "react";
import { useSearchParams } from "react-router";
import { RouterNow, useStillHere } from "./GoOn";

/** One value of what a page shows, kept in the address: back, reload and a copied link reproduce it. */
export function useQueryState(name: string, fallback = ""): [string, (value: string) => void] {
  const [query, change] = useQueryStates();
  const set = useCallback((next: string) => change({ [name]: next === fallback ? "" : next }), [change, name, fallback]);
  return [query.get(name) ?? fallback, set];
}

export interface Sorted {
  /** As the server is asked: a name, with "-" in front the other way round; empty for its own order. */
  asked: string;
  /** As a table shows and changes it. */
  table: { sort: { key: string; descending: boolean } | undefined; onSort: (key: string, descending: boolean) => void };
  /** How the command line says it. */
  flag: string;
}

/** What a list is sorted by, kept in the address. */
export function useSort(): Sorted {
  const [asked, set] = useQueryState("sort");
  const onSort = useCallback((key: string, descending: boolean) => set(key && descending ? `-${key}` : key), [set]);
  const sort = asked ? { key: asked.replace(/^-/, ""), descending: asked.startsWith("-") } : undefined;
  return { asked, table: { sort, onSort }, flag: asked ? ` --sort ${asked}` : "" };
}

/** Several values of the address at once, as a saved view or a link changes them; an answer that comes after somebody has left changes nothing. */
export function useQueryStates(): [URLSearchParams, (change: Record<string, string>) => void] {
  const [params, setParams] = useSearchParams();
  const router = useContext(RouterNow);
  const stillHere = useStillHere();
  const set = useCallback(
    (change: Record<string, string>) => {
      if (!stillHere()) return;
      setParams(
        (before) => {
          // what is there now, which may be newer than what was drawn: of two changes at once none undoes the other
          const after = new URLSearchParams(router?.state.location.search ?? before);
          for (const [name, value] of Object.entries(change)) {
            if (value) after.set(name, value);
            else after.delete(name);
          }
          return after;
        },
        { replace: true },
      );
    },
    [setParams, router, stillHere],
  );
  return [params, set];
}
