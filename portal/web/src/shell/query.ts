import { useCallback } from "react";
import { useSearchParams } from "react-router";

/** One value of what a page shows, kept in the address: back, reload and a copied link reproduce it. */
export function useQueryState(name: string, fallback = ""): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const value = params.get(name) ?? fallback;
  const set = useCallback(
    (next: string) =>
      setParams(
        (before) => {
          const after = new URLSearchParams(before);
          if (next === fallback || next === "") after.delete(name);
          else after.set(name, next);
          return after;
        },
        { replace: true },
      ),
    [setParams, name, fallback],
  );
  return [value, set];
}

/** Several values of the address at once, as a saved view or a link changes them. */
export function useQueryStates(): [URLSearchParams, (change: Record<string, string>) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (change: Record<string, string>) =>
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
      ),
    [setParams],
  );
  return [params, set];
}
