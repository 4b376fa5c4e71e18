import { useEffect, useState, type ReactNode } from "react";
import { Link, useNavigate } from "react-router";
import { asCurl, failureOf, useDo, usePages, type CheckResult, type Convergence, type Difference, type KindInfo, type Operation, type ResourceDetail, type ResourceSummary } from "../api";
import { Button, Choice, Confirm, Dialog, Empty, ErrorState, Facts, Field, Glyph, Icon, Mark, Menu, Note, Pane, Panes, Person, Reading, SearchInput, Section, Skeleton, StatusTag, TextInput, Time, type MarkKind } from "../kit";
import { initialValue, TextDiff, Twin } from "../kit/parts";
import { argumentsOf, Can, Conflicting, LifeBar, lifeCall, lifeSend, Refused, Rev, Unread, useLife, useLifeRead, useReason, useResource, type Bar } from "../life";
import { LeaveGuard, usePage, useQueryStates, useText, useGoOn } from "../shell";

const MARKS: Partial<Record<ResourceSummary["state"], MarkKind>> = { new: "add", changed: "change", removed: "remove" };
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;

export interface EditorProps {
  kinds: KindInfo[];
  kind: string;
  name: string;
  bar: Bar;
}

/** The resources of an application in one capability, and the editor of one: a form out of its schema, or its source. */
export function Editor({ kinds, kind, name, bar }: EditorProps): ReactNode {
  const say = useText("resources");
  const life = useLife();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [known, setKnown] = useState<Record<string, ResourceSummary[]>>({});
  const reason = useReason("update");
  const drafts = useLifeRead<Difference>("/drafts");
  const check = useLifeRead<CheckResult>("/check", {}, { method: "POST", enabled: (drafts.data?.pending.length ?? 0) > 0 });
  const problems = (drafts.data?.pending.length ?? 0) > 0 ? (check.data?.problems ?? []) : [];
  const info = kinds.find((one) => one.name === kind);
  const all = kinds.flatMap((one) => known[one.name] ?? []);
  const loaded = kinds.every((one) => known[one.name]);
  const first = all[0];
  useGoOn(!name && first ? life.toResource(first.kind, first.name) : undefined);
  const words = (query.get("q") ?? "").toLowerCase();
  const selected = info && name ? <One key={`${kind}/${name}`} info={info} name={name} checked={check.data} problems={problems.filter((one) => one.kind === kind && one.name === name)} all={problems.length} siblings={all} /> : null;
  const make = <Button kind="primary" icon="plus" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => change({ new: "1" })}>{say("new")}</Button>;
  return (
    <>
      <LifeBar active="edit" {...bar} />
      <div className="r-editor">
        <Panes>
          <Pane side="left" width={256} title={kinds.length === 1 ? kinds[0]?.title : say("resources")} note={loaded ? all.length : undefined} actions={<Button kind="quiet" size="small" icon="plus" label={say("new")} disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => change({ new: "1" })} />}>
            {all.length > 12 && <div className="r-filter"><SearchInput value={query.get("q") ?? ""} onChange={(next) => change({ q: next })} label={say("filter")} width={220} /></div>}
            {kinds.map((one) => (
              <Names key={one.name} kind={one} many={kinds.length > 1} words={words} active={one.name === kind ? name : ""} bad={new Set(problems.filter((problem) => problem.kind === one.name).map((problem) => problem.name))} onRows={(rows) => setKnown((before) => (before[one.name] === rows ? before : { ...before, [one.name]: rows }))} />
            ))}
          </Pane>
          {selected ?? (
            <Pane>{!loaded || all.length > 0 ? <Skeleton rows={8} /> : <Empty title={say("empty", { what: kinds.map((one) => one.title).join(", "), name: life.scope.application })} actions={make}>{say("emptyText")}</Empty>}</Pane>
          )}
        </Panes>
      </div>
      <NewResource kinds={kinds} open={query.get("new") === "1"} onClose={() => change({ new: "" })} onMade={(made, named) => void navigate(life.toResource(made, named))} />
    </>
  );
}

