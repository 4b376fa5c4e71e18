import { useCallback } from "react";
import { useSearchParams } from "react-router";
import { useStillHere } from "./GoOn";

/** One value of what a page shows, kept in the address: back, reload and a copied link reproduce it. */
export function useQueryState(name: string, fallback = ""): [string, (value: string) => void] {
  const [query, change] = useQueryStates();
  const set = useCallback((next: string) => change({ [name]: next === fallback ? "" : next }), [change, name, fallback]);
  return [query.get(name) ?? fallback, set];
}

/** Several values of the address at once, as a saved view or a link changes them; an answer that comes after somebody has left changes nothing. */
export function useQueryStates(): [URLSearchParams, (change: Record<string, string>) => void] {
  const [params, setParams] = useSearchParams();
  const stillHere = useStillHere();
  const set = useCallback(
    (change: Record<string, string>) => {
      if (!stillHere()) return;
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          for (const [name, value] of Object.entries(change)) {
            if (value) after.set(name, value);
            else after.delete(name);
          }
          return after;
        },
        { replace: true },
      );
    },
    [setParams, stillHere],
  );
  return [params, set];
}
