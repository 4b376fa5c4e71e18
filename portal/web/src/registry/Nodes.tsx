import type { ReactNode } from "react";
import { asCurl, call, failureOf, useDo, usePages, type NodeView } from "../api";
import { DataTable, ErrorState, Ref, Time, useWidthBelow, type Column } from "../kit";
import { usePage, useQueryStates, useScope, useText } from "../shell";
import { Node } from "./Node";
import { withChange, type Changing } from "./changes";
import { CHANGE_NODE, NODES, NODES_TOUCHED, OFTEN } from "./operations";
import { FirstService, StateOf, WeightOf } from "./Parts";

/** The nodes of a microservice as callers see them, and what each says of itself where that differs. */
export function Nodes(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const [query, address] = useQueryStates();
  const narrow = useWidthBelow(768);
  const args = { path: scope, query: { limit: 100 } };
  const found = usePages(NODES, args, { every: OFTEN });
  const changing = useDo(({ node, change }: Changing) => call(CHANGE_NODE, { path: { ...scope, node }, body: change }), NODES_TOUCHED);
  const asked = changing.isPending ? changing.variables : undefined;
  const rows = found.rows?.map((row) => (asked?.node === row.name ? withChange(row, asked.change) : row));
  const open = query.get("node") ?? "";
  usePage({ title: `${scope.application} · ${say("pages.nodes")}`, api: asCurl(NODES, args), readAt: found.readAt });
  const show = (node: string): void => {
    if (!changing.isPending) changing.reset();
    address({ node });
  };
  const columns: Column<NodeView>[] = [
    { key: "name", title: say("columns.node"), names: true, width: 220, render: (row) => <Ref mono title={row.name} name={row.name} to={`?node=${encodeURIComponent(row.name)}`} /> },
    { key: "state", title: say("columns.state"), width: 210, render: (row) => <StateOf node={row} asked={asked?.node === row.name} /> },
    { key: "weight", title: say("columns.weight"), width: 130, align: "right", render: (row) => <>{narrow && <span className="k-quiet">{say("columns.weight")} </span>}<WeightOf node={row} /></> },
    { key: "cluster", title: say("columns.cluster"), width: 120, render: (row) => <code>{row.cluster || "—"}</code> },
    { key: "override", title: say("columns.override"), render: (row) => <span className="k-ellipsis" title={row.override?.reason}>{row.override ? `${row.override.set_by} · ${row.override.reason || say("noReason")}` : <span className="k-quiet">—</span>}</span> },
    { key: "since", title: say("columns.since"), width: 120, align: "right", render: (row) => (row.present ? <Time at={row.registered_at} /> : <span className="k-quiet">—</span>) },
  ];
  if (found.error && !rows) return <ErrorState failure={failureOf(found.error, say("unreadableNodes"))} onRetry={found.again} />;
  return (
    <>
      <DataTable
        label={say("pages.nodes")}
        name="service-nodes"
        rows={rows}
        rowKey={(row) => row.name}
        columns={columns}
        onOpen={(row) => show(row.name)}
        openKey={open}
        onMore={found.more}
        loadingMore={found.loadingMore}
        empty={<FirstService title={say("noneOf", { name: scope.application })} />}
      />
      <Node name={open} onClose={() => show("")} changing={changing} />
    </>
  );
}