function Names({ kind, many, words, active, bad, onRows }: { kind: KindInfo; many: boolean; words: string; active: string; bad: Set<string>; onRows: (rows: ResourceSummary[]) => void }): ReactNode {
  const say = useText("resources");
  const life = useLife();
  const found = usePages<Operation, ResourceSummary>(life.operation("GET", `/${kind.plural}`), { ...argumentsOf(life), query: { limit: 500 } } as never, { topics: life.topics });
  const { rows } = found;
  const key = rows?.map((row) => `${row.name} ${row.version}`).join("\n");
  useEffect(() => {
    if (rows) onRows(rows);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `key` says what changed
  }, [key]);
  if (found.error && !rows) return <Unread error={found.error} title={say("unreadable")} onRetry={found.again} />;
  if (!rows) return <Skeleton rows={3} />;
  return (
    <nav aria-label={kind.title}>
      {many && <h3 className="r-kind">{kind.title} <span className="k-count">{rows.length}</span></h3>}
      <ul className="r-names">
        {rows.filter((row) => row.name.toLowerCase().includes(words)).map((row) => {
          const mark = MARKS[row.state];
          return (
            <li key={row.name}>
              <Link to={life.toResource(kind.name, row.name)} aria-current={row.name === active ? "page" : undefined} title={row.name}>
                <Icon name="file" size={14} />
                <span className="k-mono k-ellipsis">{row.name}</span>
                <span className="k-grow" />
                {bad.has(row.name) && <Glyph hue="bad" size={12} />}
                {mark && <Mark kind={mark} />}
              </Link>
            </li>
          );
        })}
      </ul>
      {found.more && <Button kind="quiet" size="small" busy={found.loadingMore} onClick={found.more}>{say("more")}</Button>}
    </nav>
  );
}

