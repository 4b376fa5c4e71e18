import type { ReactNode } from "react";
import { Link } from "react-router";
import type { ReleaseDetail } from "../api";
import { Mark, Skeleton, type MarkKind } from "../kit";
import { useQueryState, useText } from "../shell";
import { useLife, useLifeRead } from "./life";
import { Lines } from "./Lines";

const KINDS: Record<string, MarkKind> = { add: "add", change: "change", remove: "remove" };

/** What a gray release holds beside what everyone has: the comparison of revisions tells only the latter. */
export function GrayDiff({ revision, resources }: { revision: number; resources: [string, string, string][] }): ReactNode {
  const say = useText("life");
  const life = useLife();
  const [view] = useQueryState("view");
  const found = useLifeRead<ReleaseDetail>("/releases/{revision}", { path: { revision } }, { topics: [] });
  if (!found.data) return <Skeleton rows={4} />;
  const { resources: all, gray_resources: some } = found.data;
  return (
    <div className="l-set">
      {resources.map(([kind, name, action]) => (
        <section key={`${kind}/${name}`} aria-label={name}>
          <div className="k-group-head l-change-head">
            <Mark kind={KINDS[action] ?? "change"} />
            <Link to={life.toResource(kind, name)} className="k-mono k-ellipsis">{name}</Link>
            <span>{say("gray.besideAll")}</span>
          </div>
          <Lines
            name={name}
            view={view === "split" ? "split" : "inline"}
            before={life.textOf(kind, all.find((one) => one.kind === kind && one.name === name)?.body)}
            after={action === "remove" ? "" : life.textOf(kind, some.find((one) => one.kind === kind && one.name === name)?.body)}
          />
        </section>
      ))}
    </div>
  );
}
