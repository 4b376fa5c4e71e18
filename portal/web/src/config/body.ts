import type { EffectiveValue } from "../api";

/** The body of a namespace, and the pure work on it. */
export type Format = "properties" | "yaml" | "json" | "toml" | "text";
export type ItemType = "string" | "number" | "boolean" | "json";
export const FORMATS: Format[] = ["properties", "yaml", "json", "toml", "text"];
export const TYPES: ItemType[] = ["string", "number", "boolean", "json"];

export interface Sealed {
  $secret: { value?: string; mask?: string };
}

export interface Item {
  value: string | Sealed;
  type?: ItemType;
  comment?: string;
}

export interface Body {
  format: Format;
  items?: Record<string, Item>;
  document?: string | Sealed;
  public?: boolean;
  inherits?: string;
  schema?: string;
  description?: string;
}

export const isSealed = (value: unknown): value is Sealed => typeof value === "object" && value !== null && "$secret" in value;

export const maskOf = (value: unknown): string => (isSealed(value) ? (value.$secret.mask ?? "") : "");

export type RowState = "add" | "change" | "remove" | "same" | "inherited";

/** One key as the table shows it: as it is edited now, as it is published, and where its value comes from. */
export interface KeyRow {
  key: string;
  state: RowState;
  item?: Item;
  before?: Item;
  /** What is in force, for a key that is inherited and not set here. */
  inherited?: EffectiveValue;
  /** The layers below that this one covers. */
  covers: boolean;
}

const text = (item: Item | undefined): string => (item === undefined ? "" : isSealed(item.value) ? `#${maskOf(item.value)}` : item.value);

const same = (one: Item, other: Item): boolean => text(one) === text(other) && isSealed(one.value) === isSealed(other.value) && (one.type ?? "string") === (other.type ?? "string") && (one.comment ?? "") === (other.comment ?? "");

/** Give the rows of a namespace in properties format: what is edited, what was taken away, what comes from elsewhere. */
export function rowsOf(published: Body | null | undefined, draft: Body | null | undefined, values: EffectiveValue[] | undefined): KeyRow[] {
  const before = published?.items ?? {};
  const now = draft?.items ?? {};
  const covering = new Set((values ?? []).filter((one) => !one.inherited && one.shadowed.length > 0).map((one) => one.key));
  const rows: KeyRow[] = [];
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const item = Object.hasOwn(now, key) ? now[key] : undefined;
    const was = Object.hasOwn(before, key) ? before[key] : undefined;
    const state: RowState = item && was ? (same(item, was) ? "same" : "change") : item ? "add" : "remove";
    rows.push({ key, state, ...(item ? { item } : {}), ...(was ? { before: was } : {}), covers: covering.has(key) });
  }
  for (const value of values ?? []) {
    if (value.inherited && !Object.hasOwn(before, value.key) && !Object.hasOwn(now, value.key)) rows.push({ key: value.key, state: "inherited", inherited: value, covers: false });
  }
  return rows.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0));
}

/** What is wrong with a value of a type, as far as can be told before the server checks it; nothing where it reads. */
export function misfit(value: string, type: ItemType): "number" | "boolean" | "json" | null {
  if (type === "number") return value.trim() !== "" && Number.isFinite(Number(value)) ? null : "number";
  if (type === "boolean") return value === "true" || value === "false" ? null : "boolean";
  if (type === "json") {
    try {
      JSON.parse(value);
      return null;
    } catch {
      return "json";
    }
  }
  return null;
}

const MASKED = /^\(secret #([0-9a-f]*)\)$/;

const escaped = (value: string): string => value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
const unescaped = (value: string): string => value.replace(/\\(n|r|\\)/g, (_, one: string) => (one === "n" ? "\n" : one === "r" ? "\r" : "\\"));

/** Write items as lines: a comment above its key, secrets as their marks. */
export function writeItems(items: Record<string, Item>): string {
  const lines: string[] = [];
  for (const key of Object.keys(items).sort()) {
    const item = items[key] as Item;
    if (item.comment) lines.push(...item.comment.split("\n").map((line) => `# ${line}`));
    lines.push(`${key} = ${isSealed(item.value) ? `(secret #${maskOf(item.value)})` : escaped(item.value)}`);
  }
  return lines.join("\n") + (lines.length ? "\n" : "");
}

export interface LineProblem {
  line: number;
  column: number;
  reason: "noEquals" | "twice" | "secretMoved" | "empty";
  key: string;
}

/** Read what `writeItems` wrote, edited: a key keeps its type while its value still reads as one, and its secret while its mark stands. */
export function readItems(source: string, known: Record<string, Item>): { items: Record<string, Item>; problems: LineProblem[] } {
  const items: Record<string, Item> = {};
  const problems: LineProblem[] = [];
  let comment: string[] = [];
  source.split("\n").forEach((raw, place) => {
    const line = raw.trim();
    if (line === "") {
      comment = [];
    } else if (line.startsWith("#")) {
      comment.push(line.replace(/^#\s?/, ""));
    } else {
      const equals = line.indexOf("=");
      const key = (equals < 0 ? line : line.slice(0, equals)).trim();
      const value = equals < 0 ? "" : line.slice(equals + 1).trim();
      const at = { line: place + 1, column: 1, key };
      if (equals < 0) problems.push({ ...at, reason: "noEquals" });
      else if (!key) problems.push({ ...at, reason: "empty" });
      else if (Object.hasOwn(items, key)) problems.push({ ...at, reason: "twice" });
      const before = Object.hasOwn(known, key) ? known[key] : undefined;
      const mask = MASKED.exec(value);
      const note = comment.length ? { comment: comment.join("\n") } : {};
      if (mask) {
        if (before && isSealed(before.value)) items[key] = { ...before, ...note };
        else problems.push({ ...at, reason: "secretMoved" });
      } else {
        const plain = unescaped(value);
        const type = before?.type ?? "string";
        const kept = type === "string" || misfit(plain, type) ? {} : { type };
        items[key] = before && isSealed(before.value) ? { value: { $secret: { value: plain } }, ...note } : { value: plain, ...kept, ...note };
      }
      comment = [];
    }
  });
  return { items, problems };
}

/** Give a body without what stands at its default, as the server stores it. */
export function tidy(body: Body): Body {
  const kept: Body = { format: body.format };
  if (body.format === "properties") kept.items = body.items ?? {};
  else kept.document = body.document ?? "";
  if (body.public) kept.public = true;
  if (body.inherits) kept.inherits = body.inherits;
  if (body.schema) kept.schema = body.schema;
  if (body.description) kept.description = body.description;
  return kept;
}

export function withItem(body: Body, key: string, item: Item | null): Body {
  const items = { ...body.items };
  if (item) items[key] = item;
  else delete items[key];
  return tidy({ ...body, items });
}

export interface OriginPlace {
  center: string;
  application: string;
  namespace: string;
  cluster: string;
  revision: number;
}

/** Read an origin as the server writes it: center/application/namespace@cluster at epoch:revision. */
export function originOf(said: string): OriginPlace | null {
  const found = /^([^/]+)\/([^/]+)\/([^@ ]+)(?:@(\S+))? at \d+:(\d+)/.exec(said);
  return found ? { center: found[1] ?? "", application: found[2] ?? "", namespace: found[3] ?? "", cluster: found[4] ?? "", revision: Number(found[5]) } : null;
}

export const formatOfFile = (name: string): Format => {
  const end = name.toLowerCase().split(".").pop() ?? "";
  return end === "yaml" || end === "yml" ? "yaml" : end === "json" ? "json" : end === "toml" ? "toml" : end === "properties" || end === "env" ? "properties" : "text";
};
