import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, failureOf, topics, usePages, useRead, type ResourceSummary } from "../api";
import { bytes, Button, Count, DataTable, Empty, ErrorState, Person, Ref, StatusTag, Strip, Time, type Column, type Hue } from "../kit";
import { atApplication, useMay, usePage, useScope, useText } from "../shell";
import { CONVERGENCE, READ_ROUTES, READ_RULES, ROUTES, RULES, STATUS } from "./operations";

const HUES: Record<ResourceSummary["state"], Hue> = { published: "ok", new: "info", changed: "warn", removed: "bad" };

/** The rules and routes of calls: how many there are, and how far what is published is in force. */
export function Rules(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const may = useMay();
  const navigate = useNavigate();
  const followed = { topics: [topics.bundle(scope, "rpc")] };
  const [ruled, routed] = [may(READ_RULES, scope), may(READ_ROUTES, scope)];
  const status = useRead(STATUS, { path: scope }, { ...followed, enabled: routed });
  const reach = useRead(CONVERGENCE, { path: scope }, { ...followed, enabled: routed });
  const rules = usePages(RULES, { path: scope, query: { limit: 100 } }, { ...followed, enabled: ruled });
  const routes = usePages(ROUTES, { path: scope, query: { limit: 100 } }, { ...followed, enabled: routed });
  usePage({ title: `${scope.application} · ${say("pages.rules")}`, api: asCurl(RULES, { path: scope }), readAt: rules.readAt || routes.readAt });
  const failed = rules.error ?? routes.error;
  const waits = (ruled && !rules.rows) || (routed && !routes.rows);
  const to = (row: ResourceSummary): string => atApplication(scope, "rpc", "edit", row.kind, row.name);
  const columns: Column<ResourceSummary>[] = [
    { key: "name", title: say("columns.name"), names: true, width: 260, render: (row) => <Ref mono name={row.name} title={row.name} kind={say(`kind.${row.kind}`)} to={to(row)} /> },
    { key: "state", title: say("columns.state"), width: 150, render: (row) => <StatusTag hue={HUES[row.state]}>{say(`resource.${row.state}`)}</StatusTag> },
    { key: "revision", title: say("columns.revision"), width: 100, align: "right", render: (row) => <code>{row.changed_revision ? `r${row.changed_revision}` : "—"}</code> },
    { key: "size", title: say("columns.size"), width: 90, align: "right", render: (row) => bytes(row.size) },
    { key: "by", title: say("columns.by"), width: 140, render: (row) => <Person name={row.edited_by} /> },
    { key: "at", title: say("columns.edited"), width: 120, align: "right", render: (row) => (row.edited_at ? <Time at={row.edited_at} /> : <span className="k-quiet">—</span>) },
  ];
  if (failed && waits) return <ErrorState failure={failureOf(failed, say("unreadableRules"))} onRetry={() => { rules.again(); routes.again(); }} />;
  const found = status.data;
  const live = reach.data;
  return (
    <>
      <Strip
        label={say("rules.state")}
        figures={[
          { key: "revision", label: say("columns.revision"), to: atApplication(scope, "rpc", "history"), value: found ? (found.position[1] ? `r${found.position[1]}` : say("rules.unpublished")) : "—" },
          { key: "instances", label: say("rules.force"), to: atApplication(scope, "rpc", "instances"), value: live ? `${live.current}/${live.total}` : "—", status: live && <Reach current={live.current} total={live.total} failed={live.failed} behind={live.behind} /> },
          { key: "rules", label: say("rules.rules"), value: <Counted rows={rules.rows?.length} more={rules.more !== undefined} /> },
          { key: "routes", label: say("rules.routes"), value: <Counted rows={routes.rows?.length} more={routes.more !== undefined} /> },
          { key: "drafts", label: say("rules.drafts"), to: atApplication(scope, "rpc", "diff"), value: <Count value={found?.drafts} /> },
        ]}
      />
      <DataTable
        label={say("pages.rules")}
        name="service-rules"
        rows={waits ? undefined : [...(rules.rows ?? []), ...(routes.rows ?? [])]}
        rowKey={(row) => `${row.kind}/${row.name}`}
        columns={columns}
        onOpen={(row) => void navigate(to(row))}
        onMore={rules.more ?? routes.more}
        loadingMore={rules.loadingMore || routes.loadingMore}
        empty={<Empty title={say("rules.none")} actions={<Button kind="primary" to={atApplication(scope, "rpc")}>{say("rules.open")}</Button>}>{say("rules.noneText")}</Empty>}
        foot={<Button kind="quiet" size="small" to={atApplication(scope, "rpc")}>{say("rules.open")}</Button>}
      />
    </>
  );
}

function Counted({ rows, more }: { rows: number | undefined; more: boolean }): ReactNode {
  return <><Count value={rows} />{more && "+"}</>;
}

function Reach({ current, total, failed, behind }: { current: number; total: number; failed: number; behind: number }): ReactNode {
  const say = useText("registry");
  if (total === 0) return <StatusTag hue="idle">{say("rules.noInstances")}</StatusTag>;
  if (failed > 0) return <StatusTag hue="bad">{say("rules.refused", { count: failed })}</StatusTag>;
  return <StatusTag hue={behind ? "warn" : "ok"}>{say(behind ? "rules.behind" : "rules.inForce", { count: behind, current, total })}</StatusTag>;
}
