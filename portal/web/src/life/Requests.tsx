import { useState, type ReactNode } from "react";
import { asCurl, useDo, type Convergence, type Difference, type PublishRequest } from "../api";
import { Button, Check, DataTable, Empty, Facts, Field, FilterBar, Mark, Note, Pane, Panes, Person, Section, StatusTag, TextInput, Time, useWidthBelow, type Column, type Hue, type MarkKind } from "../kit";
import { useMe, usePage, useQueryStates, useText } from "../shell";
import { LifeBar } from "./Bar";
import { ChangeSet, useView } from "./Changes";
import type { LifePageProps } from "./Drafts";
import { Arrivals } from "./Converge";
import { GrayWords } from "./Gray";
import { lifeCall, useLife, useLifeRead } from "./life";
import { Can, Refused, Rev, Unread } from "./Parts";
import { revisionOf } from "./types";

const HUES: Record<PublishRequest["state"], Hue> = { waiting: "warn", scheduled: "info", published: "ok", rejected: "bad", cancelled: "idle", failed: "bad" };

/** Publishes that wait for a second person or for their time, and what was decided. */
export function Requests({ bar }: LifePageProps): ReactNode {
  const say = useText("life");
  const life = useLife();
  const narrow = useWidthBelow(768);
  const [query, change] = useQueryStates();
  const decided = query.get("decided") === "1" || query.get("id") !== null;
  const found = useLifeRead<PublishRequest[]>("/requests", { query: { decided, limit: 200 } }, { keep: true });
  const id = query.get("id") ?? "";
  const open = found.data?.find((one) => one.id === id);
  usePage({
    title: `${say("requests.title")} · ${life.scope.application}`,
    cli: life.cli("request", "")?.replace(" request ", " request list ") ?? "",
    api: asCurl(life.operation("GET", "/requests"), { path: life.scope, query: { decided } }),
    readAt: found.dataUpdatedAt,
  });
  const columns: Column<PublishRequest>[] = [
    { key: "state", title: say("columns.state"), names: true, width: 150, render: (row) => <StatusTag hue={HUES[row.state]}>{say(`requests.state.${row.state}`)}</StatusTag> },
    { key: "what", title: say("requests.what"), width: 150, render: (row) => say(`requests.action.${row.action}`) },
    { key: "message", title: say("columns.message"), render: (row) => <span className={`l-clip${id ? " l-clip-short" : ""}`} title={row.message}>{row.message || "—"}</span> },
    { key: "author", title: say("requests.author"), width: 120, render: (row) => <Person name={row.author} /> },
    { key: "created", title: say("requests.asked"), width: 110, render: (row) => <Time at={row.created_at} /> },
    { key: "at", title: say("requests.at"), width: 130, render: (row) => (row.at ? <Time at={row.at} /> : <span className="k-quiet">{say("requests.atOnce")}</span>) },
    { key: "reviewer", title: say("requests.reviewer"), width: 120, render: (row) => <Person name={row.reviewer} /> },
    { key: "revision", title: say("columns.revision"), width: 80, align: "right", render: (row) => <Rev at={row.revision} /> },
  ];
  return (
    <>
      <LifeBar active="requests" {...bar} />
      <Panes>
        {!(narrow && open) && (
          <Pane label={say("requests.title")}>
            <FilterBar>
              <Check checked={decided} onChange={(on) => change({ decided: on ? "1" : "", id: "" })}>{say("requests.withDecided")}</Check>
            </FilterBar>
            {found.error && !found.data ? (
              <Unread error={found.error} title={say("requests.unreadable")} onRetry={() => void found.refetch()} />
            ) : (
              <DataTable
                label={say("requests.title")}
                name={`requests:${life.capability}`}
                rows={found.data}
                rowKey={(row) => row.id}
                columns={columns}
                onOpen={(row) => change({ id: row.id, ...(decided ? { decided: "1" } : {}) })}
                openKey={id}
                empty={<Empty title={say(decided ? "requests.never" : "requests.none")} actions={decided ? undefined : <Button onClick={() => change({ decided: "1" })}>{say("requests.withDecided")}</Button>}>{say("requests.noneText")}</Empty>}
              />
            )}
          </Pane>
        )}
        {open && <OneRequest key={open.id} request={open} onClose={() => change({ id: "" })} />}
      </Panes>
    </>
  );
}

const KINDS: Record<string, MarkKind> = { add: "add", change: "change", remove: "remove" };

