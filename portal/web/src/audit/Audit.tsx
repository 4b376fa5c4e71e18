import { useState, type KeyboardEvent, type ReactNode } from "react";
import { Link, useNavigate } from "react-router";
import { asCurl, call, failureOf, useDo, usePages, useRead, type AuditRecord, type Verification } from "../api";
import { Button, Choice, Empty, ErrorState, FilterBar, Forbidden, Glyph, Moment, NoMatch, Note, PageHead, Pane, Panes, Person, SavedViews, SearchInput, Skeleton, useLanguage, useWidthBelow } from "../kit";
import { useLate, useMay, usePage, useQueryState, useQueryStates, useScope, useText, useWhose } from "../shell";
import { Export } from "./Export";
import { Facts } from "./Facts";
import { dayOf, FILTERS, HUES, LIST, placeOf, RANGES, VERIFY, wantedOf } from "./trail";
import "./audit.css";

/** What happened, newest first: who did what where, what changed, and what was refused. */
export function Audit(): ReactNode {
  const say = useText("audit");
  const narrow = useWidthBelow(768);
  const scope = useScope();
  const whose = useWhose();
  const may = useMay();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const late = new URLSearchParams(useLate(query.toString(), 250));
  const wanted = wantedOf(late, scope, Date.now());
  const list = LIST(whose.tenant);
  const args = { path: { tenant: whose.tenant }, query: { ...wanted, limit: 100 } };
  const found = usePages(list, args as never);
  const row = Number(query.get("row") ?? 0);
  const inList = found.rows?.find((one) => one.seq === row);
  const alone = useRead(list, { path: { tenant: whose.tenant } as never, query: { after: row + 1, limit: 1 } as never }, { enabled: row > 0 && found.rows !== undefined && !inList });
  const open = inList ?? alone.data?.items.find((one) => one.seq === row);
  const filtered = FILTERS.some((name) => query.get(name)) || scope.environment !== "" || scope.center !== "";
  const clear = (): void => change({ ...Object.fromEntries(FILTERS.map((name) => [name, ""])), row: "" });
  const verify = useDo(() => call(VERIFY(whose.tenant), { path: { tenant: whose.tenant } as never }), []);
  const mayVerify = may("audit.chain:execute", whose.where);
  const title = say(whose.tenant ? "title" : "platformTitle");
  const flags = [["--actor", wanted.actor], ["--action", wanted.action], ["--outcome", wanted.outcome], ["--resource", wanted.resource]].filter(([, value]) => value).map(([flag, value]) => ` ${flag} ${value}`).join("");
  const siblings = found.rows ?? [];
  const step = (by: number): void => {
    const next = siblings[siblings.findIndex((one) => one.seq === row) + by];
    if (next) change({ row: String(next.seq) });
  };
  usePage({
    title,
    cli: `qiantang audit list ${whose.flag}${flags}`,
    api: asCurl(list, args),
    readAt: found.readAt,
    actions: [
      ...(mayVerify ? [{ key: "verify", label: say("verify"), run: () => verify.mutate(undefined) }] : []),
      { key: "previous", label: say("previous"), keys: "[", group: "view" as const, run: () => step(-1) },
      { key: "next", label: say("next"), keys: "]", group: "view" as const, run: () => step(1) },
    ],
  });
  const forbidden = found.error?.status === 403 || found.error?.status === 404;
  return (
    <>
      <PageHead
        title={title}
        note={say("note")}
        actions={
          <>
            <Export list={list} tenant={whose.tenant} wanted={wanted} disabled={!found.rows?.length} />
            <Button icon="audit" busy={verify.isPending} disabled={!mayVerify} reason={say("needs", { permission: "audit.chain:execute" })} onClick={() => verify.mutate(undefined)}>{say("verify")}</Button>
          </>
        }
      />
      <Filters scoped={[scope.environment, scope.center].filter(Boolean).join(" / ")} right={<>{found.rows && say("shown", { count: found.rows.length, more: found.more ? "+" : "" })}<SavedViews name="audit" query={query.toString()} onOpen={(saved) => void navigate(`?${saved}`)} /></>} />
      {(verify.data || verify.error) && (
        <div className="a-verified">
          {verify.error ? <ErrorState failure={failureOf(verify.error, say("notVerified"))} onRetry={() => verify.mutate(undefined)} /> : verify.data && <Verified result={verify.data} onClose={() => verify.reset()} />}
        </div>
      )}
      <Panes>
        {!(narrow && open) && <Pane label={title}>
          {forbidden ? (
            <Forbidden title={say("forbidden")}>{say("needs", { permission: "audit.record:list" })} {say("who")}</Forbidden>
          ) : found.error && !found.rows ? (
            <ErrorState failure={failureOf(found.error, say("unreadable"))} onRetry={found.again} />
          ) : !found.rows ? (
            <Skeleton rows={12} />
          ) : found.rows.length === 0 ? (
            filtered ? <NoMatch title={say("noMatch")} onClear={clear}>{scope.environment || scope.center ? say("scopedNone") : say("noMatchText")}</NoMatch> : <Empty title={say("none")} cli={`qiantang audit list ${whose.flag}`}>{say("noneText")}</Empty>
          ) : (
            <Timeline rows={found.rows} open={row} more={found.more} loadingMore={found.loadingMore} />
          )}
        </Pane>}
        {open && (
          <Pane side="right" width={440} title={<code>{open.action}</code>} actions={<Button kind="quiet" size="small" icon="close" label={say("close")} onClick={() => change({ row: "" })} />}>
            <Facts record={open} />
          </Pane>
        )}
      </Panes>
    </>
  );
}

