import { useState, type ReactNode } from "react";
import { failureOf, useRead, type NodeChange, type NodeDetail, type NodeView, type useDo } from "../api";
import { Button, Copy, ErrorState, Facts, Field, Note, NumberInput, Peek, Section, Skeleton, TextInput, Time } from "../kit";
import { useIsProduction, useMay, useScope, useText } from "../shell";
import { withChange, type Changing } from "./changes";
import { NODE, OFTEN, READ_NODE, UPDATE_NODE } from "./operations";
import { StateOf, WeightOf } from "./Parts";

type Doing = ReturnType<typeof useDo<Changing, NodeDetail>>;

const MOST_REASON = 500;
const MOST_WEIGHT = 10_000;

/** One node: all that it says of itself, and what may be laid over that. */
export function Node({ name, onClose, changing }: { name: string; onClose: () => void; changing: Doing }): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const may = useMay();
  const readable = may(READ_NODE, scope);
  const found = useRead(NODE, { path: { ...scope, node: name } }, { every: OFTEN, enabled: name !== "" && readable });
  const asked = changing.isPending ? changing.variables : undefined;
  const detail = found.data;
  const view = detail && (asked?.node === name ? withChange(detail.view, asked.change) : detail.view);
  return (
    <Peek open={name !== ""} onClose={onClose} title={<code>{name}</code>} width={480}>
      {!readable ? (
        <Note hue="idle">{say("needs", { permission: READ_NODE })}</Note>
      ) : found.error && !detail ? (
        <ErrorState failure={failureOf(found.error, say("unreadableNode"))} onRetry={() => void found.refetch()} />
      ) : detail && view ? (
        <div className="n-node">
          <Laid node={view} />
          <Said detail={detail} view={view} />
          {may(UPDATE_NODE, scope) ? (
            <Acts key={name} node={view} onChange={(change, done) => changing.mutate({ node: name, change }, { onSuccess: done })} busy={changing.isPending} />
          ) : (
            <p className="k-quiet">{say("needs", { permission: UPDATE_NODE })}</p>
          )}
          {changing.error && changing.variables?.node === name && <ErrorState failure={failureOf(changing.error, say("notChanged"))} />}
          <Provides detail={detail} />
        </div>
      ) : (
        <Skeleton rows={8} />
      )}
    </Peek>
  );
}

/** What somebody laid over the node, and why. */
function Laid({ node }: { node: NodeView }): ReactNode {
  const say = useText("registry");
  const laid = node.override;
  if (!laid) return null;
  const what = [laid.state && say("laid.offline"), laid.weight !== null && say("laid.weight", { weight: laid.weight })].filter(Boolean).join(say("comma"));
  return (
    <Note hue="warn" title={what}>
      {laid.set_by && <>{laid.set_by} · <Time at={laid.set_at} /> · </>}
      {laid.reason || say("noReason")}
    </Note>
  );
}

function Said({ detail, view }: { detail: NodeDetail; view: NodeView }): ReactNode {
  const say = useText("registry");
  const node = detail.node;
  const tags = Object.entries(node?.tags ?? {});
  const none = <span className="k-quiet">—</span>;
  return (
    <Facts
      items={[
        [say("columns.state"), <StateOf key="state" node={view} />],
        [say("columns.weight"), <WeightOf key="weight" node={view} />],
        [say("columns.cluster"), <code key="cluster">{view.cluster || "—"}</code>],
        [say("columns.zone"), node?.zone ? <code key="zone">{node.zone}</code> : none],
        [say("columns.tags"), tags.length > 0 ? <span key="tags" className="n-tags">{tags.map(([key, value]) => <code key={key}>{key}={value}</code>)}</span> : none],
        ...Object.entries(node?.addresses ?? {}).map(([protocol, where]): [ReactNode, ReactNode] => [say("address", { protocol }), <span key={protocol} className="n-long"><code>{where}</code> <Copy text={where} /></span>]),
        [say("columns.since"), view.present ? <Time key="since" at={view.registered_at} exact /> : none],
        [say("started"), node?.started_at ? <Time key="started" at={node.started_at * 1000} exact /> : none],
      ]}
    />
  );
}

/** Take a node out of service or back, and give it another weight; callers hear of it at once. */
function Acts({ node, onChange, busy }: { node: NodeView; onChange: (change: NodeChange, done: () => void) => void; busy: boolean }): ReactNode {
  const say = useText("registry");
  const production = useIsProduction();
  const [reason, setReason] = useState("");
  const [weight, setWeight] = useState<number | null>(node.weight);
  const [missing, setMissing] = useState(false);
  const laid = node.override;
  const kind = production ? "production" : "primary";
  const change = (wanted: NodeChange): void => onChange({ ...wanted, reason: reason.trim() }, () => { setReason(""); setMissing(false); });
  const take = (): void => (reason.trim() ? change({ state: "offline" }) : setMissing(true));
  return (
    <Section title={say("act.title")}>
      <div className="n-acts">
        <Field label={say("reason")} hint={say("reasonHint")} error={missing && !reason.trim() ? say("reasonFirst") : undefined}>
          {(ids) => <TextInput {...ids} value={reason} onChange={setReason} maxLength={MOST_REASON} />}
        </Field>
        <p>
          {laid?.state ? (
            <Button kind={kind} icon="play" busy={busy} onClick={() => change({ state: null })}>{say("act.back")}</Button>
          ) : (
            <Button kind={production ? "production" : "danger"} icon="pause" busy={busy} onClick={take}>{say("act.offline")}</Button>
          )}
        </p>
        <Field label={say("act.weight")} hint={say("act.weightHint", { weight: node.own_weight })}>
          {(ids) => <NumberInput {...ids} value={weight} onChange={setWeight} min={0} max={MOST_WEIGHT} step={1} width={140} />}
        </Field>
        <p className="k-row">
          <Button busy={busy} disabled={weight === null || !Number.isInteger(weight) || weight === node.weight} reason={say("act.sameWeight")} onClick={() => change({ weight })}>{say("act.setWeight")}</Button>
          {laid != null && laid.weight !== null && <Button kind="quiet" icon="undo" busy={busy} onClick={() => { setWeight(node.own_weight); change({ weight: null }); }}>{say("act.ownWeight")}</Button>}
        </p>
      </div>
    </Section>
  );
}

function Provides({ detail }: { detail: NodeDetail }): ReactNode {
  const say = useText("registry");
  const services = Object.entries(detail.node?.services ?? {});
  return (
    <Section title={say("pages.services")} note={say("services.count", { count: services.length })}>
      <ul className="n-list">
        {services.map(([name, one]) => (
          <li key={name}>
            <code className="n-long">{name}</code>
            <span className="k-quiet">{one.version} · {one.group}{one.digest && <> · <code title={one.digest}>{one.digest.slice(0, 12)}</code></>}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
