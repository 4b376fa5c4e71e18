import { useState, type ReactNode } from "react";
import { asCurl, useDo, usePages, type BundleStatus, type Convergence, type GrayStatus, type Operation, type PendingChange, type Release, type ReleaseDetail } from "../api";
import { Button, Choice, Confirm, DataTable, Empty, FilterBar, NoMatch, Note, Pane, Panes, Person, SearchInput, Section, Skeleton, StatusTag, Time, useWidthBelow, Field, TextInput, type Column } from "../kit";
import { ReleaseMark, type ReleaseKind } from "../kit/parts";
import { Marked, usePage, useQueryStates, useText } from "../shell";
import { LifeBar } from "./Bar";
import { ChangeSet, useView } from "./Changes";
import type { LifePageProps } from "./Drafts";
import { GrayDiff } from "./GrayDiff";
import { GrayWords, useGray } from "./Gray";
import { argumentsOf, lifeCall, useLife, useLifeRead } from "./life";
import { Action, Can, extent, Refused, Unread } from "./Parts";
import { revisionOf } from "./types";

/** What a release of these did not change: what everyone has. */
const BESIDE_ALL = new Set<Release["action"]>(["gray", "gray_change", "abort"]);
const markOf = (release: Release, current: number): ReleaseKind => (release.action === "gray" || release.action === "gray_change" ? "gray" : release.action === "abort" ? "aborted" : release.revision === current ? "current" : "past");

