import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { Button, Check, Choice, Glyph, Pick, TextArea, TextInput } from "../kit";
import { LeaveGuard, useText } from "../shell";
import { Code } from "./Code";
import { isSealed, misfit, TYPES, type Item, type ItemType } from "./body";

export interface RowEditorProps {
  keyName: string;
  item: Item | undefined;
  problem: string | undefined;
  line: number | undefined;
  column: number | undefined;
  saving: boolean;
  reason: string | undefined;
  reveal: (() => Promise<string | null>) | undefined;
  revealReason: string | undefined;
  /** What is to be saved, and what stood there when the editor was opened. */
  onSave: (item: Item, seen: Item | undefined) => void;
  onLeave: () => void;
}

/** The editor of one key, opened in its row. */
export function RowEditor(props: RowEditorProps): ReactNode {
  const { keyName, item, problem, line, column, saving, reason, reveal, revealReason, onSave, onLeave } = props;
  const say = useText("config");
  const wasSecret = item !== undefined && isSealed(item.value);
  const [type, setType] = useState<ItemType>(item?.type ?? "string");
  const [secret, setSecret] = useState(wasSecret);
  const [value, setValue] = useState(item && !isSealed(item.value) ? item.value : "");
  const [touched, setTouched] = useState(false);
  const [seen] = useState(item);
  const [cursor, setCursor] = useState<[number, number] | null>(null);
  const [comment, setComment] = useState(item?.comment ?? "");
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    holder.current?.querySelector<HTMLElement>(".c-editor-body :is(textarea,input)")?.focus();
  }, []);
  const unchangedSecret = wasSecret && secret && !touched;
  const wrong = unchangedSecret ? null : misfit(value, type);
  const told = touched ? undefined : problem; // what was told is about the value that was saved, not about the one being written
  const save = (): void => {
    if (reason || saving) return;
    const kept = { ...(type === "string" ? {} : { type }), ...(comment ? { comment } : {}) };
    if (unchangedSecret && item) onSave({ value: item.value, ...kept }, seen);
    else onSave({ value: secret ? { $secret: { value } } : value, ...kept }, seen);
  };
  const change = (next: string): void => {
    setTouched(true);
    setValue(next);
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.stopPropagation();
      onLeave();
    } else if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) {
      event.preventDefault();
      event.stopPropagation();
      save();
    }
  };
  const long = value.length > 120 || value.includes("\n");
  const label = say("editor.value", { key: keyName });
  const shown = say("editor.revealed");
  return (
    <div ref={holder} className={`c-editor${told || wrong ? " c-editor-bad" : ""}`} onKeyDown={keys}>
      <LeaveGuard when={touched} what={keyName} />
      <div className="c-editor-head">
        <Choice aria-label={say("columns.type")} width={104} value={type} onChange={(next) => setType(next as ItemType)} options={TYPES.map((one) => ({ value: one, label: say(`types.${one}`) }))} />
        <Check checked={secret} disabled={wasSecret} onChange={setSecret}>{say("editor.secret")}</Check>
        <span className="k-grow" />
        {type === "json" && cursor && <span className="k-quiet">{say("problems.at", { line: cursor[0], column: cursor[1] })}</span>}
        <span className="k-quiet c-hint">{secret ? say("editor.secretHint") : say("editor.hint")}</span>
      </div>
      <div className="c-editor-body">
        {secret ? (
          <span className="k-row c-secret-edit">
            <TextInput aria-label={label} password mono value={value} autoComplete="new-password" placeholder={wasSecret && !touched ? say("editor.secretKept") : ""} onChange={change} />
            {wasSecret && (
              <Button
                icon="eye"
                disabled={!reveal}
                {...(revealReason ? { reason: revealReason } : {})}
                onClick={() => void reveal?.().then((plain) => plain !== null && (setValue(plain), setTouched(false)))}
              >
                {say("editor.reveal")}
              </Button>
            )}
            {wasSecret && !touched && value !== "" && <span className="k-quiet">{shown}</span>}
          </span>
        ) : type === "boolean" ? (
          <Pick label={label} value={value === "true" || value === "false" ? value : "false"} onChange={change} options={[{ value: "true", label: "true" }, { value: "false", label: "false" }]} />
        ) : type === "json" ? (
          <Code label={label} value={value} onChange={change} format="json" problems={told ? [{ message: told, line: line ?? 1, column: column ?? 1 }] : []} onSave={save} onEscape={onLeave} autoFocus onCursor={(atLine, atColumn) => setCursor([atLine, atColumn])} />
        ) : long ? (
          <TextArea aria-label={label} mono rows={5} value={value} onChange={change} />
        ) : (
          <TextInput aria-label={label} mono value={value} onChange={change} />
        )}
      </div>
      {(wrong || told) && (
        <p className="c-editor-strip" role="alert">
          <Glyph hue="bad" />
          <span>
            {told && line ? <strong>{say("problems.at", { line, column: column ?? 1 })} </strong> : null}
            {told ?? say(`misfit.${wrong}`)}
          </span>
        </p>
      )}
      <div className="c-editor-foot">
        <TextInput aria-label={say("editor.comment")} placeholder={say("editor.comment")} value={comment} onChange={setComment} />
        <Button kind="quiet" keys="esc" onClick={onLeave}>{say("editor.leave")}</Button>
        <Button kind="primary" keys="⌘ ↵" busy={saving} disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={save}>{say("editor.save")}</Button>
      </div>
    </div>
  );
}
