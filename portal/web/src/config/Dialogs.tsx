import { useEffect, useRef, useState, type ReactNode } from "react";
import { useDo, type ApiError, type Convergence, type ResourceDetail } from "../api";
import { Button, Choice, Confirm, Dialog, Field, Pick, TextArea, TextInput, Toggle } from "../kit";
import { lifeSend, Refused, useLife } from "../life";
import { useText } from "../shell";
import { FileChoice } from "./FileChoice";
import { FORMATS, formatOfFile, readItems, tidy, type Body, type Format, type ItemType, TYPES, type Item } from "./body";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}(@[A-Za-z0-9][A-Za-z0-9._-]*)?$/;

/** A new namespace, empty or from what was pasted or a file. */
export function NewNamespace({ open, onClose, onMade }: { open: boolean; onClose: () => void; onMade: (name: string) => void }): ReactNode {
  const say = useText("config");
  const life = useLife();
  const [name, setName] = useState("");
  const [format, setFormat] = useState<Format>("properties");
  const [public_, setPublic] = useState(false);
  const [secret, setSecret] = useState(false);
  const [description, setDescription] = useState("");
  const [text, setText] = useState("");
  useEffect(() => {
    setName("");
    setText("");
    setDescription("");
    setPublic(false);
    setSecret(false);
  }, [open]);
  const make = useDo(async () => {
    const read = format === "properties" ? readItems(text, {}) : undefined;
    const body = tidy({ format, ...(read ? { items: read.items } : { document: secret ? { $secret: { value: text } } : text }), public: public_, description });
    return lifeSend<ResourceDetail>(life, "PUT", "/namespaces/{name}", { path: { name }, body: { body }, version: "0" });
  });
  const problems = format === "properties" ? readItems(text, {}).problems : [];
  const file = (chosen: File | undefined): void => {
    if (!chosen) return;
    void chosen.text().then((content) => {
      setText(content);
      setFormat(formatOfFile(chosen.name));
      if (!name) setName(chosen.name.replace(/\.[a-z]+$/i, ""));
    });
  };
  const wrongName = name !== "" && !NAME.test(name);
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={say("namespaces.new")}
      width={640}
      foot={
        <>
          <Button onClick={onClose}>{say("close")}</Button>
          <Button
            kind="primary"
            busy={make.isPending}
            disabled={!NAME.test(name) || problems.length > 0}
            reason={problems.length > 0 ? say("source.fixFirst") : say("create.nameFirst")}
            onClick={() => void make.mutateAsync(undefined).then(() => onMade(name), () => undefined)}
          >
            {say("create.make")}
          </Button>
        </>
      }
    >
      <Field label={say("create.name")} required hint={say("create.nameHint")} error={wrongName ? say("create.nameWrong") : undefined}>
        {(ids) => <TextInput {...ids} mono autoFocus value={name} onChange={setName} maxLength={200} placeholder="application" />}
      </Field>
      <Field label={say("create.format")} hint={say(`create.formats.${format}`)}>
        {() => <Pick label={say("create.format")} value={format} onChange={setFormat} options={FORMATS.map((one) => ({ value: one, label: one }))} />}
      </Field>
      <Field label={say("settings.description")}>{(ids) => <TextInput {...ids} value={description} onChange={setDescription} maxLength={4000} />}</Field>
      <Field label={say("settings.public")} hint={say("settings.publicHint")}>{(ids) => <Toggle {...ids} checked={public_} onChange={setPublic} />}</Field>
      {format !== "properties" && <Field label={say("create.secret")} hint={say("editor.secretHint")}>{(ids) => <Toggle {...ids} checked={secret} onChange={setSecret} />}</Field>}
      <Field label={say("create.content")} hint={say("create.contentHint")} error={problems[0] ? `${say("problems.at", { line: problems[0].line, column: 1 })} ${say(`source.${problems[0].reason}`, { key: problems[0].key })}` : undefined}>
        {(ids) => <TextArea {...ids} mono rows={6} value={text} onChange={setText} />}
      </Field>
      <FileChoice aria-label={say("create.file")} name={undefined} onChoose={file} />
      <Refused error={make.error} />
    </Dialog>
  );
}