/** Every release, newest first; beside it one of them: what it changed, and the way back to it. */
export function History({ bar }: LifePageProps): ReactNode {
  const say = useText("life");
  const life = useLife();
  const narrow = useWidthBelow(768);
  const [query, change] = useQueryStates();
  const words = query.get("words") ?? "";
  const operation = life.operation("GET", "/releases");
  const found = usePages<Operation, Release>(operation, { ...argumentsOf(life), query: { limit: 50 } } as never, { topics: life.topics });
  const status = useLifeRead<BundleStatus>("/status").data;
  const gray = useGray(useLifeRead<Convergence>("/convergence").data).data;
  const current = revisionOf(status?.position);
  const everyone = found.rows?.find((row) => !BESIDE_ALL.has(row.action))?.revision ?? current;
  const rev = Number(query.get("rev") ?? 0);
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = found.rows?.filter((row) => {
    const text = `r${row.revision} ${row.author} ${row.message} ${row.approved_by} ${row.changed.map(([, name]) => name).join(" ")}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
  const at = rows?.findIndex((row) => row.revision === rev) ?? -1;
  const step = (by: number): void => {
    const next = rows?.[Math.max(0, at + by)];
    if (next) change({ rev: String(next.revision), from: "" });
  };
  usePage({
    title: `${say("history.title")} · ${life.scope.application}`,
    cli: life.cli(rev ? "diff" : "history", rev ? `--revision ${rev}` : "") ?? "",
    api: asCurl(operation, { path: life.scope }),
    readAt: found.readAt,
    actions: [
      { key: "newer", label: say("history.newer"), keys: "[", run: () => step(-1), group: "list" },
      { key: "older", label: say("history.older"), keys: "]", run: () => step(1), group: "list" },
    ],
  });
  const columns: Column<Release>[] = [
    { key: "line", title: "", width: 44, render: (row) => <ReleaseMark kind={markOf(row, everyone)} selected={row.revision === rev} /> },
    { key: "revision", title: say("columns.revision"), names: true, width: 70, render: (row) => <span className="k-mono">r{row.revision}</span> },
    { key: "at", title: say("history.at"), width: 110, render: (row) => <Time at={row.created_at} /> },
    { key: "author", title: say("history.author"), width: 120, render: (row) => <Person name={row.author} /> },
    { key: "message", title: say("columns.message"), render: (row) => <span className={`l-clip${rev ? " l-clip-short" : ""}`} title={row.message}><Marked text={row.message || "—"} words={words} /> {row.revision === everyone && <StatusTag hue="ok">{say("history.current")}</StatusTag>}</span> },
    ...(rev ? [] : [{ key: "changed", title: say("history.changed"), width: 180, render: (row) => <span className="k-mono l-clip l-clip-short" title={row.changed.map(([, name]) => name).join(", ")}>{row.changed.map(([, name]) => name).join(", ") || "—"}</span> } as Column<Release>]),
    { key: "action", title: say("columns.state"), width: 170, render: (row) => <Action release={row} /> },
    ...(rev ? [] : [{ key: "approved", title: say("history.approved"), width: 120, render: (row) => <Person name={row.approved_by} /> } as Column<Release>]),
  ];
  return (
    <>
      <LifeBar active="history" {...bar} />
      <Panes>
        {!(narrow && rev) && (
          <Pane label={say("history.title")}>
            <FilterBar right={found.rows && <span>{say("history.count", { count: rows?.length ?? 0, latest: current })}</span>}>
              <SearchInput value={words} onChange={(next) => change({ words: next })} label={say("history.filter")} />
              {words && found.more && <span className="k-quiet">{say("history.loadedOnly")}</span>}
            </FilterBar>
            {found.error && !found.rows ? (
              <Unread error={found.error} title={say("history.unreadable")} onRetry={found.again} />
            ) : (
              <DataTable
                label={say("history.title")}
                name={`history:${life.capability}`}
                rows={rows}
                rowKey={(row) => String(row.revision)}
                columns={columns}
                onOpen={(row) => change({ rev: String(row.revision), from: "" })}
                openKey={String(rev)}
                onMore={found.more}
                loadingMore={found.loadingMore}
                empty={words ? <NoMatch title={say("noMatch")} onClear={() => change({ words: "" })} more={found.more && <Button onClick={found.more}>{say("history.more")}</Button>} /> : <Empty title={say("history.none")} cli={life.cli("publish", '-m "…"') ?? ""} actions={<Button kind="primary" to={life.to("publish")}>{say("publish.title")}</Button>}>{say("history.noneText")}</Empty>}
              />
            )}
          </Pane>
        )}
        {rev > 0 && <Revision key={rev} revision={rev} current={current} everyone={everyone} gray={gray ?? null} onClose={() => change({ rev: "", from: "" })} />}
      </Panes>
    </>
  );
}

function Revision({ revision, current, everyone, gray, onClose }: { revision: number; current: number; everyone: number; gray: GrayStatus | null; onClose: () => void }): ReactNode {
  const say = useText("life");
  const life = useLife();
  const [query, change] = useQueryStates();
  const [view, picker] = useView();
  const [asking, setAsking] = useState(false);
  const [message, setMessage] = useState("");
  const from = query.get("from") ?? "before";
  const detail = useLifeRead<ReleaseDetail>("/releases/{revision}", { path: { revision } }, { topics: [] });
  const reach = useLifeRead<Convergence>("/convergence").data;
  const [older, newer] = from === "current" ? [Math.min(revision, current), Math.max(revision, current)] : from === "before" ? [revision - 1, revision] : [Math.min(Number(from), revision), Math.max(Number(from), revision)];
  const changes = useLifeRead<PendingChange[]>("/releases/{revision}/changes", { path: { revision: newer }, query: { since: older } }, { topics: [], enabled: newer > older });
  // what a roll back would change: from what is current to this revision
  const back = useLifeRead<PendingChange[]>("/releases/{revision}/changes", { path: { revision: Math.max(current, revision) }, query: { since: Math.min(current, revision) } }, { topics: [], enabled: revision < current });
  const roll = useDo(() => lifeCall<Release>(life, "POST", "/rollback", { body: { to_revision: revision, expected_revision: current, message } }));
  const release = detail.data?.release;
  const backwards = back.data?.map((one): PendingChange => ({ ...one, action: one.action === "add" ? "remove" : one.action === "remove" ? "add" : "change", changes: one.changes.map((key) => ({ path: key.path, before: key.after, after: key.before })) }));
  const backKeys = back.data?.reduce((total, one) => total + one.changes.length, 0);
  const others = [...new Set([revision - 2, revision - 3, revision - 5, revision - 10].filter((one) => one > 0))];
  return (
    <Pane
      side="right"
      width={456}
      title={<span className="k-mono">r{revision}</span>}
      note={release && <span className="k-row"><Person name={release.author} /> <Time at={release.created_at} />{release.approved_by && <> · {say("history.approvedBy", { name: release.approved_by })}</>}</span>}
      actions={<Button kind="quiet" size="small" icon="close" label={say("close")} onClick={onClose} />}
      foot={
        revision < current && (
          <>
            <span className="k-quiet">{backKeys === undefined ? "—" : say("history.backKeys", { count: backKeys })}</span>
            <span className="k-grow" />
            <Can verb="rollback" kind={life.protected_ ? "production" : "danger"} icon="undo" disabled={release?.gray !== undefined && release.gray !== "" && (release.action === "gray" || release.action === "gray_change")} reason={say("history.grayNoBack")} onClick={() => setAsking(true)}>
              {say(life.protected_ ? "history.backProduction" : "history.back", { revision })}
            </Can>
          </>
        )
      }
    >
      {detail.error && !detail.data ? (
        <Unread error={detail.error} title={say("history.unreadable")} onRetry={() => void detail.refetch()} />
      ) : !release ? (
        <Skeleton rows={6} />
      ) : (
        <>
          <div className="k-section k-stack">
            <p className="l-message">{release.message || <span className="k-quiet">{say("history.noMessage")}</span>}</p>
            <p className="k-row l-wrap"><Action release={release} /> {revision === everyone && <StatusTag hue="ok">{say("history.current")}</StatusTag>} {detail.data?.gray_rule && <GrayWords rule={detail.data.gray_rule} />}</p>
          </div>
          <Section
            title={say("history.compare")}
            note={newer > older ? `r${older} → r${newer}` : undefined}
            actions={
              <Choice
                aria-label={say("history.compareWith")}
                width={170}
                value={from}
                onChange={(next) => change({ from: next === "before" ? "" : next })}
                options={[{ value: "before", label: say("history.withBefore", { revision: revision - 1 }) }, ...(revision !== current ? [{ value: "current", label: say("history.withCurrent", { revision: current }) }] : []), ...[...others, ...(/^\d+$/.test(from) && !others.includes(Number(from)) ? [Number(from)] : [])].map((one) => ({ value: String(one), label: say("history.withRevision", { revision: one }) }))]}
              />
            }
          >
            <div className="l-view">{picker}</div>
            {changes.error ? (
              <Note hue="idle">{say("history.noCompare")} <code>{changes.error.code}</code></Note>
            ) : !changes.data ? (
              <Skeleton rows={4} />
            ) : changes.data.length === 0 ? (
              <p className="k-quiet">{say(release.gray ? "history.grayOnly" : "history.same")}</p>
            ) : (
              <div className="l-bleed"><ChangeSet changes={changes.data} view={view} from={{ before: older, after: newer }} /></div>
            )}
          </Section>
          {(detail.data?.gray_resources.length ?? 0) > 0 && (
            <Section title={say("gray.content")}><div className="l-bleed"><GrayDiff revision={revision} resources={release.changed.length > 0 && release.action === "gray" ? release.changed : (detail.data?.gray_resources ?? []).map((one) => [one.kind, one.name, "change"])} /></div></Section>
          )}
        </>
      )}
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title={say("history.back", { revision })}
        kind={life.protected_ ? "production" : "danger"}
        consequence={
          <>
            <strong>{say("history.makes", { next: current + 1, revision })}</strong> {say("history.numbers", { instances: say("units.instances", { count: reach?.total ?? "—" }), clusters: say("units.clusters", { count: reach?.by_cluster.length ?? "—" }), ...(back.data ? extent(back.data, say) : { changes: "—", resources: "—" }) })} {gray && say("history.endsGray", { revision: gray.revision, count: gray.instances.length })} {say("history.again")}
          </>
        }
        action={say(life.protected_ ? "history.backProduction" : "history.back", { revision })}
        {...(life.protected_ ? { typed: life.scope.application } : {})}
        busy={roll.isPending}
        error={<Refused error={roll.error} />}
        onConfirm={() => { void roll.mutateAsync(undefined).then((made) => { setAsking(false); change({ rev: String(made.revision), from: "" }); }, () => undefined); }}
      >
        {backwards && backwards.length > 0 && <div className="l-back"><ChangeSet changes={backwards} view="list" from={{ before: revision, after: current }} /></div>}
        <Field label={say("publish.message")}>{(ids) => <TextInput {...ids} value={message} onChange={setMessage} maxLength={2000} />}</Field>
      </Confirm>
    </Pane>
  );
}
