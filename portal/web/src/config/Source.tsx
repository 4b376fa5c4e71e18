import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { LocatedProblem } from "../api";
import { Button, Check, Glyph, Icon, Note, StatusTag } from "../kit";
import type { CodeHandle } from "../kit/parts";
import { LeaveGuard, useText } from "../shell";
import { Code } from "./Code";
import { isSealed, maskOf, readItems, tidy, writeItems, type Body } from "./body";
import type { Change } from "./draft";

export interface SourceProps {
  name: string;
  body: Body;
  readOnly: boolean;
  reason: string | undefined;
  saving: boolean;
  problems: LocatedProblem[];
  reveal: (() => Promise<Body | null>) | undefined;
  revealReason: string | undefined;
  onSave: (change: Change) => Promise<boolean>;
  onDirty: (dirty: boolean) => void;
}

const textOf = (body: Body | null): string => (!body ? "" : body.format === "properties" ? writeItems(body.items ?? {}) : isSealed(body.document) ? `•••••• #${maskOf(body.document)}` : (body.document ?? ""));

/** A namespace as text, in its own format. */
export function Source(props: SourceProps): ReactNode {
  const { name, body, readOnly, reason, saving, problems, reveal, revealReason, onSave, onDirty } = props;
  const say = useText("config");
  const sealed = body.format !== "properties" && isSealed(body.document);
  const stored = textOf(body);
  const [text, setText] = useState(stored);
  const [base, setBase] = useState(stored);
  const [open, setOpen] = useState(!sealed);
  const [sealing, setSealing] = useState(false);
  // what was saved elsewhere comes in, unless something here is not saved
  useEffect(() => {
    if (text === base || text === stored) {
      setText(stored);
      setBase(stored);
      setOpen(!sealed);
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only what is stored brings it in
  }, [stored]);
  const code = useRef<CodeHandle>(null);
  useEffect(() => setSealing(false), [sealed]);
  const dirty = open && (text !== base || sealing);
  useEffect(() => onDirty(dirty), [dirty, onDirty]);
  const read = useMemo(() => (body.format === "properties" ? readItems(text, body.items ?? {}) : undefined), [text, body]);
  const own = (read?.problems ?? []).map((one) => ({ line: one.line, column: one.column, message: say(`source.${one.reason}`, { key: one.key }) }));
  const shown = [...own, ...(dirty ? [] : problems.filter((one) => one.line > 0).map(({ line, column, message }) => ({ line, column, message })))];
  const save = (): void => {
    if (!dirty || reason || own.length > 0) return;
    const mine = text;
    void onSave({
      mine,
      ...(sealed ? {} : { seen: base }),
      what: say("source.whole"),
      theirs: textOf,
      apply: (over) => (over.format === "properties" ? tidy({ ...over, items: readItems(mine, over.items ?? body.items ?? {}).items }) : tidy({ ...over, document: sealed || sealing ? { $secret: { value: mine } } : mine })),
    }).then((saved) => saved && setBase(mine));
  };
  const rest = problems.filter((one) => !one.line && !own.length);
  return (
    <div className="c-source">
      <LeaveGuard when={dirty} what={name} keeps={(from, to) => from.pathname === to.pathname && staysSource(from.search) === staysSource(to.search)} />
      <div className="c-editor-head">
        <span className="c-tag">{body.format.toUpperCase()}</span>
        {sealed && <><Icon name="lock" size={14} /> {say("source.sealed")}</>}
        {!sealed && body.format !== "properties" && !readOnly && <Check checked={sealing} onChange={setSealing}>{say("source.seal")}</Check>}
        {body.schema && <span className="k-quiet">{say("source.hasSchema")}</span>}
        <span className="k-grow" />
        {dirty && !sealed && base !== stored && <StatusTag hue="warn">{say("source.newer")}</StatusTag>}
        {dirty && <span className="k-quiet">{say("source.unsaved")}</span>}
        {dirty && <Button kind="quiet" size="small" keys="esc" onClick={() => { setText(stored); setBase(stored); setSealing(false); }}>{say("editor.leave")}</Button>}
        <Button kind="primary" size="small" keys="⌘ ↵" busy={saving} disabled={!dirty || reason !== undefined || own.length > 0} {...(reason || !dirty || own.length ? { reason: reason ?? (own.length ? say("source.fixFirst") : say("source.nothing")) } : {})} onClick={save}>{say("editor.save")}</Button>
      </div>
      {sealing && <Note hue="info">{say("source.sealing")}</Note>}
      {rest.map((one, place) => <Note key={place} hue="bad" title={one.path || undefined}>{one.message}</Note>)}
      {sealed && !open ? (
        <div className="k-state">
          <p>{say("source.sealedText")} <code>{stored}</code></p>
          <div className="k-state-actions">
            <Button icon="eye" disabled={!reveal} {...(revealReason ? { reason: revealReason } : {})} onClick={() => void reveal?.().then((found) => { if (found) { const plain = isSealed(found.document) ? (found.document.$secret.value ?? "") : (found.document ?? ""); setText(plain); setBase(plain); setOpen(true); } })}>{say("editor.reveal")}</Button>
            <Button icon="edit" disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => { setText(""); setOpen(true); }}>{say("source.rewrite")}</Button>
          </div>
        </div>
      ) : (
        <Code label={say("source.label", { format: body.format })} value={text} onChange={setText} format={body.format} problems={shown} readOnly={readOnly} onSave={save} onEscape={() => setText(base)} fill autoFocus={false} ref={code} />
      )}
      {shown.length > 0 && (
        <ul className="c-problems">
          {shown.slice(0, 20).map((one, place) => (
            <li key={place}><Glyph hue="bad" /> <Button kind="quiet" size="small" onClick={() => code.current?.goTo(one.line, one.column)}>{say("problems.at", { line: one.line, column: one.column })}</Button> <span>{one.message}</span></li>
          ))}
        </ul>
      )}
    </div>
  );
}

const staysSource = (search: string): boolean => new URLSearchParams(search).get("mode") === "source";
