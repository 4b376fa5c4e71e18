import { Suspense, type ReactNode } from "react";
import { useParams } from "react-router";
import { Forbidden, Reading } from "../kit";
import { atApplication, useScope, useText, GoOn } from "../shell";
import { useHubTabs } from "./Hub";

/** What the tab in the address shows: its capability's own component, which reads the rest of the address itself. */
export function Tab(): ReactNode {
  const { "*": rest = "" } = useParams();
  const scope = useScope();
  const say = useText("applications");
  const tabs = useHubTabs();
  const key = rest.split("/")[0] ?? "";
  const found = tabs.find(({ tab }) => tab.key === key)?.tab;
  if (!key && tabs[0]) return <GoOn to={atApplication(scope, tabs[0].tab.key)} />;
  if (!found) return <Forbidden title={say("noTab")}>{say("noTabDetail")}</Forbidden>;
  return (
    <Suspense fallback={<Reading />}>
      <found.Component />
    </Suspense>
  );
}
