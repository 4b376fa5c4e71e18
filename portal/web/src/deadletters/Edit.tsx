import { useMemo, useState, type ReactNode } from "react";
import { call, useDo, type DeadLetterDetail, type DeadOutcomeView, type MessageView } from "../api";
import { Button, Field, Note, Pick, TextInput } from "../kit";
import { CodeEditor } from "../kit/parts";
import { LeaveGuard, useIsProduction, useScope, useText } from "../shell";
import { Reason, whoGets } from "./Acts";
import { changesOf, problemOf, rowsOf, type HeaderRow } from "./edits";
import { RESEND, TOUCHED } from "./operations";
import { Refused } from "./Parts";

type Format = MessageView["format"];

/** A letter is edited and sent to the group in which it died; only what differs is told to the server, the rest stays to the byte. */
export function Edit({ letter, message, onClose, onDone }: { letter: DeadLetterDetail; message: MessageView; onClose: () => void; onDone: (outcomes: DeadOutcomeView[]) => void }): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const production = useIsProduction();
  const before = useMemo(() => ({ format: message.format, body: message.body, key: message.key, tag: message.tag, rows: rowsOf(message) }), [message]);
  const [now, setNow] = useState(before);
  const [reason, setReason] = useState("");
  const changes = changesOf(before, now, message.unread !== "" || !message.whole);
  const changed = Object.keys(changes);
  const problem = changes.body ? problemOf(changes.body.format, changes.body.text) : undefined;
  const garbled = changes.headers?.binary?.find((name) => problemOf("base64", changes.headers?.values[name] ?? ""));
  const wrong = problem ?? (garbled && say("edit.garbled", { name: garbled }));
  const send = useDo(() => call(RESEND, { path: { ...scope, number: letter.number }, body: { reason, ...changes } as never }), TOUCHED);
  const done = (): void => onDone([{ number: letter.number, done: true, code: "", detail: "" }]);
  const formats: Format[] = ["json", "text", "base64"];
  return (
    <div className="k-stack d-edit">
      <LeaveGuard when={changed.length > 0 && !send.isSuccess} what={say("edit.leave")} />
      {message.unread && <Note hue="warn" title={say("unread")}>{say("edit.unread")}</Note>}
      {!message.unread && !message.whole && <Note hue="warn">{say("edit.cut")}</Note>}
      {!message.unread && message.whole && !message.exact && <Note hue="warn">{say("edit.inexact")}</Note>}
      <div className="d-pair">
        <Field label={say("columns.key")} hint={say("edit.keyHint")}>{(ids) => <TextInput {...ids} mono value={now.key} onChange={(key) => setNow({ ...now, key })} maxLength={255} />}</Field>
        <Field label={say("tag")} hint={say("edit.tagHint")}>{(ids) => <TextInput {...ids} mono value={now.tag} onChange={(tag) => setNow({ ...now, tag })} maxLength={64} />}</Field>
      </div>
      <Headers rows={now.rows} onChange={(rows) => setNow({ ...now, rows })} />
      {garbled && <p className="k-field-error" role="alert">{say("edit.garbled", { name: garbled })}</p>}
      <div className="d-body">
        <div className="d-body-head">
          <h4 className="d-label">{say("body")}</h4>
          <Pick label={say("format.label")} value={now.format} onChange={(format: Format) => setNow({ ...now, format })} options={formats.map((value) => ({ value, label: say(`format.${value}`) }))} />
        </div>
        <CodeEditor label={say("body")} value={now.body} onChange={(body) => setNow({ ...now, body })} language={now.format === "json" ? "json" : "text"} />
        {problem && <p className="k-field-error" role="alert">{say(`edit.wrong.${now.format}`)} {problem}</p>}
      </div>
      <Reason value={reason} onChange={setReason} first={false} />
      <Note hue={changed.length ? "info" : "idle"} title={changed.length ? say("edit.changes", { what: changed.map((one) => say(`change.${one}`)).join(say("comma")) }) : say("edit.nothing")}>
        {whoGets(say, letter, "edit")} {say("resend.after")}
      </Note>
      <Refused error={send.error} />
      <div className="k-row k-row-end">
        <Button onClick={onClose}>{say("back")}</Button>
        <Button kind={production ? "production" : "primary"} icon="publish" busy={send.isPending} disabled={changed.length === 0 || wrong !== undefined} reason={wrong ?? say("edit.nothing")} onClick={() => send.mutate(undefined, { onSuccess: done })}>{say("edit.action")}</Button>
      </div>
    </div>
  );
}

function Headers({ rows, onChange }: { rows: HeaderRow[]; onChange: (rows: HeaderRow[]) => void }): ReactNode {
  const say = useText("deadletters");
  const set = (place: number, change: Partial<HeaderRow>): void => onChange(rows.map((row, at) => (at === place ? { ...row, ...change } : row)));
  return (
    <div>
      <h4 className="d-label">{say("headers")}</h4>
      <ul className="d-headers">
        {rows.map((row, place) => (
          <li key={place}>
            <TextInput mono aria-label={say("edit.headerName", { number: place + 1 })} placeholder={say("edit.name")} value={row.name} onChange={(name) => set(place, { name })} maxLength={64} />
            <TextInput mono aria-label={say("edit.headerValue", { number: place + 1 })} placeholder={row.binary ? "base64" : say("edit.value")} value={row.value} onChange={(value) => set(place, { value })} />
            <Button kind="quiet" size="small" icon="close" label={say("edit.removeHeader", { name: row.name || String(place + 1) })} onClick={() => onChange(rows.filter((_, at) => at !== place))} />
          </li>
        ))}
      </ul>
      <Button size="small" icon="plus" disabled={rows.length >= 64} onClick={() => onChange([...rows, { name: "", value: "", binary: false }])}>{say("edit.addHeader")}</Button>
    </div>
  );
}