function OneRequest({ request, onClose }: { request: PublishRequest; onClose: () => void }): ReactNode {
  const say = useText("life");
  const life = useLife();
  const me = useMe();
  const waiting = request.state === "waiting" || request.state === "scheduled";
  const drafts = useLifeRead<Difference>("/drafts", {}, { enabled: waiting && request.action !== "promote" && request.action !== "gray_change" });
  const reach = useLifeRead<Convergence>("/convergence", {}, { enabled: request.revision !== 0 });
  const [view, picker] = useView();
  const [message, setMessage] = useState("");
  const decide = useDo((how: "approve" | "reject" | "cancel") => lifeCall<PublishRequest>(life, "POST", `/requests/{request_id}/${how}`, { path: { request_id: request.id }, body: { message } }));
  const changes = (drafts.data?.pending ?? []).filter((one) => request.resources.some(([kind, name]) => kind === one.kind && name === one.name));
  const editors = new Set(changes.map((one) => one.author));
  const mine = request.author === me.name;
  const edited = editors.has(me.name);
  const why = mine ? say("requests.notMine") : edited ? say("requests.notEdited") : undefined;
  return (
    <Pane
      side="right"
      width={480}
      title={say(`requests.action.${request.action}`)}
      note={<StatusTag hue={HUES[request.state]}>{say(`requests.state.${request.state}`)}</StatusTag>}
      actions={<Button kind="quiet" size="small" icon="close" label={say("close")} onClick={onClose} />}
      foot={
        waiting && (
          <>
            {(mine || life.may("publish")) && <Can verb="publish" size="small" onClick={() => void decide.mutateAsync("cancel").catch(() => undefined)}>{say("requests.cancel")}</Can>}
            <span className="k-grow" />
            {request.state === "waiting" && (
              <>
                <Can verb="approve" kind="danger" busy={decide.isPending} onClick={() => void decide.mutateAsync("reject").catch(() => undefined)}>{say("requests.reject")}</Can>
                <Can verb="approve" kind={life.protected_ ? "production" : "primary"} icon="check" busy={decide.isPending} disabled={why !== undefined} {...(why ? { reason: why } : {})} onClick={() => void decide.mutateAsync("approve").catch(() => undefined)}>
                  {request.at > Date.now() ? say("requests.approveLater") : say("requests.approve")}
                </Can>
              </>
            )}
          </>
        )
      }
    >
      <div className="k-section k-stack">
        {request.message && <p className="l-message">{request.message}</p>}
        {request.state === "waiting" && <Note hue={why ? "warn" : "info"}>{why ?? say("requests.who", { permission: life.permission("approve") })}</Note>}
        {request.state === "scheduled" && <Note hue="info">{say("requests.willPublish")} <Time at={request.at} exact /></Note>}
        {request.error && <Note hue={request.state === "failed" ? "bad" : "idle"} title={say(request.state === "failed" ? "requests.failedTitle" : "requests.said")}>{request.error}</Note>}
        <Refused error={decide.error} />
        <Facts
          items={[
            [say("requests.author"), <Person key="a" name={request.author} />],
            [say("requests.asked"), <Time key="t" at={request.created_at} exact />],
            [say("requests.over"), <Rev key="b" at={request.base_revision} />],
            ...(request.at ? ([[say("requests.at"), <Time key="w" at={request.at} exact />]] as [ReactNode, ReactNode][]) : []),
            ...(request.gray ? ([[say("gray.title"), <GrayWords key="g" rule={request.gray} />]] as [ReactNode, ReactNode][]) : []),
            ...(request.reviewer ? ([[say("requests.reviewer"), <Person key="r" name={request.reviewer} />], [say("requests.decided"), <Time key="d" at={request.decided_at} exact />]] as [ReactNode, ReactNode][]) : []),
            ...(request.revision ? ([[say("requests.became"), <Button key="v" kind="quiet" size="small" to={`${life.to("history")}?rev=${request.revision}`}>r{request.revision}</Button>]] as [ReactNode, ReactNode][]) : []),
          ]}
        />
        {request.state === "waiting" && (
          <Field label={say("requests.message")}>{(ids) => <TextInput {...ids} value={message} onChange={setMessage} maxLength={2000} />}</Field>
        )}
      </div>
      {request.revision !== 0 && revisionOf(reach.data?.position) === request.revision && (
        <Section title={say("converge.title")} note={reach.data && say("applied", { current: reach.data.current, total: reach.data.total })}>
          <div className="l-bleed"><Arrivals instances={reach.data?.instances ?? []} revision={request.revision} /></div>
        </Section>
      )}
      <Section title={say("requests.changes")} note={say("resourceCount", { count: request.resources.length })} actions={changes.length > 0 ? picker : undefined}>
        {changes.length > 0 ? (
          <div className="l-bleed"><ChangeSet changes={changes} view={view} from="draft" /></div>
        ) : (
          <ul className="l-list">{request.resources.map(([kind, name, action]) => <li key={`${kind}/${name}`} className="k-row"><Mark kind={KINDS[action] ?? "change"} /> <code>{name}</code></li>)}</ul>
        )}
      </Section>
    </Pane>
  );
}
