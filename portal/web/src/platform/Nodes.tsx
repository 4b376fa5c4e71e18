import type { ReactNode } from "react";
import { asCurl, failureOf, useRead, type ServerNode } from "../api";
import { Copy, Count, DataTable, Empty, ErrorState, Facts, Forbidden, PageHead, Peek, StatusTag, Time, type Column } from "../kit";
import { usePage, useQueryStates, useText } from "../shell";

const LIST = "GET /api/v1/platform/nodes";

/** The servers of the control plane. What only a server knows of itself is told by that one alone; of the others it is unknown. */
export function Nodes(): ReactNode {
  const say = useText("platform");
  const [query, change] = useQueryStates();
  const found = useRead(LIST, {}, { every: 10_000 });
  const open = found.data?.find((row) => row.address === query.get("peek"));
  usePage({ title: say("nodes.title"), cli: "qiantang doctor", api: asCurl(LIST, {}), readAt: found.dataUpdatedAt });
  const unknown = <span className="k-quiet">{say("unknown")}</span>;
  const columns: Column<ServerNode>[] = [
    { key: "node", title: say("nodes.node"), names: true, width: 260, render: (row) => <span className="k-row"><code className="k-ellipsis" title={row.node ?? row.address}>{row.node ?? row.address}</code>{row.self && <StatusTag hue="info">{say("nodes.this")}</StatusTag>}</span> },
    { key: "address", title: say("nodes.address"), width: 260, render: (row) => <code className="k-ellipsis" title={row.address}>{row.address}</code> },
    { key: "state", title: say("nodes.state"), width: 200, render: (row) => <State node={row} /> },
    { key: "version", title: say("nodes.version"), width: 110, render: (row) => (row.version ? <code>{row.version}</code> : unknown) },
    { key: "streams", title: say("nodes.streams"), width: 100, align: "right", render: (row) => (row.streams === null ? unknown : <Count value={row.streams} />) },
    { key: "instances", title: say("nodes.instances"), width: 110, align: "right", render: (row) => (row.instances === null ? unknown : <Count value={row.instances} />) },
    { key: "started", title: say("nodes.started"), width: 130, align: "right", render: (row) => (row.started_at === null ? unknown : <Time at={row.started_at} />) },
  ];
  if (found.error?.status === 403 || found.error?.status === 404) return <Forbidden title={say("nodes.forbidden")}>{say("needs", { permission: "platform.node:list" })} {say("who")}</Forbidden>;
  return (
    <>
      <PageHead title={say("nodes.title")} note={say("nodes.note")} />
      {found.error && !found.data ? (
        <ErrorState failure={failureOf(found.error, say("nodes.unreadable"))} onRetry={() => void found.refetch()} />
      ) : (
        <DataTable
          label={say("nodes.title")}
          name="nodes"
          rows={found.data}
          rowKey={(row) => row.address}
          columns={columns}
          comfortable
          onOpen={(row) => change({ peek: row.address })}
          openKey={open?.address}
          rowHue={(row) => (row.alive ? undefined : "bad")}
          empty={<Empty title={say("nodes.none")} />}
        />
      )}
      <Peek open={open !== undefined} onClose={() => change({ peek: "" })} title={<code>{open?.node ?? open?.address}</code>}>
        {open && (
          <Facts
            items={[
              [say("nodes.address"), <span key="address"><code>{open.address}</code> <Copy text={open.address} /></span>],
              [say("nodes.state"), <State key="state" node={open} />],
              [say("nodes.version"), open.version ?? say("unknown")],
              [say("nodes.streams"), open.streams ?? say("unknown")],
              [say("nodes.instances"), open.instances ?? say("unknown")],
              [say("nodes.started"), open.started_at === null ? say("unknown") : <Time key="started" at={open.started_at} exact />],
              ...Object.entries(open.condition ?? {}).map(([name, part]): [ReactNode, ReactNode] => [
                <code key={name}>{name}</code>,
                <span key={`${name}-state`}>
                  <StatusTag hue={part.ready ? "ok" : "bad"}>{say(part.ready ? "nodes.works" : "nodes.fails")}</StatusTag> {part.reason} {part.since > 0 && <span className="k-quiet">{say("nodes.since")} <Time at={part.since} /></span>}
                </span>,
              ]),
            ]}
          />
        )}
      </Peek>
    </>
  );
}

function State({ node }: { node: ServerNode }): ReactNode {
  const say = useText("platform");
  if (!node.alive) return <StatusTag hue="bad">{say("nodes.gone")}</StatusTag>;
  const failing = Object.entries(node.condition ?? {}).filter(([, part]) => !part.ready).map(([name]) => name);
  if (failing.length > 0) return <StatusTag hue="warn" title={failing.join(", ")}>{say("nodes.without", { parts: failing.join(", ") })}</StatusTag>;
  return <StatusTag hue="ok">{say(node.condition === null ? "nodes.listed" : "nodes.works")}</StatusTag>;
}
