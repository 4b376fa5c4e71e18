import { createContext, useContext, useEffect, useId, useMemo, useRef, useState, type ReactNode } from "react";
import { Button } from "./Button";
import { CodeEditor, type CodeHandle, type CodeProblem } from "./CodeEditor";
import { Choice, NumberInput, Pick, Toggle } from "./Inputs";
import { Note } from "./Page";
import { usePartWords, type Say } from "./parts.words";
import { Secret } from "./Secret";
import { Field, TextArea, TextInput } from "./Texts";
import { complaintOf, fits, initial, isObject, isSecret, moved, readSchema, renamed, SECRET, switched, variantOf, withItem, withKey, withoutItem, type JsonSchema, type Reading, type Shape } from "./schema";
import { pathText, printJson, printYaml, readJson, readYaml, stepsOf, TextError, type Value } from "./text";
import "./parts.css";

export interface FormProblem {
  /** As `$.retry.attempts`, `retry.attempts`, `zones[0]` or `/zones/0`. */
  path: string;
  message: string;
}

export interface SchemaFormProps {
  schema: object;
  value: unknown;
  onChange: (value: Value) => void;
  problems?: FormProblem[] | undefined;
  readOnly?: boolean;
  /** Fields that the page shows itself: their names, or paths joined by dots. */
  omit?: string[];
  label?: string;
}

interface Inside {
  root: JsonSchema;
  problems: Map<string, string[]>;
  all: { steps: string[]; message: string }[];
  readOnly: boolean;
  omit: ReadonlySet<string>;
}

const InsideContext = createContext<Inside>({ root: {}, problems: new Map(), all: [], readOnly: false, omit: new Set() });

type Steps = readonly string[];
type Change = (value: Value | undefined) => void;

/** A form out of a schema: what it knows has its control, what it does not know is edited as JSON. */
export function SchemaForm(props: SchemaFormProps): ReactNode {
  const { schema, value, onChange, problems, readOnly = false, omit, label } = props;
  const root = schema as JsonSchema;
  const inside = useMemo<Inside>(() => {
    const all = (problems ?? []).map((problem) => ({ steps: stepsOf(problem.path), message: problem.message }));
    const byPath = new Map<string, string[]>();
    for (const problem of all) {
      const key = pathText(problem.steps);
      byPath.set(key, [...(byPath.get(key) ?? []), problem.message]);
    }
    return { root, problems: byPath, all, readOnly, omit: new Set(omit ?? []) };
  }, [root, problems, readOnly, omit]);
  const orphans = inside.all.filter((problem) => problem.steps.length === 0 || inside.omit.has(problem.steps[0]!) || !stands(value as Value | undefined, problem.steps));
  return (
    <InsideContext value={inside}>
      <div className="kp-form" role="group" aria-label={label}>
        {orphans.length > 0 && (
          <Note hue="bad">
            {orphans.map((problem, place) => (
              <span key={place} className="kp-form-orphan">
                {problem.steps.length > 0 && <code>{problem.steps.join(".")}</code>} {problem.message}
              </span>
            ))}
          </Note>
        )}
        <Root value={value as Value | undefined} onChange={onChange} />
      </div>
    </InsideContext>
  );
}

/** Whether the form has a place for a problem: the value it is about stands somewhere that is there. */
function stands(value: Value | undefined, steps: Steps): boolean {
  let at: Value | undefined = value;
  for (const step of steps.slice(0, -1)) at = Array.isArray(at) ? at[Number(step)] : isObject(at) ? at[step] : undefined;
  return Array.isArray(at) || isObject(at);
}

function Root({ value, onChange }: { value: Value | undefined; onChange: (value: Value) => void }): ReactNode {
  const { root } = useContext(InsideContext);
  const reading = useMemo(() => readSchema(root, root), [root]);
  const keep: Change = (next) => onChange(next ?? null);
  const { shape } = reading;
  const name = reading.schema.title ?? "";
  if (shape.kind === "object" && (value === undefined || value === null || isObject(value))) return <ObjectFields shape={shape} value={isObject(value) ? value : {}} onChange={keep} path={[]} />;
  if (shape.kind === "variants") return <Variants shape={shape} reading={reading} value={value} onChange={keep} path={[]} name={name} />;
  if (shape.kind === "list" && Array.isArray(value)) return <ListRows shape={shape} least={reading.schema.minItems ?? 0} value={value} onChange={keep} path={[]} name={name} />;
  if (shape.kind === "unknown" || (value !== undefined && !fits(value, root, root))) return <JsonPart value={value} onChange={keep} path={[]} name={name || "JSON"} />;
  return <Leaf reading={reading} value={value} onChange={keep} path={[]} name={name} required />;
}

