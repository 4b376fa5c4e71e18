import { useCallback, useDeferredValue, useMemo, useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, failureOf, usePages, type CheckResult, type Convergence, type Difference, type EffectiveView, type LocatedProblem, type Operation, type Release, type ResourceSummary } from "../api";
import { Button, Confirm, Empty, ErrorState, FilterBar, Glyph, Menu, NoMatch, Note, Pane, Panes, Pick, Reading, SearchInput, Skeleton, StatusTag, useWidthBelow } from "../kit";
import { argumentsOf, Conflicting, LifeBar, lifeCall, Refused, Unread, useLife, useLifeRead, useReason, type Bar } from "../life";
import { usePage, useQueryStates, useText, type PageAction, useGoOn } from "../shell";
import { Secret } from "../kit/parts";
import { isSealed, maskOf, originOf, rowsOf, withItem, type Body, type Item, type KeyRow, type OriginPlace } from "./body";
import { NewKey, NewNamespace, RemoveNamespace, Settings } from "./Dialogs";
import { useNamespace, type Change } from "./draft";
import { KeyTable, plainOf } from "./KeyTable";
import { Namespaces } from "./Namespaces";
import { toNamespace } from "./place";
import { RowEditor } from "./RowEditor";
import { Side } from "./Side";
import { Source } from "./Source";

const FILTERS = ["", "changed", "secret", "covers", "bad"] as const;

export interface EditorProps {
  name: string;
  bar: Bar;
}

/** The editor of an application's settings: namespaces, keys, and what stands behind the one that is chosen. */
export function Editor({ name, bar }: EditorProps): ReactNode {
  const say = useText("config");
  const life = useLife();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const list = usePages<Operation, ResourceSummary>(life.operation("GET", "/namespaces"), { ...argumentsOf(life), query: { limit: 500 } } as never, { topics: life.topics });
  const drafts = useLifeRead<Difference>("/drafts");
  const effective = useLifeRead<EffectiveView>("/effective", { query: { cluster: "default" } });
  const check = useLifeRead<CheckResult>("/check", {}, { method: "POST", enabled: (drafts.data?.pending.length ?? 0) > 0 });
  const reason = useReason("update");
  const rows = list.rows;
  const first = rows?.[0]?.name;
  const active = name || first || "";
  const making = query.get("new") === "namespace";
  useGoOn(!name && first ? toNamespace(life.scope, first) + window.location.search : undefined);
  if (list.error && !rows) return <><LifeBar active="edit" {...bar} /><Unread error={list.error} title={say("unreadable")} onRetry={list.again} /></>;
  const problems = (drafts.data?.pending.length ?? 0) > 0 ? (check.data?.problems ?? []) : [];
  const left = (
    <Namespaces rows={rows ?? []} active={active} drafts={drafts.data} effective={effective.data} problems={problems} selected={query.get("key") ?? ""} reason={reason} onNew={() => change({ new: "namespace" })} />
  );
  return (
    <>
      {rows === undefined ? (
        <>
          <LifeBar active="edit" {...bar} />
          <Skeleton rows={10} />
        </>
      ) : rows.length === 0 ? (
        <>
          <LifeBar active="edit" {...bar} />
          <Empty
            title={say("empty.title", { name: life.scope.application })}
            cli={life.cli("set", "application KEY=VALUE") ?? ""}
            actions={
              <>
                <Button kind="primary" icon="plus" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => change({ new: "namespace" })}>{say("namespaces.new")}</Button>
                <Button icon="upload" to={life.to("transfer")}>{say("empty.import")}</Button>
              </>
            }
          >
            {say("empty.text")}
          </Empty>
        </>
      ) : (
        <Namespace key={active} name={active} siblings={rows.map((row) => row.name)} left={left} bar={bar} effective={effective.data} problems={problems} checked={check.data} checking={check.isFetching} pending={drafts.data} />
      )}
      <NewNamespace
        open={making}
        onClose={() => change({ new: "" })}
        onMade={(made) => void navigate(toNamespace(life.scope, made))}
      />
    </>
  );
}

interface NamespaceProps {
  name: string;
  siblings: string[];
  left: ReactNode;
  bar: EditorProps["bar"];
  effective: EffectiveView | undefined;
  problems: LocatedProblem[];
  checked: CheckResult | undefined;
  checking: boolean;
  pending: Difference | undefined;
}