function One({ info, name, checked, problems, all, siblings }: { info: KindInfo; name: string; checked: CheckResult | undefined; problems: CheckResult["problems"]; all: number; siblings: ResourceSummary[] }): ReactNode {
  const say = useText("resources");
  const life = useLife();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const edited = useResource<unknown>(info.name, name, {});
  const { detail, body } = edited;
  const reason = useReason("update");
  const revealReason = useReason("reveal");
  const reach = useLifeRead<Convergence>("/convergence").data;
  const [value, setValue] = useState<unknown>(undefined);
  const [base, setBase] = useState("");
  const [dialog, setDialog] = useState<"remove" | "discard" | null>(null);
  const [plain, setPlain] = useState<string | null>(null);
  const [parses, setParses] = useState(true);
  const [begun, setBegun] = useState(0);
  const stored = body === undefined ? "" : JSON.stringify(body);
  const dirty = value !== undefined && base !== "" && JSON.stringify(value) !== base;
  useEffect(() => {
    if (!stored || (dirty && JSON.stringify(value) !== stored)) return;
    setValue(body);
    setBase(stored);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only what is stored brings it in, and never over what is not saved
  }, [stored]);
  const removed = detail?.state === "removed";
  const changed = detail !== undefined && detail.state !== "published";
  const mode = query.get("mode") === "source" ? "source" : "form";
  const at = siblings.findIndex((one) => one.kind === info.name && one.name === name);
  const open = dirty || !parses;
  const leave = (): void => {
    setValue(body);
    setBase(stored);
    setParses(true);
    setBegun((before) => before + 1); // the source begins anew too, whatever stood there
  };
  const save = (): void => {
    if (!dirty || !parses || reason) return;
    const mine = value;
    const change = { apply: () => mine, what: name, mine: JSON.stringify(mine, null, 2), seen: JSON.stringify(JSON.parse(base), null, 2), theirs: (over: unknown) => JSON.stringify(over, null, 2) };
    // the server may write the same in another order, and leave out what is a default
    void edited.save(change).then((saved) => saved && setBase(JSON.stringify(mine)));
  };
  const step = (by: number): void => {
    const next = siblings[at + by];
    if (next) void navigate(life.toResource(next.kind, next.name));
  };
  usePage({
    title: `${life.scope.application} · ${name}`,
    api: asCurl(life.operation("GET", `/${info.plural}/{name}`), { path: { ...life.scope, name } }),
    readAt: edited.readAt,
    actions: [
      { key: "mode", label: mode === "form" ? say("source") : say("form"), keys: "v", run: () => change({ mode: mode === "form" ? "source" : "" }), group: "view" },
      { key: "diff", label: say("diff"), keys: "d", run: () => void navigate(life.to("diff")) },
      { key: "publish", label: say("publish"), keys: "p", run: () => void navigate(life.to("publish")) },
      { key: "before", label: say("before"), keys: "[", run: () => step(-1), group: "list" },
      { key: "next", label: say("next"), keys: "]", run: () => step(1), group: "list" },
    ],
  });
  if (edited.error && !detail) {
    return (
      <Pane>
        {edited.error.status === 404 ? <Empty title={say("gone", { name })} actions={<Button to={life.to()}>{say("back")}</Button>}>{say("goneText")}</Empty> : <ErrorState failure={failureOf(edited.error, say("unreadable"))} onRetry={edited.again} />}
      </Pane>
    );
  }
  if (!detail || value === undefined) return <Pane><Reading /></Pane>;
  const secrets = stored.includes('"$secret"');
  return (
    <>
      <Pane
        title={<span className="k-mono">{name}</span>}
        note={<>{info.title} {changed && <StatusTag hue={removed ? "bad" : "info"}>{say(`state.${detail.state}`)}</StatusTag>}</>}
        actions={
          <Menu
            label={say("actions")}
            items={[
              ...(changed ? [{ key: "discard", label: say("discard"), icon: "undo" as const, disabled: reason !== undefined, onSelect: () => setDialog("discard") }] : []),
              { key: "remove", label: say("remove"), danger: true, disabled: reason !== undefined || removed, onSelect: () => setDialog("remove") },
            ]}
          />
        }
        foot={
          <>
            {problems.length > 0 ? <StatusTag hue="bad">{say("problems", { count: problems.length })}</StatusTag> : changed && checked ? <StatusTag hue={all ? "warn" : "ok"}>{say(all ? "othersBad" : "checked")}</StatusTag> : <span className="k-quiet">{say("noDraft")}</span>}
            <span className="k-grow" />
            {reason && <span className="k-quiet">{reason}</span>}
            {open && <Button kind="quiet" onClick={leave}>{say("leave")}</Button>}
            <Button kind="primary" keys="⌘ ↵" busy={edited.saving} disabled={!dirty || !parses || reason !== undefined} reason={reason ?? say(parses ? "nothing" : "notParsed")} onClick={save}>{say("save")}</Button>
          </>
        }
      >
        <LeaveGuard when={open} what={name} />
        <div className="r-body" onKeyDown={(event) => { if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !event.defaultPrevented) { event.preventDefault(); save(); } }}>
          {removed && <Note hue="bad" title={say("state.removed")} actions={<Button size="small" icon="undo" disabled={reason !== undefined} onClick={() => void edited.discard()}>{say("keep")}</Button>}>{say("removedText")}</Note>}
          <Refused error={edited.refused} />
          <Twin key={begun} schema={info.schema} value={value} onChange={setValue} onText={(_text, ok) => setParses(ok)} problems={problems.map((one) => ({ path: one.path, message: one.message }))} readOnly={reason !== undefined || removed} label={name} mode={mode} onMode={(next) => change({ mode: next === "source" ? "source" : "" })} onSave={save} />
        </div>
      </Pane>
      <Pane side="right" width={360} title={say("about")}>
        <Section title={say("standing")}>
          <Facts
            items={[
              [say("kind"), <code key="k">{info.capability}.{info.name}</code>],
              [say("revision"), <Rev key="r" at={detail.revision} />],
              ...(changed ? ([[say("edited"), <Person key="p" name={detail.edited_by} />], [say("when"), <Time key="t" at={detail.edited_at} />]] as [ReactNode, ReactNode][]) : []),
              [say("receives"), <Link key="i" to={life.instances}>{reach ? say("instancesOf", { count: reach.total }) : "—"}</Link>],
            ]}
          />
        </Section>
        {secrets && (
          <Section title={say("secrets")}>
            {plain === null ? (
              <Can verb="reveal" size="small" icon="eye" onClick={() => void lifeCall<{ body: unknown }>(life, "GET", `/${info.plural}/{name}/revealed`, { path: { name }, query: { draft: changed } }).then((found) => setPlain(JSON.stringify(found.body, null, 2)), () => undefined)}>{say("reveal")}</Can>
            ) : (
              <><pre className="l-error">{plain}</pre><Button size="small" onClick={() => setPlain(null)}>{say("hide")}</Button></>
            )}
            <p className="k-quiet">{revealReason ?? say("audited")}</p>
          </Section>
        )}
        <Section title={say("changes")} actions={<Button kind="quiet" size="small" icon="history" to={life.to("history")}>{say("history")}</Button>}>
          {changed || dirty ? <div className="l-bleed"><TextDiff mode="inline" label={name} before={life.textOf(info.name, detail.published)} after={removed ? "" : life.textOf(info.name, value)} /></div> : <p className="k-quiet">{say("noDraft")}</p>}
        </Section>
      </Pane>
      <Confirm
        open={dialog === "remove"}
        onClose={() => setDialog(null)}
        title={say("removeOne", { name })}
        consequence={<><strong>{say("removeDraft")}</strong> {say("removeNumbers", { count: reach?.total ?? "—" })}</>}
        action={say("removeAction", { name })}
        typed={name}
        busy={edited.saving}
        onConfirm={() => void edited.remove().then(() => setDialog(null))}
      />
      <Confirm
        open={dialog === "discard"}
        onClose={() => setDialog(null)}
        title={say("discard")}
        consequence={say("discardText", { name: detail.edited_by || "—" })}
        action={say("discard")}
        busy={edited.saving}
        onConfirm={() => void edited.discard().then(() => { setDialog(null); if (detail.state === "new") void navigate(life.to()); else setValue(detail.published); })}
      />
      <Conflicting conflict={edited.conflict} busy={edited.saving} onSettle={(how) => { const theirs = edited.conflict?.theirs; void edited.settle(how).then(() => { if (how === "theirs" && theirs) { setValue(theirs.draft ?? theirs.published); setBase(JSON.stringify(theirs.draft ?? theirs.published)); } }); }} />
    </>
  );
}