type ObjectShape = Extract<Shape, { kind: "object" }>;
type ListShape = Extract<Shape, { kind: "list" }>;
type VariantsShape = Extract<Shape, { kind: "variants" }>;

function ObjectFields({ shape, value, onChange, path, without }: { shape: ObjectShape; value: { [key: string]: Value }; onChange: Change; path: Steps; without?: string | undefined }): ReactNode {
  const { omit } = useContext(InsideContext);
  const say = usePartWords();
  const known = new Set(shape.fields.map((field) => field.name));
  const extra = Object.fromEntries(Object.entries(value).filter(([key]) => !known.has(key)));
  return (
    <>
      {shape.fields.map((field) => {
        const here = [...path, field.name];
        if (field.name === without || omit.has(here.join("."))) return null;
        return (
          <Property
            key={field.name}
            schema={field.schema}
            value={Object.hasOwn(value, field.name) ? value[field.name] : undefined}
            onChange={(next) => onChange(withKey(value, field.name, next))}
            path={here}
            required={field.required}
          />
        );
      })}
      {shape.more ? (
        <MapRows schema={shape.more} value={value} keys={Object.keys(extra)} onChange={onChange} path={path} />
      ) : (
        Object.keys(extra).length > 0 && (
          <JsonPart
            value={extra}
            onChange={(next) => onChange(isObject(next) ? { ...Object.fromEntries(Object.entries(value).filter(([key]) => known.has(key))), ...next } : value)}
            path={path}
            name={say("otherKeys")}
            only={Object.keys(extra)}
          />
        )
      )}
    </>
  );
}

interface PartProps {
  value: Value | undefined;
  onChange: Change;
  path: Steps;
}

/** A field of an object: its name is the last step of its path. */
function Property({ schema, value, onChange, path, required }: PartProps & { schema: JsonSchema; required: boolean }): ReactNode {
  const { root, readOnly } = useContext(InsideContext);
  const say = usePartWords();
  const reading = useMemo(() => readSchema(schema, root), [schema, root]);
  const name = path.at(-1) ?? "";
  const { shape } = reading;
  const nested = shape.kind === "object" || shape.kind === "list" || shape.kind === "variants" || shape.kind === "unknown";
  if (!nested) return <Leaf reading={reading} value={value} onChange={onChange} path={path} name={name} required={required} />;
  const gone = value === undefined || (value === null && reading.nullable);
  if (gone && !(required && shape.kind === "variants")) {
    const made = reading.nullable && reading.schema.default === null ? { ...reading.schema, default: undefined } : reading.schema;
    return (
      <Group reading={reading} path={path} name={name} required={required}>
        <span className="kp-form-unset">
          <span className="k-quiet">
            {say("unset")}
            {reading.schema.default !== undefined && reading.schema.default !== null && ` · ${say("default", { value: brief(reading.schema.default, say) })}`}
          </span>
          {!readOnly && (
            <Button size="small" icon="plus" label={`${say("set")} ${name}`} onClick={() => onChange(begin(made, root, shape))}>
              {say("set")}
            </Button>
          )}
        </span>
      </Group>
    );
  }
  const unset = !readOnly && (!required || reading.nullable) ? () => onChange(required ? null : undefined) : undefined;
  return (
    <Group reading={reading} path={path} name={name} required={required} onUnset={unset} count={shape.kind === "list" && Array.isArray(value) ? value.length : undefined}>
      <Nested reading={reading} value={value} onChange={onChange} path={path} name={name} />
    </Group>
  );
}

/** What a part that was not set begins with. */
function begin(schema: JsonSchema, root: JsonSchema, shape: Shape): Value {
  const made = initial(schema, root);
  if (made !== null) return made;
  if (shape.kind === "object") return Object.fromEntries(shape.fields.filter((field) => field.required).map((field) => [field.name, initial(field.schema, root)]));
  if (shape.kind === "list") return [];
  if (shape.kind === "variants" && shape.variants[0]) return initial(shape.variants[0].schema, root);
  return {};
}

function Nested({ reading, value, onChange, path, name }: PartProps & { reading: Reading; name: string }): ReactNode {
  const { shape } = reading;
  if (shape.kind === "object" && isObject(value)) return <ObjectFields shape={shape} value={value} onChange={onChange} path={path} />;
  if (shape.kind === "list" && Array.isArray(value)) return <ListRows shape={shape} least={reading.schema.minItems ?? 0} value={value} onChange={onChange} path={path} name={name} />;
  if (shape.kind === "variants") return <Variants shape={shape} reading={reading} value={value} onChange={onChange} path={path} name={name} />;
  return <JsonPart value={value} onChange={onChange} path={path} name={name} />;
}