/** One namespace: its keys as rows or its text. */
function Namespace(props: NamespaceProps): ReactNode {
  const { name, siblings, left, bar, effective, problems, checked, checking, pending } = props;
  const say = useText("config");
  const life = useLife();
  const navigate = useNavigate();
  const narrow = useWidthBelow(1200);
  const [query, change] = useQueryStates();
  const edited = useNamespace(name);
  const { detail, body } = edited;
  const reason = useReason("update");
  const revealReason = useReason("reveal");
  const reach = useLifeRead<Convergence>("/convergence").data;
  const releases = usePages<Operation, Release>(life.operation("GET", "/releases"), { ...argumentsOf(life), query: { limit: 50 } } as never, { topics: life.topics });
  const [dialog, setDialog] = useState<"settings" | "remove" | "discard" | "key" | null>(null);
  const [dirty, setDirty] = useState(false);
  const [fresh, setFresh] = useState(0);
  const words = query.get("q") ?? "";
  const late = useDeferredValue(words);
  const key = query.get("key") ?? "";
  const filter = query.get("show") ?? "";
  const editing = query.get("edit") === "1";
  const table = body?.format === "properties";
  const source = !table || query.get("mode") === "source";
  const own = useMemo(() => problems.filter((one) => one.name === name), [problems, name]);
  const values = useMemo(() => (name.includes("@") ? [] : effective?.values.filter((one) => one.namespace === name)), [effective, name]);
  const rows = useMemo(() => (table ? rowsOf(detail?.published as Body, detail?.state === "removed" ? null : body, values) : []), [table, detail, body, values]);
  const bad = useMemo(() => new Set(own.map((one) => keyAt(one.path, rows))), [own, rows]);
  const texts = useMemo(() => new Map(rows.map((row) => [row.key, `${row.key} ${row.item && !isSealed(row.item.value) ? row.item.value : ""} ${row.inherited && !row.inherited.secret ? String(row.inherited.value) : ""}`.toLowerCase()])), [rows]);
  const shown = useMemo(() => {
    const wanted = late.toLowerCase().split(/\s+/).filter(Boolean);
    return rows.filter((row) => {
      if (filter === "changed" && (row.state === "same" || row.state === "inherited")) return false;
      if (filter === "secret" && !isSealed((row.item ?? row.before)?.value) && !row.inherited?.secret) return false;
      if (filter === "covers" && !row.covers) return false;
      if (filter === "bad" && !bad.has(row.key)) return false;
      if (wanted.length === 0) return true;
      const text = texts.get(row.key) ?? "";
      return wanted.every((word) => text.includes(word));
    });
  }, [rows, texts, late, filter, bad]);
  const origins = useMemo(() => originsOf(values, rows, life.scope, name, detail?.revision ?? 0), [values, rows, life.scope, name, detail]);
  const row = rows.find((one) => one.key === key);
  const problem = own.find((one) => keyAt(one.path, rows) === key);
  const at = siblings.indexOf(name);
  const changed = detail !== undefined && detail.state !== "published";
  const removed = detail?.state === "removed";

  const saveItem = (where: string, item: Item | null, seen?: { item: Item | undefined }): void => {
    const edit: Change = {
      what: where,
      mine: item ? plainOf(item.value && isSealed(item.value) ? { value: { $secret: { mask: "" } } } : item) : say("side.removed"),
      theirs: (over) => plainOf(over?.items?.[where]),
      ...(seen ? { seen: plainOf(seen.item) } : {}),
      apply: (over) => withItem(over, where, item),
    };
    void edited.save(edit).then((saved) => saved && change({ edit: "", key: where }));
  };
  const restore = (one: KeyRow): void => saveItem(one.key, one.before ?? null);
  const leave = useCallback((): void => change({ edit: "" }), [change]);
  const reveal = async (drafted: boolean): Promise<Body | null> => (await lifeCall<{ body: Body | null }>(life, "GET", "/namespaces/{name}/revealed", { path: { name }, query: { draft: drafted } })).body;
  const jump = (): void => {
    const next = problems[(problems.findIndex((one) => one.name === name && keyAt(one.path, rows) === key) + 1) % Math.max(1, problems.length)];
    if (!next) return;
    const to = next.name === name ? keyAt(next.path, rows) : next.path.split("#")[0];
    void navigate(`${toNamespace(life.scope, next.name, to)}&edit=1`);
  };
  const sibling = (step: number): void => {
    const next = siblings[at + step];
    if (next) void navigate(toNamespace(life.scope, next));
  };
  const actions: PageAction[] = [
    { key: "edit", label: say("editor.edit"), keys: "e", run: () => (row && table && !source ? change({ edit: "1" }) : change({ mode: "source" })), group: "edit" },
    { key: "diff", label: say("editor.diff"), keys: "d", run: () => void navigate(life.to("diff")), group: "edit" },
    { key: "publish", label: say("editor.publish"), keys: "p", run: () => void navigate(life.to("publish")), group: "edit" },
    { key: "check", label: say("editor.check"), keys: "k", run: jump, group: "edit" },
    { key: "error", label: say("problems.jump"), keys: "F8", run: jump, group: "edit" },
    { key: "history", label: say("editor.history"), keys: "h", run: () => void navigate(life.to("history")), group: "go" },
    ...(table ? [{ key: "mode", label: source ? say("editor.table") : say("editor.source"), keys: "v", run: () => change({ mode: source ? "" : "source", edit: "" }), group: "view" as const }] : []),
    ...(table && !reason ? [{ key: "key", label: say("keys.new"), keys: "n", run: () => setDialog("key"), group: "edit" as const }] : []),
    { key: "before", label: say("editor.before"), keys: "[", run: () => sibling(-1), group: "list" },
    { key: "next", label: say("editor.next"), keys: "]", run: () => sibling(1), group: "list" },
  ];
  usePage({
    title: `${life.scope.application} · ${name}`,
    cli: life.cli(changed ? "diff" : "get", changed ? "" : name) ?? "",
    api: asCurl(life.operation("GET", "/namespaces/{name}"), { path: { ...life.scope, name } }),
    readAt: edited.readAt,
    actions,
  });
  const menu = (
    <Menu
      label={say("more")}
      items={[
        { key: "settings", label: say("settings.title"), icon: "settings", disabled: reason !== undefined || !body, onSelect: () => setDialog("settings") },
        { key: "export", label: say("transfer.exportOne"), icon: "download", onSelect: () => void navigate(`${life.to("transfer")}?namespace=${encodeURIComponent(name)}`) },
        ...(changed ? [{ key: "discard", label: say("discard.title"), icon: "undo" as const, disabled: reason !== undefined, onSelect: () => setDialog("discard") }] : []),
        "line" as const,
        { key: "remove", label: say("remove.menu"), danger: true, disabled: reason !== undefined || removed === true, onSelect: () => setDialog("remove") },
      ]}
    />
  );
  const counts = useMemo(() => ({ changed: rows.filter((one) => one.state !== "same" && one.state !== "inherited").length, secret: rows.filter((one) => isSealed((one.item ?? one.before)?.value) || one.inherited?.secret).length, covers: rows.filter((one) => one.covers).length, bad: bad.size }), [rows, bad]);
  const editor = row && (
    <RowEditor
      key={row.key}
      keyName={row.key}
      item={row.item ?? (row.inherited ? { value: typeof row.inherited.value === "string" ? row.inherited.value : JSON.stringify(row.inherited.value) } : row.before)}
      problem={problem?.message}
      line={problem?.line || undefined}
      column={problem?.column || undefined}
      saving={edited.saving}
      reason={reason}
      revealReason={revealReason}
      reveal={revealReason ? undefined : async () => { const found = (await reveal(changed))?.items?.[row.key]?.value; return isSealed(found) ? (found.$secret.value ?? "") : (found ?? null); }}
      onSave={(item, seen) => saveItem(row.key, item, row.item ? { item: seen } : undefined)}
      onLeave={leave}
    />
  );
  return (
    <>
      <LifeBar
        active="edit"
        {...bar}
        actions={
          <>
            {changed && <StatusTag boxed hue={removed ? "bad" : "info"}>{removed ? say("state.removed") : detail.state === "new" ? say("state.new") : say("state.changed", { count: pending?.pending.find((one) => one.name === name)?.changes.length ?? 0 })}</StatusTag>}
            {table && <Pick label={say("editor.mode")} value={source ? "source" : "table"} onChange={(next) => change({ mode: next === "source" ? "source" : "", edit: "" })} options={[{ value: "table", label: say("editor.table") }, { value: "source", label: say("editor.source") }]} />}
            {menu}
          </>
        }
      />
      <Panes>
        {left}
        <Pane label={name} foot={<Checks problems={problems} checked={checked} checking={checking} pending={pending} dirty={dirty} onJump={jump} />}>
          {edited.error && !detail ? (
            edited.error.status === 404 ? (
              <Empty title={say("missing.title", { name })} actions={<Button to={life.to()}>{say("missing.back")}</Button>}>{say("missing.text")}</Empty>
            ) : (
              <ErrorState failure={failureOf(edited.error, say("unreadable"))} onRetry={edited.again} />
            )
          ) : !detail || !body ? (
            <Reading />
          ) : (
            <div className="c-middle">
              {removed && <Note hue="bad" title={say("state.removed")} actions={<Button size="small" icon="undo" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => void edited.discard()}>{say("remove.undo")}</Button>}>{say("remove.pending")}</Note>}
              {edited.refused && <Refused error={edited.refused} />}
              {source ? (
                <Source key={fresh} name={name} body={body} readOnly={reason !== undefined || removed === true} reason={reason} saving={edited.saving} problems={own} reveal={revealReason ? undefined : () => reveal(changed)} revealReason={revealReason} onSave={edited.save} onDirty={setDirty} />
              ) : (
                <>
                  <FilterBar
                    right={
                      <>
                        <span>{say("keys.count", { count: shown.length })}</span>
                        <Button size="small" icon="plus" keys="N" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => setDialog("key")}>{say("keys.new")}</Button>
                      </>
                    }
                  >
                    <SearchInput value={words} onChange={(next) => change({ q: next })} label={say("keys.filter")} width={220} />
                    {FILTERS.slice(1).map((one) => {
                      const count = counts[one as keyof typeof counts];
                      return count > 0 || filter === one ? <Button key={one} size="small" kind="quiet" pressed={filter === one} onClick={() => change({ show: filter === one ? "" : one })}>{say(`keys.${one}`)} {count}</Button> : null;
                    })}
                  </FilterBar>
                  {shown.length === 0 ? (
                    rows.length === 0 ? (
                      <Empty title={say("keys.none")} cli={life.cli("set", `${name} KEY=VALUE`) ?? ""} actions={<Button kind="primary" icon="plus" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => setDialog("key")}>{say("keys.new")}</Button>}>{say("keys.noneText")}</Empty>
                    ) : (
                      <NoMatch title={say("keys.noMatch")} onClear={() => change({ q: "", show: "" })}>{say("keys.noMatchText")}</NoMatch>
                    )
                  ) : (
                    <KeyTable rows={shown} words={late} selected={key} editing={editing && row !== undefined} origins={origins} bad={bad} own={life.scope} onSelect={(next) => next !== key && change({ key: next, edit: "" })} onEdit={(next) => change({ key: next, edit: "1" })} editor={editor} />
                  )}
                </>
              )}
            </div>
          )}
        </Pane>
        {row && !source && !(narrow && editing) && (
          <Side
            row={row}
            namespace={name}
            releases={releases.rows}
            problem={problem?.message}
            onClose={() => change({ key: "", edit: "" })}
            actions={
              <>
                <Button size="small" icon="edit" keys="E" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => change({ edit: "1" })}>{row.state === "inherited" ? say("keys.override") : say("editor.edit")}</Button>
                {row.item && <Button size="small" kind="danger" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => saveItem(row.key, null)}>{say("keys.delete")}</Button>}
                {(row.state === "change" || row.state === "remove" || row.state === "add") && <Button size="small" icon="undo" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => restore(row)}>{say("keys.restore")}</Button>}
                {isSealed((row.item ?? row.before)?.value) && (
                  <Secret
                    key={row.key}
                    label={row.key}
                    hash={maskOf((row.item ?? row.before)?.value)}
                    {...(revealReason ? { reason: revealReason } : { onReveal: async () => { const found = (await reveal(changed && row.item !== undefined))?.items?.[row.key]?.value; return isSealed(found) ? (found.$secret.value ?? "") : String(found ?? ""); } })}
                  />
                )}
              </>
            }
          />
        )}
      </Panes>
      {body && <Settings open={dialog === "settings"} covered={edited.conflict !== null} body={body} saving={edited.saving} refused={edited.refused} onClose={() => setDialog(null)} onSave={(apply, began) => void edited.save({ apply, what: say("settings.title"), mine: settingsOf(apply(body)), seen: settingsOf(began), theirs: settingsOf }).then((saved) => saved && setDialog(null))} />}
      <NewKey open={dialog === "key"} taken={(one) => rows.some((other) => other.key === one && other.item !== undefined)} onClose={() => setDialog(null)} onMade={(made, item) => { setDialog(null); saveItem(made, item); }} />
      <RemoveNamespace name={name} open={dialog === "remove"} reach={reach} keys={rows.filter((one) => one.item).length} busy={edited.saving} onClose={() => setDialog(null)} onConfirm={() => void edited.remove().then(() => setDialog(null))} />
      <Confirm
        open={dialog === "discard"}
        onClose={() => setDialog(null)}
        title={say("discard.title")}
        consequence={say("discard.numbers", { count: pending?.pending.find((one) => one.name === name)?.changes.length ?? 0, name: detail?.edited_by || "—" })}
        action={say("discard.action")}
        busy={edited.saving}
        onConfirm={() => void edited.discard().then(() => { setDialog(null); if (detail?.state === "new") void navigate(life.to()); })}
      />
      <Conflicting conflict={dialog && dialog !== "settings" ? null : edited.conflict} busy={edited.saving} onSettle={(how) => void edited.settle(how).then((done) => { if (how === "theirs") setFresh(fresh + 1); if (!done || how === "later") return; setDialog(null); change({ edit: "" }); })} />
    </>
  );
}

