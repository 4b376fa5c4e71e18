import type { ReactNode } from "react";
import { asCurl, usePages, type Convergence, type InstanceStatus, type Operation } from "../api";
import { Copy, DataTable, duration, Empty, Facts, FilterBar, NoMatch, Note, Peek, Pick, SearchInput, StatusTag, Strip, Time, type Column } from "../kit";
import { Marked, useLate, usePage, useQueryStates, useText } from "../shell";
import { argumentsOf, useLife, useLifeRead } from "./life";
import { Rev, Unread } from "./Parts";

const STATES = ["", "failed", "behind", "current"] as const;

/** Every instance that runs now, with what it holds; read again as they acknowledge. */
export function Instances(): ReactNode {
  const say = useText("life");
  const life = useLife();
  const [query, change] = useQueryStates();
  const words = query.get("words") ?? "";
  const state = query.get("state") ?? "";
  const late = useLate(words, 200);
  const args = { ...argumentsOf(life, { query: { words: late, state, limit: 200 } }) };
  const operation = life.operation("GET", "/instances");
  const found = usePages<Operation, InstanceStatus>(operation, args, { topics: life.topics });
  const reach = useLifeRead<Convergence>("/convergence").data;
  const peek = query.get("peek") ?? "";
  const open = found.rows?.find((row) => row.instance.name === peek);
  usePage({
    title: `${say("instances.title")} · ${life.scope.application}`,
    cli: life.cli("instances", state === "behind" || state === "failed" ? "--behind" : "") ?? "",
    api: asCurl(operation, { path: life.scope, query: { words: late, state } }),
    readAt: found.readAt,
  });
  const columns: Column<InstanceStatus>[] = [
    { key: "name", title: say("instances.name"), names: true, width: 220, render: (row) => <span className="k-mono l-clip l-clip-short" title={row.instance.name}><Marked text={row.instance.name} words={late} /></span> },
    { key: "cluster", title: say("instances.cluster"), width: 110, render: (row) => <code>{row.instance.cluster || "—"}</code> },
    { key: "state", title: say("columns.state"), width: 130, render: (row) => <State row={row} /> },
    { key: "revision", title: say("columns.revision"), width: 80, align: "right", render: (row) => <Rev at={row.position} /> },
    { key: "applied", title: say("instances.applied"), width: 110, render: (row) => <Time at={row.applied_at} /> },
    { key: "took", title: say("instances.took"), width: 90, align: "right", render: (row) => (row.applied_at ? duration(row.took_ms) : "—") },
    { key: "error", title: say("instances.error"), render: (row) => (row.error ? <code className="l-clip l-bad" title={row.error}>{row.error}</code> : <span className="k-quiet">—</span>) },
    { key: "host", title: say("instances.host"), width: 130, render: (row) => <code className="l-clip l-clip-short">{row.instance.host || "—"}</code> },
    { key: "version", title: say("instances.version"), width: 90, render: (row) => <code>{row.instance.version || "—"}</code> },
    { key: "labels", title: say("instances.labels"), width: 220, optional: true, render: (row) => <Labels labels={row.instance.labels} /> },
    { key: "seen", title: say("instances.seen"), width: 110, optional: true, render: (row) => <Time at={row.seen_at} /> },
  ];
  return (
    <>
      {reach && (
        <Strip
          label={say("instances.title")}
          figures={[
            { key: "total", label: say("instances.live"), value: reach.total },
            { key: "current", label: say("instances.current"), value: reach.total ? `${reach.current}/${reach.total}` : "—", status: <Rev at={reach.position} /> },
            { key: "behind", label: say("instances.behind"), value: reach.behind, status: reach.behind ? <StatusTag hue="warn">{say("instances.behindText")}</StatusTag> : undefined },
            { key: "failed", label: say("instances.failed"), value: reach.failed, status: reach.failed ? <StatusTag hue="bad">{say("instances.failedText")}</StatusTag> : undefined },
            { key: "p50", label: "p50", value: reach.p50_ms === null || reach.p50_ms === undefined ? "—" : duration(reach.p50_ms), status: <span className="k-quiet">{say("instances.fromPublish")}</span> },
            { key: "p99", label: "p99", value: reach.p99_ms === null || reach.p99_ms === undefined ? "—" : duration(reach.p99_ms) },
          ]}
        />
      )}
      <FilterBar right={found.rows && <span>{say("instances.count", { count: found.rows.length })}{found.more ? "+" : ""}</span>}>
        <SearchInput value={words} onChange={(next) => change({ words: next })} label={say("instances.filter")} />
        <Pick label={say("columns.state")} value={state as (typeof STATES)[number]} onChange={(next) => change({ state: next })} options={STATES.map((one) => ({ value: one, label: say(`instances.states.${one || "all"}`) }))} />
      </FilterBar>
      {found.error && !found.rows ? (
        <Unread error={found.error} title={say("instances.unreadable")} onRetry={found.again} />
      ) : (
        <DataTable
          label={say("instances.title")}
          name={`instances:${life.capability}`}
          rows={found.rows}
          rowKey={(row) => row.instance.name}
          columns={columns}
          rowHue={(row) => (row.status === "failed" || row.status === "rejected" ? "bad" : undefined)}
          onOpen={(row) => change({ peek: row.instance.name })}
          openKey={peek}
          onMore={found.more}
          loadingMore={found.loadingMore}
          empty={
            words || state ? (
              <NoMatch title={say("instances.noMatch")} onClear={() => change({ words: "", state: "" })}>{say("noMatchText")}</NoMatch>
            ) : (
              <Empty title={say("instances.none")} cli={life.cli("instances") ?? ""}>{say("instances.noneText")}</Empty>
            )
          }
        />
      )}
      <Peek open={open !== undefined} onClose={() => change({ peek: "" })} title={<span className="k-mono">{open?.instance.name}</span>} actions={open && <Copy text={open.instance.name} />}>
        {open && (
          <div className="k-stack">
            {open.error && <Note hue="bad" title={say(`instances.status.${open.status === "rejected" ? "rejected" : "failed"}`)}><pre className="l-error">{open.error}</pre></Note>}
            <Facts
              items={[
                [say("columns.state"), <State key="s" row={open} />],
                [say("columns.revision"), <Rev key="r" at={open.position} />],
                [say("instances.applied"), <Time key="a" at={open.applied_at} exact />],
                [say("instances.took"), open.applied_at ? duration(open.took_ms) : "—"],
                [say("instances.cluster"), open.instance.cluster || "—"],
                [say("instances.host"), open.instance.host || "—"],
                [say("instances.process"), open.instance.process ?? "—"],
                [say("instances.version"), open.instance.version || "—"],
                [say("instances.labels"), <Labels key="l" labels={open.instance.labels} />],
                [say("instances.connected"), <Time key="c" at={open.connected_at} exact />],
                [say("instances.seen"), <Time key="n" at={open.seen_at} exact />],
                [say("instances.node"), <code key="o">{open.node || "—"}</code>],
              ]}
            />
          </div>
        )}
      </Peek>
    </>
  );
}

function Labels({ labels }: { labels: Record<string, string> | undefined }): ReactNode {
  const all = Object.entries(labels ?? {});
  if (all.length === 0) return <span className="k-quiet">—</span>;
  return <span className="k-mono l-clip" title={all.map(([name, value]) => `${name}=${value}`).join(", ")}>{all.map(([name, value]) => `${name}=${value}`).join(", ")}</span>;
}

function State({ row }: { row: InstanceStatus }): ReactNode {
  const say = useText("life");
  if (!row.alive) return <StatusTag hue="idle">{say("instances.status.gone")}</StatusTag>;
  if (row.status === "failed" || row.status === "rejected") return <StatusTag hue="bad">{say(`instances.status.${row.status}`)}</StatusTag>;
  if (row.gray) return <StatusTag hue="info" running={!row.current}>{say("instances.status.gray")}</StatusTag>;
  if (!row.current) return <StatusTag hue="warn">{say(row.status === "unknown" ? "instances.status.unknown" : "instances.status.behind")}</StatusTag>;
  return <StatusTag hue="ok">{say("instances.status.applied")}</StatusTag>;
}
