import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, usePages, type DeadCauseView } from "../api";
import { Count, DataTable, Ref, Time, useWidthBelow, type Column } from "../kit";
import { atApplication, usePage, useScope, useText } from "../shell";
import { CAUSES } from "./operations";
import { cliOf, Filters, Nothing, Unread, useFilter } from "./Parts";

/** What messages died of: how many of each, where, since when. */
export function Causes(): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const navigate = useNavigate();
  const narrow = useWidthBelow(768);
  const { filter, filtered, clear } = useFilter();
  const args = { path: scope, query: { ...filter, limit: 100 } };
  const found = usePages(CAUSES, args);
  usePage({ title: `${scope.application} · ${say("title")}`, cli: cliOf("causes", filter), api: asCurl(CAUSES, args), readAt: found.readAt });
  const to = (row: DeadCauseView): string => `${atApplication(scope, "dead", "letters")}?cause=${encodeURIComponent(row.cause)}`;
  const columns: Column<DeadCauseView>[] = [
    { key: "error", title: say("columns.error"), names: true, render: (row) => <Ref mono name={<span className="d-clip">{row.error || say("noError")}</span>} title={row.error} to={to(row)} /> },
    { key: "count", title: say("columns.count"), width: 80, align: "right", render: (row) => (narrow ? say("lettersFound", { count: row.count }) : <Count value={row.count} />) },
    { key: "group", title: say("columns.group"), width: 150, render: (row) => <code className="k-ellipsis" title={row.group}>{row.group}</code> },
    { key: "topic", title: say("columns.topic"), width: 180, render: (row) => <code className="k-ellipsis" title={row.topic}>{row.topic || "—"}</code> },
    { key: "last", title: say("columns.last"), width: 120, align: "right", render: (row) => <Time at={row.last} /> },
    ...(narrow ? [] : [{ key: "first", title: say("columns.first"), width: 120, align: "right" as const, render: (row: DeadCauseView) => <Time at={row.first} /> }]),
  ];
  if (found.error && !found.rows) return <>{filtered && <Filters />}<Unread error={found.error} onRetry={found.again} /></>;
  return (
    <>
      <Filters right={found.rows && <span>{say("causesFound", { count: found.rows.length })}{found.more ? "+" : ""}</span>} />
      <DataTable
        label={say("pages.causes")}
        name="dead-causes"
        rows={found.rows}
        rowKey={(row) => row.cause}
        rowName={(row) => row.error || say("noError")}
        columns={columns}
        onOpen={(row) => void navigate(to(row))}
        onMore={found.more}
        loadingMore={found.loadingMore}
        empty={<Nothing filtered={filtered} clear={clear} what="none" command="causes" />}
      />
    </>
  );
}
