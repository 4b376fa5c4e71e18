import { useState, type ReactNode } from "react";
import { asCurl, failureOf, usePages, type AccessRequest, type OfferView } from "../api";
import { Button, Check, DataTable, Empty, ErrorState, Pane, Panes, Note, Person, Ref, StatusTag, Time, type Column, type Hue } from "../kit";
import { atApplication, flagsOf, useMay, usePage, useQueryState, useScope, useText } from "../shell";
import { Answer } from "./Answer";
import { OFFERS, OFTEN, PUBLISH_OFFERS, READ_ACCESS, READ_OFFERS, RECEIVED } from "./operations";

/** Who may call what, and who asks to. */
export function Callers(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const may = useMay();
  const args = { path: scope, query: { limit: 100 } };
  usePage({ title: `${scope.application} · ${say("pages.callers")}`, cli: `qiantang service list ${flagsOf(scope)}`, api: asCurl(OFFERS, args) });
  return (
    <Panes stack>
      <Pane title={say("requests.title")}>{may(READ_ACCESS, scope) ? <Requests /> : <p className="n-said k-quiet">{say("needs", { permission: READ_ACCESS })}</p>}</Pane>
      <Pane title={say("callers.title")} actions={<Button kind="quiet" size="small" to={atApplication(scope, "catalog")}>{say("toCatalog")}</Button>}>
        {may(READ_OFFERS, scope) ? <Allowed /> : <p className="n-said k-quiet">{say("needs", { permission: READ_OFFERS })}</p>}
      </Pane>
    </Panes>
  );
}

const HUES: Record<AccessRequest["state"], Hue> = { waiting: "warn", accepted: "ok", refused: "bad", withdrawn: "idle" };

function Requests(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const may = useMay();
  const [decided, setDecided] = useQueryState("decided");
  const [answering, setAnswering] = useState<{ request: AccessRequest; accepts: boolean }>();
  const [answered, setAnswered] = useState<AccessRequest>();
  const found = usePages(RECEIVED, { path: scope, query: { decided: decided === "1", limit: 100 } }, { every: OFTEN });
  const mayAnswer = may(PUBLISH_OFFERS, scope);
  const columns: Column<AccessRequest>[] = [
    { key: "consumer", title: say("columns.consumer"), names: true, width: 200, render: (row) => <Ref mono name={row.consumer} title={row.consumer} /> },
    { key: "service", title: say("columns.service"), width: 200, render: (row) => <code className="k-ellipsis" title={row.service}>{row.service}</code> },
    { key: "reason", title: say("columns.reason"), render: (row) => <span className="k-ellipsis" title={row.reason}>{row.reason}</span> },
    { key: "author", title: say("columns.author"), width: 120, render: (row) => <Person name={row.author} /> },
    { key: "at", title: say("columns.asked"), width: 110, align: "right", render: (row) => <Time at={row.created_at} /> },
    { key: "state", title: say("columns.answer"), width: 210, render: (row) => (row.state === "waiting" && mayAnswer ? <Buttons row={row} onAnswer={(accepts) => setAnswering({ request: row, accepts })} /> : <Decided row={row} />) },
  ];
  if (found.error && !found.rows) return <ErrorState failure={failureOf(found.error, say("unreadableRequests"))} onRetry={found.again} />;
  return (
    <>
      {answered && <Note hue={answered.state === "accepted" && !answered.publishing ? "ok" : "info"} actions={<Button kind="quiet" size="small" icon="close" label={say("close")} onClick={() => setAnswered(undefined)} />}>{say(answered.publishing ? "requests.awaits" : `requests.${answered.state}`, { consumer: answered.consumer, service: answered.service })}</Note>}
      <DataTable
        label={say("requests.title")}
        name="access-requests"
        rows={found.rows}
        rowKey={(row) => row.id}
        rowName={(row) => row.consumer}
        columns={columns}
        comfortable
        onMore={found.more}
        loadingMore={found.loadingMore}
        empty={<Empty title={say("requests.none")}>{say("requests.noneText")}</Empty>}
      />
      <p className="n-said"><Check checked={decided === "1"} onChange={(on) => setDecided(on ? "1" : "")}>{say("requests.decided")}</Check></p>
      {answering && <Answer {...answering} onClose={() => setAnswering(undefined)} onDone={(done) => { setAnswered(done); setAnswering(undefined); }} />}
    </>
  );
}

function Buttons({ row, onAnswer }: { row: AccessRequest; onAnswer: (accepts: boolean) => void }): ReactNode {
  const say = useText("registry");
  if (row.publishing) return <Decided row={row} />;
  return (
    <span className="k-row">
      <Button size="small" icon="check" onClick={() => onAnswer(true)}>{say("requests.accept")}</Button>
      <Button size="small" kind="quiet" onClick={() => onAnswer(false)}>{say("requests.refuse")}</Button>
    </span>
  );
}

function Decided({ row }: { row: AccessRequest }): ReactNode {
  const say = useText("registry");
  return (
    <span className="k-row">
      <StatusTag hue={HUES[row.state]} title={row.answer}>{say(`answer.${row.state}`)}</StatusTag>
      {row.decided_by && <span className="k-quiet">{row.decided_by}</span>}
      {row.publishing && <span className="k-quiet">{say("requests.publishing", { state: row.publishing_state })}</span>}
    </span>
  );
}

function Allowed(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const found = usePages(OFFERS, { path: scope, query: { limit: 100 } }, { every: OFTEN });
  const names = (all: string[]): ReactNode => (all.length > 0 ? <span className="k-ellipsis k-mono" title={all.join("\n")}>{all.join(", ")}</span> : <span className="k-quiet">—</span>);
  const columns: Column<OfferView>[] = [
    { key: "service", title: say("columns.service"), names: true, width: 240, render: (row) => <Ref mono name={row.service} title={row.service} to={`${atApplication(scope, "services", "services")}?service=${encodeURIComponent(row.service)}`} /> },
    { key: "state", title: say("columns.offer"), width: 120, render: (row) => say(`offer.${row.state}`) },
    { key: "may", title: say("columns.may"), render: (row) => (row.access === "open" ? <span className="k-quiet">{say("access.open")}</span> : row.subscribers.length > 0 ? names(row.subscribers) : <StatusTag hue="warn">{say("callers.nobody")}</StatusTag>) },
    { key: "subscribed", title: say("columns.subscribed"), render: (row) => names(row.consumers) },
  ];
  if (found.error && !found.rows) return <ErrorState failure={failureOf(found.error, say("unreadableOffers"))} onRetry={found.again} />;
  return (
    <DataTable
      label={say("callers.title")}
      name="service-callers"
      rows={found.rows}
      rowKey={(row) => row.service}
      columns={columns}
      onMore={found.more}
      loadingMore={found.loadingMore}
      empty={<Empty title={say("callers.none")} cli={`qiantang service import FILE ${flagsOf(scope)}`}>{say("callers.noneText")}</Empty>}
    />
  );
}