function Filters({ right, scoped }: { right: ReactNode; scoped: string }): ReactNode {
  const say = useText("audit");
  const [query, change] = useQueryStates();
  const [action, setAction] = useQueryState("action");
  const [resource, setResource] = useQueryState("resource");
  const [application, setApplication] = useQueryState("application");
  const [request, setRequest] = useQueryState("request");
  const range = query.get("range") ?? (query.get("since") || query.get("until") ? "own" : "");
  const [own, setOwn] = useState(false);
  return (
    <FilterBar right={right}>
      <SearchInput value={action} onChange={setAction} label={say("filter.action")} width={170} />
      <ActorChoice value={query.get("actor") ?? ""} onChange={(actor) => change({ actor })} />
      <Choice aria-label={say("filter.outcome")} value={query.get("outcome") ?? ""} onChange={(outcome) => change({ outcome })} width={120} options={[{ value: "", label: say("filter.anyOutcome") }, ...["allow", "deny", "error"].map((one) => ({ value: one, label: say(`outcome.${one}`) }))]} />
      <SearchInput value={resource} onChange={setResource} label={say("filter.resource")} width={140} keys="" />
      <SearchInput value={application} onChange={setApplication} label={say("filter.application")} width={120} keys="" />
      <SearchInput value={request} onChange={setRequest} label={say("filter.request")} width={120} keys="" />
      <Choice
        aria-label={say("filter.time")}
        value={own ? "own" : range}
        onChange={(next) => {
          setOwn(next === "own");
          if (next !== "own") change({ range: next, since: "", until: "" });
          else change({ range: "" });
        }}
        width={130}
        options={[{ value: "", label: say("filter.anyTime") }, ...Object.keys(RANGES).map((one) => ({ value: one, label: say(`range.${one}`) })), { value: "own", label: say("range.own") }]}
      />
      {(own || range === "own") && (
        <span className="k-row a-moments">
          <Moment aria-label={say("filter.since")} value={Number(query.get("since")) || null} onChange={(at) => change({ since: at ? String(at) : "" })} />
          <Moment aria-label={say("filter.until")} value={Number(query.get("until")) || null} onChange={(at) => change({ until: at ? String(at) : "" })} />
        </span>
      )}
      {scoped && <span className="k-quiet">{say("scoped", { scope: scoped })}</span>}
    </FilterBar>
  );
}

/** Who did it: found among the users by typing; what is no user comes from a link. */
function ActorChoice({ value, onChange }: { value: string; onChange: (actor: string) => void }): ReactNode {
  const say = useText("audit");
  const whose = useWhose();
  const may = useMay();
  const [typed, setTyped] = useState("");
  const late = useLate(typed, 200);
  const listed = may("identity.user:list", whose.where);
  const operation = whose.tenant ? ("GET /api/v1/identity/tenants/{tenant}/users" as const) : ("GET /api/v1/identity/users" as const);
  const found = useRead(operation, { path: { tenant: whose.tenant } as never, query: { words: late, limit: 30 } as never }, { keep: true, enabled: listed });
  const options = [{ value: "", label: say("filter.anyone"), text: "" }, ...(found.data?.items ?? []).map((one) => ({ value: one.id, label: one.name, text: one.name }))];
  if (value && !options.some((one) => one.value === value)) options.push({ value, label: value.slice(0, 12), text: value });
  return <Choice aria-label={say("filter.actor")} value={value} onChange={onChange} onSearch={setTyped} width={120} options={options} loading={found.isFetching} />;
}