function Checks({ problems, checked, checking, pending, dirty, onJump }: { problems: LocatedProblem[]; checked: CheckResult | undefined; checking: boolean; pending: Difference | undefined; dirty: boolean; onJump: () => void }): ReactNode {
  const say = useText("config");
  const life = useLife();
  const first = problems[0];
  const drafts = pending?.pending.length ?? 0;
  return (
    <>
      {drafts === 0 ? (
        <span className="k-quiet">{say("problems.noDrafts")}</span>
      ) : first ? (
        <>
          <StatusTag hue="bad">{say("problems.found", { count: problems.length })}</StatusTag>
          <span className="k-mono k-ellipsis c-problem">{first.name} {first.path}</span>
          <span className="k-ellipsis c-problem">{first.line > 0 && say("problems.at", { line: first.line, column: first.column })} {first.message}</span>
          <Button size="small" keys="F8" onClick={onJump}>{say("problems.jump")}</Button>
        </>
      ) : checked ? (
        <StatusTag hue="ok">{say("problems.none", { count: drafts })}</StatusTag>
      ) : (
        <span className="k-quiet">{checking ? say("problems.checking") : say("problems.unknown")}</span>
      )}
      <span className="k-grow" />
      {dirty && <span><Glyph hue="warn" /> {say("source.unsaved")}</span>}
      {life.protected_ && <span className="k-quiet">{say("protected")}</span>}
    </>
  );
}