function Group(props: { reading: Reading; path: Steps; name: string; required: boolean; onUnset?: (() => void) | undefined; count?: number | undefined; children: ReactNode }): ReactNode {
  const { reading, path, name, onUnset, count, children } = props;
  const { problems } = useContext(InsideContext);
  const say = usePartWords();
  const wrong = problems.get(pathText(path));
  const title = reading.schema.title;
  return (
    <fieldset className="kp-group" data-path={path.join(".")}>
      <legend>
        <FieldName name={name} title={reading.shape.kind === "object" && title !== undefined && /^[A-Z]\w*$/.test(title) ? undefined : title} />
        {count !== undefined && <span className="k-count">{count}</span>}
      </legend>
      {onUnset && (
        <span className="kp-group-unset">
          <Button kind="quiet" size="small" icon="close" label={say("unsetField", { name })} onClick={onUnset} />
        </span>
      )}
      {reading.schema.description && <p className="k-field-hint">{reading.schema.description}</p>}
      {wrong && <p className="k-field-error" role="alert">{wrong.join(" ")}</p>}
      {children}
    </fieldset>
  );
}

function FieldName({ name, title }: { name: string; title?: string | undefined }): ReactNode {
  if (!title || title === name) return <span className="k-mono">{name}</span>;
  return <>{title} {name && <span className="k-mono kp-form-key">{name}</span>}</>;
}

