import { useEffect, type ReactNode } from "react";
import { useBlocker, type Location } from "react-router";
import { Confirm } from "../kit";
import { useText } from "./i18n";

/** Asks before something that was written and not saved is left: by a link, a key, the way back, or closing the tab.
 *  `keeps` says which moves leave it as it is; those on the same page do unless told otherwise. */
export function LeaveGuard({ when, what, keeps = samePage }: { when: boolean; what: string; keeps?: (from: Location, to: Location) => boolean }): ReactNode {
  const say = useText("shell");
  const blocker = useBlocker(({ currentLocation, nextLocation }) => when && !keeps(currentLocation, nextLocation));
  useEffect(() => {
    if (!when) return;
    const ask = (event: BeforeUnloadEvent): void => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [when]);
  return (
    <Confirm
      open={blocker.state === "blocked"}
      onClose={() => blocker.reset?.()}
      onConfirm={() => blocker.proceed?.()}
      title={say("leaving.title")}
      consequence={<strong>{say("leaving.text", { what })}</strong>}
      action={say("leaving.action")}
    />
  );
}

const samePage = (from: Location, to: Location): boolean => from.pathname === to.pathname;
