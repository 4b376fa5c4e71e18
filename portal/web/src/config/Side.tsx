import { useState, type ReactNode } from "react";
import type { Convergence, EffectiveView, PendingChange, Release } from "../api";
import { Button, Choice, Copy, Facts, Glyph, Pane, Ref, Section, Skeleton, StatusTag, Time } from "../kit";
import { Origin, type OriginLevel } from "../kit/parts";
import { Rev, useLife, useLifeRead } from "../life";
import { atApplication, useText } from "../shell";
import { isSealed, maskOf, originOf, type KeyRow } from "./body";
import { plainOf } from "./KeyTable";

const shownValue = (value: unknown): string => (isSealed(value) ? `•••••• #${maskOf(value)}` : typeof value === "string" ? value : JSON.stringify(value));

/** About one key: what it is for, why it has its value, who receives it, and how it came to be. */
export function Side({ row, namespace, releases, problem, actions, onClose }: { row: KeyRow; namespace: string; releases: Release[] | undefined; problem: string | undefined; actions: ReactNode; onClose: () => void }): ReactNode {
  const say = useText("config");
  const item = row.item ?? row.before;
  return (
    <Pane
      side="right"
      width={312}
      label={row.key}
      title={<span className="k-mono k-ellipsis c-side-title" title={row.key}>{row.key}</span>}
      actions={
        <>
          <Copy text={row.key} />
          <Button kind="quiet" size="small" icon="close" label={say("close")} onClick={onClose} />
        </>
      }
    >
      <div className="k-section k-stack">
        {item?.comment ? <p className="c-comment">{item.comment}</p> : <p className="k-quiet">{say("side.noComment")}</p>}
        <span className="k-row l-wrap">{actions}</span>
      </div>
      <Why row={row} namespace={namespace} problem={problem} />
      <Receivers />
      <History row={row} namespace={namespace} releases={releases} />
    </Pane>
  );
}

/** Each layer that could give the value, from the lowest: what it gives, or that it gives nothing. */
function Why({ row, namespace, problem }: { row: KeyRow; namespace: string; problem: string | undefined }): ReactNode {
  const say = useText("config");
  const life = useLife();
  const [name = "", inCluster = ""] = namespace.split("@");
  const reach = useLifeRead<Convergence>("/convergence");
  const clusters = [...new Set([...(inCluster ? [inCluster] : []), ...(reach.data?.by_cluster ?? []).map((one) => one.cluster)])];
  const [cluster, setCluster] = useState(inCluster || "default");
  const found = useLifeRead<EffectiveView>("/effective", { query: { cluster, namespace: name, key: row.key } }, { keep: true });
  if (found.error && !found.data) return <Section title={say("side.why")}><p className="k-quiet">{say("side.whyUnread")} <code>{found.error.code}</code></p></Section>;
  if (!found.data) return <Section title={say("side.why")}><Skeleton rows={3} /></Section>;
  const value = found.data.values.find((one) => one.key === row.key) ?? found.data.values[0];
  const whole = found.data.values.length > 1 || (value && value.key !== row.key);
  const layers = value ? [{ value: value.value, origin: value.origin, wins: true, secret: value.secret }, ...value.shadowed.map((one) => ({ ...one, wins: false, secret: false }))].reverse() : [];
  const drafted = row.state === "add" || row.state === "change" || row.state === "remove";
  return (
    <Section
      title={say("side.why")}
      actions={clusters.length > 0 ? <Choice aria-label={say("side.cluster")} width={110} value={cluster} onChange={setCluster} options={["default", ...clusters.filter((one) => one !== "default")].map((one) => ({ value: one, label: one }))} /> : undefined}
    >
      <Origin
        label={say("side.why")}
        levels={[
          { key: "default", name: say("side.default"), source: say("side.defaultText") },
          ...layers.map((one, place): OriginLevel => {
            const origin = originOf(one.origin);
            const own = origin?.application === life.scope.application && origin.center === life.scope.center;
            return {
              key: String(place),
              name: origin ? (own ? (origin.cluster ? `${say("origins.cluster")} ${origin.cluster}` : say("origins.application")) : say("origins.public")) : one.origin,
              source: origin ? <>{!own && <code>{origin.center}/{origin.application}/{origin.namespace} </code>}<Rev at={origin.revision} /></> : undefined,
              value: <span title={whole ? undefined : shownValue(one.value).slice(0, 400)}>{whole ? say("side.keys", { count: found.data?.values.length ?? 0 }) : shownValue(one.value)}</span>,
              winner: one.wins && !drafted,
            };
          }),
          ...(layers.length === 0 ? [{ key: "unset", name: say("side.unset") }] : []),
          ...(drafted
            ? [{ key: "draft", name: say("origins.draft"), winner: true, value: row.state === "remove" ? say("side.removed") : plainOf(row.item), ...(problem ? { status: <StatusTag hue="bad">{say("side.failed")}</StatusTag>, hue: "bad" as const } : { hue: "info" as const }) }]
            : []),
        ]}
      />
    </Section>
  );
}

