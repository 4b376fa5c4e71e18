import type { ReactNode } from "react";
import { Link } from "react-router";
import type { Difference, EffectiveView, LocatedProblem, ResourceSummary } from "../api";
import { Button, Glyph, Icon, Mark, Pane, type MarkKind } from "../kit";
import { useLife } from "../life";
import { atApplication, useMe, useText } from "../shell";
import { originOf } from "./body";
import { toNamespace } from "./place";

const MARKS: Partial<Record<ResourceSummary["state"], MarkKind>> = { new: "add", changed: "change", removed: "remove" };
const SHOWN_CHANGES = 50;

export interface NamespacesProps {
  rows: ResourceSummary[];
  active: string;
  drafts: Difference | undefined;
  effective: EffectiveView | undefined;
  problems: LocatedProblem[];
  selected: string;
  reason: string | undefined;
  onNew: () => void;
}

/** The namespaces of an application, what they inherit, and what I changed and did not publish. */
export function Namespaces(props: NamespacesProps): ReactNode {
  const { rows, active, drafts, effective, problems, selected, reason, onNew } = props;
  const say = useText("config");
  const life = useLife();
  const me = useMe();
  const { scope } = life;
  const counts = new Map((drafts?.pending ?? []).map((one) => [one.name, one.changes.length]));
  const bad = new Set(problems.map((one) => one.name));
  const inherited = new Map<string, number>();
  for (const value of effective?.values ?? []) {
    for (const said of [value.origin, ...value.shadowed.map((one) => one.origin)]) {
      const origin = originOf(said);
      if (origin && (origin.application !== scope.application || origin.center !== scope.center)) {
        const key = `${origin.center}/${origin.application}/${origin.namespace}`;
        inherited.set(key, (inherited.get(key) ?? 0) + 1);
      }
    }
  }
  const mine = (drafts?.pending ?? []).filter((one) => one.author === me.name).flatMap((one) => one.changes.map((change) => ({ name: one.name, path: change.path, kind: (change.before === null || change.before === undefined ? "add" : change.after === null || change.after === undefined ? "remove" : "change") as MarkKind })));
  return (
    <Pane
      side="left"
      width={248}
      title={say("namespaces.title")}
      note={rows.length}
      label={say("namespaces.title")}
      actions={<Button kind="quiet" size="small" icon="plus" label={say("namespaces.new")} disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={onNew} />}
    >
      <nav aria-label={say("namespaces.title")}>
        <ul className="c-list">
          {rows.map((row) => {
            const mark = MARKS[row.state];
            return (
              <li key={row.name}>
                <Link to={toNamespace(scope, row.name)} aria-current={row.name === active ? "page" : undefined} title={row.name}>
                  <Icon name="file" size={14} />
                  <span className="k-mono k-ellipsis">{row.name}</span>
                  <span className="k-grow" />
                  {bad.has(row.name) && <Glyph hue="bad" size={12} />}
                  {mark && <Mark kind={mark} />}
                  {counts.get(row.name) ? <span className="k-count">{counts.get(row.name)}</span> : null}
                </Link>
              </li>
            );
          })}
        </ul>
      </nav>
      {inherited.size > 0 && (
        <>
          <h3 className="c-list-head">{say("namespaces.inherited")}</h3>
          <ul className="c-list">
            {[...inherited].map(([place, count]) => {
              const [center = "", application = "", namespace = ""] = place.split("/");
              return (
                <li key={place}>
                  <Link to={atApplication({ ...scope, center, application }, "config", "edit", namespace)} title={place}>
                    <Icon name="branch" size={14} />
                    <span className="k-mono k-ellipsis">{application}/{namespace}</span>
                    <span className="k-grow" />
                    <span className="k-count">{count}</span>
                  </Link>
                </li>
              );
            })}
          </ul>
        </>
      )}
      {mine.length > 0 && (
        <>
          <h3 className="c-list-head">{say("namespaces.mine")} <span className="k-count">{mine.length}</span></h3>
          <ul className="c-list">
            {mine.slice(0, SHOWN_CHANGES).map((one) => {
              const key = one.path.replace(/#(type|comment)$/, "");
              return (
                <li key={`${one.name} ${one.path}`}>
                  <Link to={toNamespace(scope, one.name, key.startsWith("#") ? undefined : key)} aria-current={one.name === active && key === selected ? "true" : undefined} title={`${one.name} · ${one.path}`}>
                    <Mark kind={one.kind} />
                    <span className="k-mono k-ellipsis">{one.path || one.name}</span>
                    {problems.some((problem) => problem.name === one.name && problem.path === key) && <Glyph hue="bad" size={12} />}
                  </Link>
                </li>
              );
            })}
            {mine.length > SHOWN_CHANGES && <li className="c-list-more"><Link to={life.to("diff")}>{say("namespaces.more", { count: mine.length - SHOWN_CHANGES })}</Link></li>}
          </ul>
        </>
      )}
    </Pane>
  );
}