/** A new resource: its name, and what its schema says of a fresh one. */
function NewResource({ kinds, open, onClose, onMade }: { kinds: KindInfo[]; open: boolean; onClose: () => void; onMade: (kind: string, name: string) => void }): ReactNode {
  const say = useText("resources");
  const life = useLife();
  const [kind, setKind] = useState(kinds[0]?.name ?? "");
  const [name, setName] = useState("");
  const [value, setValue] = useState<unknown>({});
  const [parses, setParses] = useState(true);
  const info = kinds.find((one) => one.name === kind) ?? kinds[0];
  useEffect(() => {
    setName("");
    setParses(true);
    setValue(info ? initialValue(info.schema, info.schema) : {});
    // eslint-disable-next-line react-hooks/exhaustive-deps -- begins anew when it opens, and with another kind
  }, [open, kind]);
  const make = useDo(() => lifeSend<ResourceDetail>(life, "PUT", `/${info?.plural ?? ""}/{name}`, { path: { name }, body: { body: value }, version: "0" }));
  const wrong = name !== "" && !NAME.test(name);
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={say("new")}
      width={680}
      foot={
        <>
          <Button onClick={onClose}>{say("close")}</Button>
          <Button kind="primary" busy={make.isPending} disabled={!NAME.test(name) || !parses} reason={say(parses ? "nameFirst" : "notParsed")} onClick={() => void make.mutateAsync(undefined).then(() => onMade(info?.name ?? "", name), () => undefined)}>{say("make")}</Button>
        </>
      }
    >
      {kinds.length > 1 && <Field label={say("kind")}>{(ids) => <Choice {...ids} value={kind} onChange={setKind} options={kinds.map((one) => ({ value: one.name, label: one.title }))} />}</Field>}
      <Field label={say("name")} required error={wrong ? say("nameWrong") : undefined}>{(ids) => <TextInput {...ids} mono autoFocus value={name} onChange={setName} maxLength={128} />}</Field>
      {info && open && <Twin key={kind} schema={info.schema} value={value} onChange={setValue} onText={(_text, ok) => setParses(ok)} label={say("content")} height={220} />}
      <Refused error={make.error} />
    </Dialog>
  );
}