function brief(value: unknown, say: Say): string {
  if (value === "") return `"" ${say("empty")}`;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** A value with a control of its own. `bare` names it where it stands without a label. */
function Leaf({ reading, value, onChange, path, name, required, bare }: PartProps & { reading: Reading; name: string; required: boolean; bare?: string }): ReactNode {
  const { problems, readOnly } = useContext(InsideContext);
  const say = usePartWords();
  const [touched, setTouched] = useState(false);
  const { schema, shape, nullable } = reading;
  const told = problems.get(pathText(path))?.join(" ");
  const gone = value === undefined || value === null;
  const blank = gone || value === "";
  const found = gone || (blank && !touched) ? undefined : complaintOf(value, schema, shape.kind === "integer");
  const complaint = found && !(blank && required) ? say(found.word, found.values) : undefined;
  const wrong = told ?? complaint ?? (touched && required && !nullable && (gone || found) ? say("missing") : undefined);
  const strange = !gone && !fitsLeaf(value, shape);
  const title = schema.title !== undefined && shape.kind === "choice" && /^[A-Z]\w*$/.test(schema.title) ? undefined : schema.title;
  const label = <FieldName name={name} title={title} />;
  const change: Change = (next) => {
    setTouched(true);
    onChange(next);
  };
  if (readOnly) return <ReadOnlyLeaf label={bare ? null : label} value={value} schema={schema} wrong={wrong} hint={bare ? undefined : schema.description} />;
  if (strange) {
    const group = <JsonPart value={value} onChange={onChange} path={path} name={bare ?? name} message={told ?? say("wrong", { value: brief(value, say) })} />;
    return bare ? group : <Group reading={reading} path={["", ...path]} name={name} required={required}>{group}</Group>;
  }
  const unset = !gone && (!required || nullable) ? () => change(required ? null : undefined) : undefined;
  const fallback = schema.default === undefined || schema.default === null ? (required ? undefined : say("unset")) : say("default", { value: brief(schema.default, say) });
  const control = (ids: { id?: string; "aria-describedby"?: string; "aria-invalid"?: boolean; "aria-label"?: string }): ReactNode => (
    <span className={`kp-control kp-control-${shape.kind}`}>
      <Control name={name} shape={shape} schema={schema} value={gone ? undefined : value} onChange={change} ids={ids} placeholder={fallback} optional={!required || nullable} />
      {unset && shape.kind !== "boolean" && <Button kind="quiet" size="small" icon="close" label={say("unsetField", { name: bare ?? name })} onClick={unset} />}
    </span>
  );
  if (bare) {
    return (
      <div className={`kp-bare${wrong ? " k-invalid" : ""}`}>
        {control({ "aria-label": bare, ...(wrong ? { "aria-invalid": true } : {}) })}
        {wrong && <p className="k-field-error" role="alert">{wrong}</p>}
      </div>
    );
  }
  return (
    <Field label={label} hint={shape.kind === "secret" ? undefined : schema.description} error={wrong} required={required && !nullable && schema.default === undefined}>
      {control}
    </Field>
  );
}

function fitsLeaf(value: Value, shape: Shape): boolean {
  if (shape.kind === "text") return typeof value === "string";
  if (shape.kind === "number" || shape.kind === "integer") return typeof value === "number";
  if (shape.kind === "boolean") return typeof value === "boolean";
  if (shape.kind === "choice") return shape.options.includes(value);
  if (shape.kind === "secret") return isSecret(value);
  return shape.kind === "null" ? value === null : false;
}

function ReadOnlyLeaf({ label, value, schema, wrong, hint }: { label: ReactNode; value: Value | undefined; schema: JsonSchema; wrong: string | undefined; hint: string | undefined }): ReactNode {
  const say = usePartWords();
  const shown =
    value === undefined || value === null ? (
      <span className="k-quiet">{say("unset")}{schema.default !== undefined && schema.default !== null && ` · ${say("default", { value: brief(schema.default, say) })}`}</span>
    ) : isSecret(value) ? (
      <HiddenSecret label={label} value={value} />
    ) : (
      <span className="k-mono kp-form-text">{typeof value === "boolean" ? say(value ? "on" : "off") : typeof value === "string" ? value || '""' : JSON.stringify(value)}</span>
    );
  return (
    <div className="kp-form-read">
      {label && <span className="kp-form-read-name">{label}</span>}
      {shown}
      {hint && <span className="k-field-hint">{hint}</span>}
      {wrong && <span className="k-field-error" role="alert">{wrong}</span>}
    </div>
  );
}

interface ControlProps {
  name: string;
  shape: Shape;
  schema: JsonSchema;
  value: Value | undefined;
  onChange: Change;
  ids: { id?: string; "aria-describedby"?: string; "aria-invalid"?: boolean; "aria-label"?: string };
  placeholder: string | undefined;
  optional: boolean;
}

function Control({ name, shape, schema, value, onChange, ids, placeholder, optional }: ControlProps): ReactNode {
  const say = usePartWords();
  const hint = placeholder === undefined ? {} : { placeholder };
  switch (shape.kind) {
    case "text": {
      const text = typeof value === "string" ? value : "";
      if (text.includes("\n") || (schema.maxLength ?? 0) > 400) return <TextArea {...ids} {...hint} value={text} onChange={onChange} mono rows={Math.min(8, Math.max(2, text.split("\n").length))} />;
      return <TextInput {...ids} {...hint} value={text} onChange={onChange} mono />;
    }
    case "number":
    case "integer":
      return <NumberInput {...ids} {...(placeholder === undefined ? {} : ({ placeholder } as object))} value={typeof value === "number" ? value : null} onChange={(next) => onChange(next ?? undefined)} width={160} />;
    case "boolean":
      if (!optional) return <Toggle {...ids} checked={value === true} onChange={onChange} />;
      return (
        <span id={ids.id} role="group" aria-describedby={ids["aria-describedby"]} className="kp-three">
          <Pick
            value={value === undefined ? "unset" : value ? "on" : "off"}
            onChange={(next) => onChange(next === "unset" ? undefined : next === "on")}
            label={ids["aria-label"] ?? name}
            options={[
              { value: "unset", label: placeholder ?? say("unset") },
              { value: "on", label: say("on") },
              { value: "off", label: say("off") },
            ]}
          />
        </span>
      );
    case "choice": {
      if (shape.options.length === 1 && !optional) return <span id={ids.id} className="k-mono kp-form-text">{String(shape.options[0])}</span>;
      const options = shape.options.map((one) => ({ value: JSON.stringify(one), label: typeof one === "string" ? one || '""' : JSON.stringify(one) }));
      return <Choice {...ids} {...hint} value={value === undefined ? null : JSON.stringify(value)} onChange={(next) => onChange(JSON.parse(next) as Value)} options={options} />;
    }
    case "secret": {
      const fresh = isSecret(value) ? value.$secret["value"] : "";
      if (typeof fresh === "string") return <TextInput {...ids} password mono value={fresh} onChange={(next) => onChange({ [SECRET]: { value: next } })} />;
      return (
        <span id={ids.id} className="kp-control">
          <HiddenSecret label={name} value={value} />
          <Button size="small" icon="edit" onClick={() => onChange({ [SECRET]: { value: "" } })}>{say("replace")}</Button>
        </span>
      );
    }
    default:
      return <span id={ids.id} className="k-mono">null</span>;
  }
}

/** A secret as the server gives it: its mask, by which a change is seen. */
function HiddenSecret({ label, value }: { label: ReactNode; value: Value | undefined }): ReactNode {
  const mask = isSecret(value) ? value.$secret["mask"] : undefined;
  return <Secret label={typeof label === "string" ? label : ""} {...(typeof mask === "string" ? { hash: mask } : {})} />;
}

/** One of several kinds: which, and its own fields. What was written under another kind comes back with it. */
function Variants({ shape, reading, value, onChange, path, name }: PartProps & { shape: VariantsShape; reading: Reading; name: string }): ReactNode {
  const { root, readOnly } = useContext(InsideContext);
  const say = usePartWords();
  const kept = useRef(new Map<number, Value>());
  const [chosen, setChosen] = useState<number>();
  const found = variantOf(value, shape.variants, shape.tag, root);
  const at = chosen !== undefined && value !== undefined && shape.variants[chosen] && fits(value, shape.variants[chosen].schema, root) ? chosen : found;
  if (value !== undefined && value !== null && at < 0) return <JsonPart value={value} onChange={onChange} path={path} name={name} message={say("wrong", { value: brief(value, say) })} />;
  const variant = shape.variants[at];
  const change = (label: string): void => {
    const to = Number(label);
    if (value !== undefined && at >= 0) kept.current.set(at, value);
    setChosen(to);
    onChange(kept.current.get(to) ?? switched(value, shape.variants[to]!.schema, root));
  };
  const inner = variant && readSchema(variant.schema, root);
  return (
    <div className="kp-variants">
      {readOnly ? (
        <div className="kp-form-read"><span className="kp-form-read-name">{shape.tag ?? say("variant")}</span><span className="k-mono">{variant?.label ?? say("unset")}</span></div>
      ) : (
        <Field label={shape.tag ? <span className="k-mono">{shape.tag}</span> : say("variant")} hint={reading.schema.title || inner?.shape.kind === "secret" ? undefined : variant?.schema.description}>
          {(ids) => <Choice {...ids} value={at < 0 ? null : String(at)} onChange={change} options={shape.variants.map((one, place) => ({ value: String(place), label: one.label }))} />}
        </Field>
      )}
      {inner &&
        (inner.shape.kind === "object" && isObject(value) ? (
          <ObjectFields shape={inner.shape} value={value} onChange={onChange} path={path} without={shape.tag} />
        ) : inner.shape.kind === "list" || inner.shape.kind === "variants" || inner.shape.kind === "unknown" ? (
          <Nested reading={inner} value={value} onChange={onChange} path={path} name={name} />
        ) : (
          inner.shape.kind !== "null" && <Leaf reading={inner} value={value} onChange={onChange} path={path} name={name} required bare={name || say("value")} />
        ))}
    </div>
  );
}

/** Give the focus to a control once it is drawn. */
function useFocusAfter(holder: React.RefObject<HTMLElement | null>): (selector: string) => void {
  const wanted = useRef<string>(undefined);
  useEffect(() => {
    if (!wanted.current) return;
    const found = holder.current?.querySelector<HTMLElement>(wanted.current);
    wanted.current = undefined;
    const control = found?.matches("button,input") ? found : found?.querySelector<HTMLElement>("input,button,textarea,[contenteditable]");
    control?.focus();
  });
  return (selector) => {
    wanted.current = selector;
  };
}

function ListRows({ shape, least, value, onChange, path, name }: { shape: ListShape; least: number; value: Value[]; onChange: Change; path: Steps; name: string }): ReactNode {
  const { root, readOnly } = useContext(InsideContext);
  const say = usePartWords();
  const holder = useRef<HTMLDivElement>(null);
  const focus = useFocusAfter(holder);
  const move = (from: number, to: number): void => {
    const way = to < from ? "up" : "down";
    const still = to > 0 && to < value.length - 1 ? way : to === 0 ? "down" : "up";
    focus(`:scope > ol > li:nth-child(${to + 1}) > .kp-item-actions > [data-move="${still}"] button`);
    onChange(moved(value, from, to));
  };
  return (
    <div ref={holder} className="kp-list">
      {value.length === 0 && <p className="k-quiet kp-form-none">{least > 0 ? say("needsItems", { value: least }) : say("noItems")}</p>}
      <ol>
        {value.map((one, place) => {
          const called = `${name} ${place + 1}`;
          return (
            <li key={place} className="kp-item">
              <span className="kp-item-number" aria-hidden="true">{place + 1}</span>
              <div className="kp-item-value"><Item schema={shape.items} value={one} onChange={(next) => onChange(withItem(value, place, next ?? null))} path={[...path, String(place)]} name={called} /></div>
              {!readOnly && (
                <span className="kp-item-actions">
                  <span data-move="up"><Button kind="quiet" size="small" icon="up" disabled={place === 0} label={say("moveUp", { name: called })} onClick={() => move(place, place - 1)} /></span>
                  <span data-move="down"><Button kind="quiet" size="small" icon="down" disabled={place === value.length - 1} label={say("moveDown", { name: called })} onClick={() => move(place, place + 1)} /></span>
                  <Button
                    kind="quiet"
                    size="small"
                    icon="close"
                    label={say("removeItem", { name: called })}
                    onClick={() => {
                      focus(value.length > 1 ? `:scope > ol > li:nth-child(${Math.max(1, place)}) > .kp-item-actions > button` : ":scope > .kp-add button");
                      onChange(withoutItem(value, place));
                    }}
                  />
                </span>
              )}
            </li>
          );
        })}
      </ol>
      {!readOnly && (
        <span className="kp-add">
          <Button
            size="small"
            icon="plus"
            onClick={() => {
              focus(`:scope > ol > li:nth-child(${value.length + 1}) > .kp-item-value`);
              onChange([...value, initial(shape.items, root)]);
            }}
          >
            {say("addItem")}
          </Button>
        </span>
      )}
    </div>
  );
}

/** An item of a list or the value of a map's key: named by where it stands. */
function Item({ schema, value, onChange, path, name }: PartProps & { schema: JsonSchema; name: string }): ReactNode {
  const { root, problems } = useContext(InsideContext);
  const reading = useMemo(() => readSchema(schema, root), [schema, root]);
  const { shape } = reading;
  if (shape.kind === "object" || shape.kind === "list" || shape.kind === "variants" || shape.kind === "unknown") {
    const wrong = problems.get(pathText(path));
    return (
      <div role="group" aria-label={name} className="kp-item-group">
        {wrong && <p className="k-field-error" role="alert">{wrong.join(" ")}</p>}
        <Nested reading={reading} value={value} onChange={onChange} path={path} name={name} />
      </div>
    );
  }
  return <Leaf reading={reading} value={value} onChange={onChange} path={path} name={name} required bare={name} />;
}

function MapRows({ schema, value, keys, onChange, path }: { schema: JsonSchema; value: { [key: string]: Value }; keys: string[]; onChange: Change; path: Steps }): ReactNode {
  const { root, readOnly } = useContext(InsideContext);
  const say = usePartWords();
  const holder = useRef<HTMLDivElement>(null);
  const focus = useFocusAfter(holder);
  const [next, setNext] = useState("");
  const taken = next !== "" && Object.hasOwn(value, next);
  const id = useId();
  const { shape } = useMemo(() => readSchema(schema, root), [schema, root]);
  const made = shape.kind === "unknown" ? "" : initial(schema, root);
  const add = (): void => {
    if (next === "" || taken) return;
    focus(`:scope > ul > li:nth-child(${keys.length + 1}) > .kp-item-value`);
    onChange(withKey(value, next, made));
    setNext("");
  };
  return (
    <div ref={holder} className="kp-map">
      <ul>
        {keys.map((key) => (
          <li key={key} className="kp-entry">
            {readOnly ? <span className="k-mono kp-form-text">{key}</span> : <KeyInput name={key} taken={(one) => Object.hasOwn(value, one)} onRename={(to) => onChange(renamed(value, key, to))} />}
            <div className="kp-item-value"><Item schema={schema} value={value[key]} onChange={(one) => onChange(withKey(value, key, one ?? null))} path={[...path, key]} name={key} /></div>
            {!readOnly && (
              <span className="kp-item-actions">
                <Button
                  kind="quiet"
                  size="small"
                  icon="close"
                  label={say("removeItem", { name: key })}
                  onClick={() => {
                    focus(":scope > .kp-entry-new input");
                    onChange(withKey(value, key, undefined));
                  }}
                />
              </span>
            )}
          </li>
        ))}
      </ul>
      {keys.length === 0 && readOnly && <p className="k-quiet kp-form-none">{say("noItems")}</p>}
      {!readOnly && (
        <div className={`kp-entry-new${taken ? " k-invalid" : ""}`}>
          <TextInput value={next} onChange={setNext} onEnter={add} mono placeholder={say("newKey")} aria-label={say("newKey")} {...(taken ? { "aria-invalid": true, "aria-describedby": id } : {})} />
          <Button size="small" icon="plus" disabled={next === "" || taken} reason={taken ? say("keyTaken", { name: next }) : say("keyEmpty")} onClick={add}>{say("addKey")}</Button>
          {taken && <p id={id} className="k-field-error" role="alert">{say("keyTaken", { name: next })}</p>}
        </div>
      )}
    </div>
  );
}

/** The name of a key. It changes when it is left or Enter is pressed; a name that is taken stays written and is told. */
function KeyInput({ name, taken, onRename }: { name: string; taken: (name: string) => boolean; onRename: (name: string) => void }): ReactNode {
  const say = usePartWords();
  const [text, setText] = useState(name);
  useEffect(() => setText(name), [name]);
  const wrong = text === "" ? say("keyEmpty") : text !== name && taken(text) ? say("keyTaken", { name: text }) : undefined;
  const keep = (): void => {
    if (text !== name && !wrong) onRename(text);
  };
  return (
    <div className={`kp-bare${wrong ? " k-invalid" : ""}`} onBlur={keep}>
      <TextInput value={text} onChange={setText} mono onEnter={keep} onEscape={() => setText(name)} aria-label={`${say("key")} ${name}`} {...(wrong ? { "aria-invalid": true } : {})} />
      {wrong && <p className="k-field-error" role="alert">{wrong}</p>}
    </div>
  );
}

/** A part that has no control: its JSON. A text that is none stays as it is, and is told. */
function JsonPart({ value, onChange, path, name, message, only }: PartProps & { name: string; message?: string | undefined; only?: string[] }): ReactNode {
  const { all, readOnly } = useContext(InsideContext);
  const say = usePartWords();
  const [text, setText] = useState(() => printJson(value));
  const last = useRef(printJson(value));
  useEffect(() => {
    const now = printJson(value);
    if (now === last.current) return;
    last.current = now;
    setText(now);
  }, [value]);
  const read = useMemo(() => reading(readJson, text), [text]);
  const below = read.places ? all.filter((problem) => (only === undefined || only.includes(problem.steps[path.length] ?? "")) && problem.steps.length >= path.length && path.every((step, place) => problem.steps[place] === step)).map((problem) => placed(problem.steps.slice(path.length), problem.message, read.places!)) : [];
  const problems = read.problem ? (text.trim() === "" ? [] : [read.problem]) : below;
  const change = (next: string): void => {
    setText(next);
    const now = reading(readJson, next);
    if (now.problem) return;
    last.current = printJson(now.value);
    onChange(now.value);
  };
  return (
    <div className="kp-json">
      <div className="kp-json-head">
        <span className="k-mono">{name}</span> <span className="k-quiet">{say("asJson")}</span>
      </div>
      <CodeEditor value={text} onChange={change} language="json" label={`${name} ${say("asJson")}`} problems={problems} readOnly={readOnly} />
      {problems.map((problem, place) => (
        <p key={place} className="k-field-error" role="alert">{say("atCap", problem as unknown as Record<string, number>)}: {problem.message}</p>
      ))}
      {message && problems.length === 0 && <p className="k-field-error" role="alert">{message}</p>}
    </div>
  );
}

interface Outcome {
  value?: Value;
  places?: Map<string, { line: number; column: number }>;
  problem?: CodeProblem;
}

function reading(read: (text: string) => { value: Value; places: Map<string, { line: number; column: number }> }, text: string): Outcome {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof TextError) return { problem: { line: error.line, column: error.column, message: error.message } };
    throw error;
  }
}

