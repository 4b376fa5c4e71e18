import type { ReactNode } from "react";
import { Link } from "react-router";
import type { AuditRecord } from "../api";
import { Copy, Facts as List, Note, Section, StatusTag, Time } from "../kit";
import { ChangeList } from "../kit/parts";
import { useText, useWhose } from "../shell";
import { changesOf, HUES, placeOf } from "./trail";

/** One record: what changed, all that is known of it, and where to look on. */
export function Facts({ record }: { record: AuditRecord }): ReactNode {
  const say = useText("audit");
  const whose = useWhose();
  const here = whose.to("audit");
  const changes = changesOf(record);
  const copied = (text: string): ReactNode => (text ? <span className="a-copied"><code>{text}</code><Copy text={text} /></span> : "—");
  return (
    <>
      <Section title={<StatusTag hue={HUES[record.outcome] ?? "idle"} boxed>{say(`outcome.${record.outcome}`)}</StatusTag>} note={<Time at={record.at} exact />}>
        {record.outcome !== "allow" ? <Note hue={record.outcome === "deny" ? "bad" : "warn"} title={say("reason")}>{record.reason || "—"}</Note> : record.reason && <p>{record.reason}</p>}
      </Section>
      <Section title={say("changed")} note={changes.length > 0 ? changes.length : undefined}>
        {changes.length > 0 ? <ChangeList changes={changes} label={say("changed")} /> : <p className="k-quiet">{say("nothingChanged")}</p>}
      </Section>
      <Section title={say("more")}>
        <ul className="a-links">
          {record.actor_id && <li><Link to={`${here}?actor=${encodeURIComponent(record.actor_id)}&row=${record.seq}`}>{say("ofActor", { name: record.actor_name || record.actor_id })}</Link></li>}
          {record.resource && <li><Link to={`${here}?resource=${encodeURIComponent(record.resource)}&row=${record.seq}`}>{say("toResource")}</Link></li>}
          {record.request_id && <li><Link to={`${here}?request=${encodeURIComponent(record.request_id)}&row=${record.seq}`}>{say("ofRequest")}</Link></li>}
          {record.actor_kind === "user" && record.actor_id && <li><Link to={whose.to("users", record.actor_id)}>{say("openActor", { name: record.actor_name || record.actor_id })}</Link></li>}
        </ul>
      </Section>
      <Section title={say("facts")}>
        <List
          items={[
            [say("fact.actor"), <span key="actor">{record.actor_name || "—"} <span className="k-quiet">{record.actor_kind}</span></span>],
            [say("fact.actorId"), copied(record.actor_id)],
            [say("fact.address"), <code key="address">{record.address || "—"}</code>],
            [say("fact.session"), copied(record.session)],
            [say("fact.action"), <code key="action">{record.action}</code>],
            [say("fact.place"), <code key="place">{placeOf(record) || record.tenant || "*"}</code>],
            [say("fact.resource"), copied(record.resource)],
            [say("fact.count"), record.count],
            [say("fact.request"), copied(record.request_id)],
            [say("fact.trace"), copied(record.trace_id)],
            [say("fact.chain"), <code key="chain">{record.chain} #{record.seq}</code>],
            [say("fact.previous"), <code key="previous" className="a-hash">{record.previous}</code>],
            [say("fact.hash"), <code key="hash" className="a-hash">{record.hash}</code>],
          ]}
        />
      </Section>
    </>
  );
}