/** The settings of a namespace as a whole; `covered` while a conflict is shown in their place, which keeps what was written. */
export function Settings({ open, covered, body, onClose, onSave, saving, refused }: { open: boolean; covered: boolean; body: Body; onClose: () => void; onSave: (apply: (over: Body) => Body, began: Body) => void; saving: boolean; refused: ApiError | null }): ReactNode {
  const say = useText("config");
  const [description, setDescription] = useState(body.description ?? "");
  const [public_, setPublic] = useState(body.public ?? false);
  const [inherits, setInherits] = useState(body.inherits ?? "");
  const [schema, setSchema] = useState(body.schema ?? "");
  const began = useRef(body);
  useEffect(() => {
    if (!open) return;
    began.current = body;
    setDescription(body.description ?? "");
    setPublic(body.public ?? false);
    setInherits(body.inherits ?? "");
    setSchema(body.schema ?? "");
    // eslint-disable-next-line react-hooks/exhaustive-deps -- begins with what is there when it opens
  }, [open]);
  const wrong = inherits !== "" && inherits.split("/").length !== 3;
  return (
    <Dialog
      open={open && !covered}
      onClose={onClose}
      title={say("settings.title")}
      width={640}
      foot={
        <>
          <Button onClick={onClose}>{say("close")}</Button>
          <Button kind="primary" busy={saving} disabled={wrong} reason={say("settings.inheritsWrong")} onClick={() => onSave((over) => tidy({ ...over, description, public: public_, inherits, schema }), began.current)}>{say("editor.save")}</Button>
        </>
      }
    >
      <Field label={say("settings.description")}>{(ids) => <TextInput {...ids} value={description} onChange={setDescription} maxLength={4000} />}</Field>
      <Field label={say("settings.public")} hint={say("settings.publicHint")}>{(ids) => <Toggle {...ids} checked={public_} onChange={setPublic} />}</Field>
      <Field label={say("settings.inherits")} hint={say("settings.inheritsHint")} error={wrong ? say("settings.inheritsWrong") : undefined}>
        {(ids) => <TextInput {...ids} mono value={inherits} onChange={setInherits} maxLength={200} placeholder="center/application/namespace" />}
      </Field>
      <Field label={say("settings.schema")} hint={say("settings.schemaHint")}>{(ids) => <TextArea {...ids} mono rows={10} value={schema} onChange={setSchema} />}</Field>
      <Refused error={refused} />
    </Dialog>
  );
}

/** A new key: its name and type; its value is written in its row. */
export function NewKey({ open, taken, onClose, onMade }: { open: boolean; taken: (key: string) => boolean; onClose: () => void; onMade: (key: string, item: Item) => void }): ReactNode {
  const say = useText("config");
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [type, setType] = useState<ItemType>("string");
  const [secret, setSecret] = useState(false);
  const [comment, setComment] = useState("");
  useEffect(() => {
    setKey("");
    setValue("");
    setComment("");
    setSecret(false);
    setType("string");
  }, [open]);
  const trimmed = key.trim();
  const error = trimmed && taken(trimmed) ? say("create.keyTaken") : undefined;
  const ready = trimmed !== "" && !error;
  const make = (): void => {
    if (ready) onMade(trimmed, { value: secret ? { $secret: { value } } : value, ...(type === "string" ? {} : { type }), ...(comment ? { comment } : {}) });
  };
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={say("keys.new")}
      foot={
        <>
          <Button onClick={onClose}>{say("close")}</Button>
          <Button kind="primary" disabled={!ready} reason={error ?? say("create.keyFirst")} onClick={make}>{say("editor.save")}</Button>
        </>
      }
    >
      <Field label={say("columns.key")} required error={error}>{(ids) => <TextInput {...ids} mono autoFocus value={key} onChange={setKey} maxLength={256} />}</Field>
      <Field label={say("columns.type")}>{(ids) => <Choice {...ids} value={type} onChange={(next) => setType(next as ItemType)} options={TYPES.map((one) => ({ value: one, label: say(`types.${one}`) }))} />}</Field>
      <Field label={say("columns.value")}>{(ids) => (secret ? <TextInput {...ids} password mono value={value} autoComplete="new-password" onChange={setValue} onEnter={make} /> : <TextArea {...ids} mono rows={3} value={value} onChange={setValue} />)}</Field>
      <Field label={say("editor.secret")} hint={say("editor.secretHint")}>{(ids) => <Toggle {...ids} checked={secret} onChange={setSecret} />}</Field>
      <Field label={say("editor.comment")}>{(ids) => <TextInput {...ids} value={comment} onChange={setComment} maxLength={4000} />}</Field>
    </Dialog>
  );
}

/** Taking a namespace away: who would no longer receive it. */
export function RemoveNamespace({ name, open, reach, keys, onClose, onConfirm, busy }: { name: string; open: boolean; reach: Convergence | undefined; keys: number; onClose: () => void; onConfirm: () => void; busy: boolean }): ReactNode {
  const say = useText("config");
  return (
    <Confirm
      open={open}
      onClose={onClose}
      onConfirm={onConfirm}
      busy={busy}
      title={say("remove.title", { name })}
      consequence={<><strong>{say("remove.draft")}</strong> {say("remove.numbers", { keys: say("keys.count", { count: keys }), instances: say("remove.instances", { count: reach?.total ?? "—" }) })}</>}
      action={say("remove.action", { name })}
      typed={name}
    />
  );
}