/** Where the value of a path stands in its text; where it is not there, what it would be in. */
function placed(steps: Steps, message: string, places: Map<string, { line: number; column: number }>): CodeProblem {
  for (let depth = steps.length; depth >= 0; depth--) {
    const at = places.get(pathText(steps.slice(0, depth)));
    if (at) return { ...at, message: depth === steps.length ? message : `${steps.slice(depth).join(".")}: ${message}` };
  }
  return { line: 1, column: 1, message };
}

export interface TwinProps {
  schema: object;
  value: unknown;
  onChange: (value: Value) => void;
  language?: "json" | "yaml";
  problems?: FormProblem[] | undefined;
  readOnly?: boolean;
  omit?: string[];
  label: string;
  height?: number;
  /** The text to begin with, where it was written by hand: its form and comments are kept. */
  text?: string;
  /** Every text as it is written, and whether it parses. */
  onText?: (text: string, parses: boolean) => void;
  mode?: "form" | "source";
  onMode?: (mode: "form" | "source") => void;
  onSave?: () => void;
  actions?: ReactNode;
}

/** One value, as a form or as its source. A source that does not parse stays, and the form then shows the last value that did. */
export function Twin(props: TwinProps): ReactNode {
  const { schema, value, onChange, language = "json", problems, readOnly = false, omit, label, height, text: given, onText, onMode, onSave, actions } = props;
  const say = usePartWords();
  const read = language === "json" ? readJson : readYaml;
  const print = (one: unknown): string => (language === "json" ? printJson : printYaml)(one as Value | undefined);
  const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
  const [own, setOwn] = useState<"form" | "source">("form");
  const mode = props.mode ?? own;
  const [text, setText] = useState(() => given ?? print(value));
  const [outside, setOutside] = useState(false);
  const told = useRef<unknown>(value);
  const typed = useRef(false);
  const editor = useRef<CodeHandle>(null);
  const [visited, setVisited] = useState(false);
  if (mode === "source" && !visited) setVisited(true);
  const outcome = useMemo(() => reading(read, text), [read, text]);
  const broken = outcome.problem;
  const put = (next: string): void => {
    setText(next);
    setOutside(false);
    onText?.(next, true);
  };
  useEffect(() => {
    if (same(value, told.current)) return;
    told.current = value;
    if (!broken && same(outcome.value, value)) return;
    if (broken || (mode === "source" && typed.current)) setOutside(true);
    else put(print(value));
    // Only a value from elsewhere matters here.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [value]);
  const go = (next: "form" | "source"): void => {
    typed.current = false;
    setOwn(next);
    onMode?.(next);
  };
  const fromForm = (next: Value): void => {
    told.current = next;
    put(print(next));
    onChange(next);
  };
  const fromText = (next: string): void => {
    typed.current = true;
    setText(next);
    const now = reading(read, next);
    onText?.(next, !now.problem);
    if (now.problem || now.value === undefined) return;
    setOutside(false);
    if (same(now.value, told.current)) return;
    told.current = now.value;
    onChange(now.value);
  };
  const marks = useMemo(() => (broken ? [broken] : outcome.places ? (problems ?? []).map((problem) => placed(stepsOf(problem.path), problem.message, outcome.places!)) : []), [broken, outcome, problems]);
  const where = broken && say("at", { line: broken.line, column: broken.column });
  return (
    <div className="kp-twin">
      <div className="kp-twin-head">
        <Pick value={mode} onChange={go} label={say("formSource")} options={[{ value: "form", label: say("form") }, { value: "source", label: `${say("source")} ${language.toUpperCase()}` }]} />
        <span className="k-grow" />
        {actions}
      </div>
      {outside && (
        <Note hue="warn" actions={<Button size="small" onClick={() => put(print(value))}>{say("takeValue")}</Button>}>
          {say("outside")}
        </Note>
      )}
      {mode === "form" && broken && (
        <Note hue="bad" actions={<Button size="small" onClick={() => { go("source"); window.setTimeout(() => editor.current?.goTo(broken.line, broken.column), 200); }}>{say("toSource")}</Button>}>
          {say("notParsed", { at: where!, message: broken.message })} {say("formLast")}
        </Note>
      )}
      {mode === "form" && !broken && !readOnly && language === "yaml" && /(^|\s)#\s?\S/m.test(text) && <p className="k-field-hint kp-twin-hint">{say("commentsGo")}</p>}
      {mode === "form" && <SchemaForm schema={schema} value={value} onChange={fromForm} problems={problems} readOnly={readOnly || broken !== undefined} label={label} {...(omit ? { omit } : {})} />}
      {/* Once shown the editor stays, so that what it can undo stays too. */}
      {(mode === "source" || visited) && (
        <div className="kp-twin-pair" hidden={mode === "form"}>
          <div className="kp-twin-source">
            <CodeEditor ref={editor} value={text} onChange={fromText} language={language} problems={marks} readOnly={readOnly} label={label} {...(height === undefined ? {} : { height })} {...(onSave ? { onSave } : {})} />
          </div>
          <div role="status" className="kp-twin-told">
            {marks.map((mark, place) => (
              <p key={place} className="k-field-error">
                <button type="button" className="kp-link" onClick={() => editor.current?.goTo(mark.line, mark.column)}>{say("atCap", { line: mark.line, column: mark.column })}</button>: {mark.message}
              </p>
            ))}
          </div>
        </div>
      )}
    </div>
  );
}
