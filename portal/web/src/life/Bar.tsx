import type { ReactNode } from "react";
import type { BundleStatus, Convergence, GrayStatus } from "../api";
import { StatusTag, SubPages } from "../kit";
import { useText } from "../shell";
import { useLife, useLifeRead } from "./life";
import { Can } from "./Parts";
import { revisionOf } from "./types";

export interface BarPage {
  key: string;
  label: string;
  to: string;
  count?: number;
}

/** The pages of one bundle under its tab, how it stands, and the button that publishes it. */
export function LifeBar({ active, first, last = [], actions }: { active: string; first: BarPage; last?: BarPage[]; actions?: ReactNode }): ReactNode {
  const say = useText("life");
  const life = useLife();
  const status = useLifeRead<BundleStatus>("/status").data;
  const reach = useLifeRead<Convergence>("/convergence").data;
  const gray = useLifeRead<GrayStatus | null>("/gray").data;
  const drafts = status?.drafts ?? 0;
  const items: BarPage[] = [
    first,
    { key: "diff", label: say("diff.title"), to: life.to("diff"), count: drafts },
    { key: "history", label: say("history.title"), to: life.to("history") },
    { key: "requests", label: say("requests.title"), to: life.to("requests"), count: status?.requests ?? 0 },
    ...last,
  ];
  const nothing = drafts === 0 && !gray;
  return (
    <div className="k-page-bar">
      <SubPages label={say("pages")} active={active} items={items} />
      <span className="k-grow" />
      <span className="k-row l-wrap">
        {status && active !== "publish" && (
          <StatusTag boxed hue={!reach || reach.total === 0 ? "idle" : reach.failed ? "bad" : reach.behind ? "warn" : "ok"}>
            {revisionOf(status.position) ? `r${revisionOf(status.position)}` : say("unpublished")}
            {reach && (reach.total ? ` · ${say("applied", { current: reach.current, total: reach.total })}` : ` · ${say("noInstances")}`)}
          </StatusTag>
        )}
        {gray && active !== "publish" && <StatusTag boxed hue="info" running>{say("grayRunning", { revision: gray.revision })}</StatusTag>}
        {actions}
        {active !== "publish" && active !== "diff" && (
          <Can
            verb="publish"
            kind={active !== "edit" ? "default" : life.protected_ ? "production" : "primary"}
            icon="publish"
            keys="P"
            to={life.to("publish")}
            disabled={nothing}
            reason={say("nothingToPublish")}
          >
            {gray ? say("publish.open") : life.protected_ ? say("publish.inProduction") : say("publish.title")}
          </Can>
        )}
      </span>
    </div>
  );
}