/** The settings of a namespace as text, without what it holds. */
const settingsOf = (body: Body | null): string => JSON.stringify({ ...body, items: undefined, document: undefined }, null, 2);

/** Find the row that a path of a problem is in: the key itself, or the one above it. */
function keyAt(path: string, rows: KeyRow[]): string {
  const plain = path.replace(/^items\./, "").split("#")[0] ?? "";
  if (rows.some((row) => row.key === plain)) return plain;
  const above = rows.filter((row) => plain.startsWith(`${row.key}.`)).sort((one, other) => other.key.length - one.key.length)[0];
  return above?.key ?? plain;
}

function originsOf(values: EffectiveView["values"] | undefined, rows: KeyRow[], scope: { center: string; application: string }, name: string, revision: number): Map<string, OriginPlace> {
  const found = new Map<string, OriginPlace>();
  const [namespace = "", cluster = ""] = name.split("@");
  const said = new Map((values ?? []).map((one) => [one.key, one.origin]));
  for (const row of rows) {
    const origin = row.inherited ? originOf(row.inherited.origin) : originOf(said.get(row.key) ?? "");
    if (origin) found.set(row.key, origin);
    else if (row.before) found.set(row.key, { center: scope.center, application: scope.application, namespace, cluster, revision });
  }
  return found;
}

