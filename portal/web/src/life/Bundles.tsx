import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, failureOf, topics, usePages, useRead, type BundleRow, type CenterPage } from "../api";
import { Choice, DataTable, Empty, EnvTag, ErrorState, Facts, FilterBar, Forbidden, NoMatch, PageHead, Peek, Person, Pick, Ref, SavedViews, SearchInput, StatusTag, Time, Button, type Column } from "../kit";
import { at, Marked, useLate, useMay, usePage, useProtected, useQueryStates, useScope, useText, type Scope } from "../shell";
import { Applied, Rev } from "./Parts";
import "./life.css";

const STATES = ["", "drafts", "requests", "gray", "failing", "behind"] as const;
const LIST = "GET /api/v1/bundles/{tenant}";

const keyOf = (row: BundleRow): string => `${row.bundle.scope.environment}/${row.bundle.scope.center}/${row.bundle.scope.application}`;

/** What one capability has released over all applications: where each stands, and what waits. */
export function Bundles(props: {
  capability: string;
  permission: string;
  title: string;
  note?: string;
  cli?: string;
  to: (scope: Scope, ...rest: string[]) => string;
  actions?: ReactNode;
}): ReactNode {
  const { capability, permission, title, note, cli, to, actions } = props;
  const say = useText("life");
  const scope = useScope();
  const may = useMay();
  const protects = useProtected();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const words = query.get("words") ?? "";
  const state = query.get("state") ?? "";
  const late = useLate(words, 200);
  const allowed = may(permission, { tenant: scope.tenant, environment: scope.environment });
  const args = { path: { tenant: scope.tenant }, query: { environment: scope.environment, center: scope.center, capability, words: late, state: state as never, limit: 100 } };
  const found = usePages(LIST, args, { topics: [topics.bundles(scope.tenant)], enabled: allowed });
  const centers = useRead("GET /api/v1/identity/tenants/{tenant}/centers", { path: { tenant: scope.tenant }, query: { limit: 200 } });
  usePage({ title, ...(cli ? { cli } : {}), api: asCurl(LIST, args), readAt: found.readAt });
  const peek = query.get("peek") ?? "";
  const open = found.rows?.find((row) => keyOf(row) === peek);
  const filtered = words !== "" || state !== "" || scope.center !== "";
  const clear = (): void => change({ words: "", state: "", center: "" });
  const columns: Column<BundleRow>[] = [
    { key: "application", title: say("columns.application"), names: true, width: 240, render: (row) => <Ref mono title={row.bundle.scope.application} name={<Marked text={row.bundle.scope.application} words={late} />} kind={row.bundle.scope.center} to={to(row.bundle.scope)} /> },
    ...(scope.environment ? [] : [{ key: "environment", title: say("columns.environment"), width: 110, render: (row: BundleRow) => <EnvTag name={row.bundle.scope.environment} protected_={protects(row.bundle.scope.environment)} /> }]),
    { key: "revision", title: say("columns.revision"), width: 80, align: "right", render: (row) => <Rev at={row.position} /> },
    { key: "instances", title: say("columns.instances"), width: 150, render: (row) => <Applied current={row.current} total={row.instances} failed={row.failed} /> },
    { key: "waiting", title: say("columns.waiting"), width: 230, render: (row) => <Waiting row={row} /> },
    { key: "by", title: say("columns.by"), width: 130, render: (row) => <Person name={row.published_by} /> },
    { key: "at", title: say("columns.at"), width: 110, render: (row) => <Time at={row.published_at} /> },
    { key: "message", title: say("columns.message"), render: (row) => <span className="l-clip" title={row.message}>{row.message || <span className="k-quiet">—</span>}</span> },
  ];
  const error = found.error && !found.rows ? found.error : null;
  return (
    <>
      <PageHead title={title} note={note} actions={actions} />
      <FilterBar
        right={
          <>
            {found.rows && <span>{say("applications", { count: found.rows.length })}{found.more ? "+" : ""}</span>}
            <SavedViews name={`bundles:${capability}`} query={query.toString()} onOpen={(saved) => void navigate(`?${saved}`)} />
          </>
        }
      >
        <SearchInput value={words} onChange={(next) => change({ words: next })} label={say("filterApplications")} />
        <Choice
          aria-label={say("columns.center")}
          width={150}
          value={scope.center}
          onChange={(next) => change({ center: next })}
          options={[{ value: "", label: say("everyCenter") }, ...((centers.data as CenterPage | undefined)?.items ?? []).map((one) => ({ value: one.name, label: one.name }))]}
        />
        <Pick label={say("columns.state")} value={state as (typeof STATES)[number]} onChange={(next) => change({ state: next })} options={STATES.map((one) => ({ value: one, label: say(`states.${one || "all"}`) }))} />
      </FilterBar>
      {!allowed || error?.status === 403 || error?.status === 404 ? (
        <Forbidden title={say("forbidden")}>{say("needs", { permission, place: scope.tenant })}</Forbidden>
      ) : error ? (
        <ErrorState failure={failureOf(error, say("unreadable"))} onRetry={found.again} />
      ) : (
        <DataTable
          label={title}
          name={`bundles:${capability}`}
          rows={found.rows}
          rowKey={keyOf}
          rowName={(row) => row.bundle.scope.application}
          columns={columns}
          onOpen={(row) => change({ peek: keyOf(row) })}
          openKey={peek}
          onMore={found.more}
          loadingMore={found.loadingMore}
          empty={
            filtered ? (
              <NoMatch title={say("noMatch")} onClear={clear}>{say("noMatchText")}</NoMatch>
            ) : (
              <Empty title={say("emptyList.title")} actions={<Button kind="primary" icon="apps" to={at(scope, "apps")}>{say("emptyList.action")}</Button>} {...(cli ? { cli } : {})}>
                {say("emptyList.text")}
              </Empty>
            )
          }
        />
      )}
      <Peek
        open={open !== undefined}
        onClose={() => change({ peek: "" })}
        title={<span className="k-mono">{open?.bundle.scope.application}</span>}
        foot={open && <Button kind="primary" to={to(open.bundle.scope)}>{say("open")}</Button>}
      >
        {open && (
          <div className="k-stack">
            <Facts
              items={[
                [say("columns.environment"), <EnvTag key="e" name={open.bundle.scope.environment} protected_={protects(open.bundle.scope.environment)} />],
                [say("columns.center"), <code key="c">{open.bundle.scope.center}</code>],
                [say("columns.revision"), <Rev key="r" at={open.position} />],
                [say("columns.instances"), <Applied key="i" current={open.current} total={open.instances} failed={open.failed} />],
                [say("columns.waiting"), <Waiting key="w" row={open} />],
                [say("columns.by"), <Person key="p" name={open.published_by} />],
                [say("columns.at"), <Time key="t" at={open.published_at} exact />],
                [say("columns.message"), open.message || "—"],
              ]}
            />
            <span className="k-row l-wrap">
              <Button to={to(open.bundle.scope, "diff")} icon="diff">{say("diff.title")}</Button>
              <Button to={to(open.bundle.scope, "history")} icon="history">{say("history.title")}</Button>
              <Button to={to(open.bundle.scope, "requests")} icon="clock">{say("requests.title")}</Button>
            </span>
          </div>
        )}
      </Peek>
    </>
  );
}

function Waiting({ row }: { row: BundleRow }): ReactNode {
  const say = useText("life");
  const none = !row.drafts && !row.requests && !row.gray;
  if (none) return <span className="k-quiet">—</span>;
  return (
    <span className="k-row">
      {row.gray ? <StatusTag hue="info" running>{say("waiting.gray")}</StatusTag> : null}
      {row.requests > 0 && <StatusTag hue="warn">{say("waiting.requests", { count: row.requests })}</StatusTag>}
      {row.drafts > 0 && <StatusTag hue="info">{say("waiting.drafts", { count: row.drafts })}</StatusTag>}
    </span>
  );
}