function Receivers(): ReactNode {
  const say = useText("config");
  const units = useText("life");
  const life = useLife();
  const reach = useLifeRead<Convergence>("/convergence");
  if (!reach.data) return null;
  const { total, by_cluster: clusters, p50_ms: p50, p99_ms: p99, failed } = reach.data;
  return (
    <Section title={say("side.who")}>
      <Facts
        items={[
          [say("side.instances"), <Ref key="i" name={say("side.instancesOf", { count: total, clusters: units("units.clusters", { count: clusters.length }) })} to={atApplication(life.scope, "instances")} />],
          [say("side.last"), p50 === null || p50 === undefined ? "—" : `p50 ${Math.round(p50)} ms · p99 ${p99 === null ? "—" : `${Math.round(p99)} ms`}`],
          ...(failed ? ([[say("side.failing"), <StatusTag key="f" hue="bad">{failed}</StatusTag>]] as [ReactNode, ReactNode][]) : []),
        ]}
      />
    </Section>
  );
}

const LOOKED_AT = 8;

/** The releases that changed this key, among the newest that changed its namespace: a bounded look, and it says so. */
function History({ row, namespace, releases }: { row: KeyRow; namespace: string; releases: Release[] | undefined }): ReactNode {
  const say = useText("config");
  const life = useLife();
  const touching = (releases ?? []).filter((one) => one.changed.some(([, name]) => name === namespace)).slice(0, LOOKED_AT);
  return (
    <Section title={say("side.history")} note={say("side.historyNote", { count: touching.length })}>
      {releases === undefined ? <Skeleton rows={2} /> : (
        <ul className="c-history">
          {touching.map((one) => <HistoryLine key={one.revision} release={one} namespace={namespace} keyName={row.key} />)}
        </ul>
      )}
      <Button kind="quiet" size="small" icon="history" to={life.to("history")}>{say("side.allHistory")}</Button>
    </Section>
  );
}

function HistoryLine({ release, namespace, keyName }: { release: Release; namespace: string; keyName: string }): ReactNode {
  const say = useText("config");
  const life = useLife();
  const found = useLifeRead<PendingChange[]>("/releases/{revision}/changes", { path: { revision: release.revision } }, { topics: [] });
  const change = found.data?.find((one) => one.name === namespace)?.changes.find((one) => one.path === keyName);
  if (found.error) return <li className="k-quiet"><Rev at={release.revision} /> <Glyph hue="bad" /> {found.error.code}</li>;
  if (!change) return null;
  return (
    <li>
      <Ref mono name={`r${release.revision}`} to={`${life.to("history")}?rev=${release.revision}`} />
      <span className="k-mono k-ellipsis" title={release.message}>
        {change.after === null || change.after === undefined ? <del>{shownValue(change.before)}</del> : shownValue(change.after)}
        {(change.before === null || change.before === undefined) && <span className="k-quiet"> {say("side.first")}</span>}
      </span>
      <Time at={release.created_at} />
    </li>
  );
}