function Verified({ result, onClose }: { result: Verification; onClose: () => void }): ReactNode {
  const say = useText("audit");
  const count = result.last >= result.first ? result.last - result.first + 1 : 0;
  return (
    <Note
      hue={result.intact ? "ok" : "bad"}
      title={result.intact ? say(count === 0 ? "verified.empty" : "verified.intact", { count: count.toLocaleString("en-US") }) : say("verified.broken", { at: result.broken_at })}
      actions={<Button kind="quiet" size="small" icon="close" label={say("close")} onClick={onClose} />}
    >
      {result.intact ? (
        <>{say("verified.range", { first: result.first, last: result.last })} {say("verified.anchor")} <code className="a-hash">{result.hash}</code></>
      ) : (
        <>{result.reason} {say("verified.good", { first: result.first, last: Math.max(result.first, result.broken_at - 1) })}</>
      )}
    </Note>
  );
}

/** The records, by day. Each is a link: it opens beside them. */
function Timeline({ rows, open, more, loadingMore }: { rows: AuditRecord[]; open: number; more: (() => void) | undefined; loadingMore: boolean }): ReactNode {
  const say = useText("audit");
  const language = useLanguage();
  const days: { day: string; rows: AuditRecord[] }[] = [];
  for (const one of rows) {
    const day = dayOf(one.at);
    if (days[days.length - 1]?.day === day) days[days.length - 1]?.rows.push(one);
    else days.push({ day, rows: [one] });
  }
  const move = (event: KeyboardEvent<HTMLElement>): void => {
    const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (by === undefined || event.metaKey || event.ctrlKey) return;
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>("a[data-row]")];
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
    event.preventDefault();
  };
  return (
    <div className="a-timeline" onKeyDown={move}>
      {days.map((one) => (
        <section key={one.day}>
          <div className="k-group-head">
            <h2>{dayName(one.rows[0]?.at ?? 0, language)}</h2>
            <span className="k-count">{one.rows.length}{more && one === days[days.length - 1] ? "+" : ""}</span>
            {one.rows.some((record) => record.outcome !== "allow") && <span>{say("refused", { count: one.rows.filter((record) => record.outcome !== "allow").length })}</span>}
          </div>
          <ul>
            {one.rows.map((record) => <Line key={record.seq} record={record} open={record.seq === open} />)}
          </ul>
        </section>
      ))}
      <div className="k-table-foot">
        {more ? <Button size="small" busy={loadingMore} onClick={more}>{say("older")}</Button> : <span>{say("beginning")}</span>}
      </div>
    </div>
  );
}

function dayName(at: number, language: string): string {
  const locale = language === "zh" ? "zh-CN" : "en-GB";
  const days = Math.round((new Date(dayOf(Date.now())).getTime() - new Date(dayOf(at)).getTime()) / 86_400_000);
  const full = new Intl.DateTimeFormat(locale, { weekday: "long", year: "numeric", month: "long", day: "numeric" }).format(at);
  return days > 1 ? full : `${new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-days, "day")} · ${full}`;
}

function Line({ record, open }: { record: AuditRecord; open: boolean }): ReactNode {
  const say = useText("audit");
  const [query] = useQueryStates();
  const next = new URLSearchParams(query);
  next.set("row", String(record.seq));
  const refused = record.outcome !== "allow";
  return (
    <li className={`a-line${open ? " a-open" : ""}${refused ? " a-refused" : ""}`}>
      <Link to={`?${next.toString()}`} replace data-row={record.seq} aria-current={open ? "true" : undefined} aria-label={`${record.action}, ${record.actor_name || record.actor_kind}, ${say(`outcome.${record.outcome}`)}`} />
      <time className="a-time" dateTime={new Date(record.at).toISOString()} title={new Date(record.at).toISOString()}>{clock(record.at)}</time>
      <span className="a-what">
        <Glyph hue={HUES[record.outcome] ?? "idle"} />
        <code className="k-ellipsis" title={record.action}>{record.action}</code>
        {record.count > 1 && <span className="k-quiet">×{record.count.toLocaleString("en-US")}</span>}
      </span>
      <span className="a-who"><Person name={record.actor_name || record.actor_kind} /></span>
      <span className="a-resource k-ellipsis" title={record.resource}>{refused ? <span className="a-reason" title={record.reason}>{record.reason || say(`outcome.${record.outcome}`)}</span> : <code>{record.resource || "—"}</code>}</span>
      <code className="a-place k-ellipsis" title={placeOf(record)}>{placeOf(record)}</code>
    </li>
  );
}

const clock = (at: number): string => {
  const moment = new Date(at);
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
};
