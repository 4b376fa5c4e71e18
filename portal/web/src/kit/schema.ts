import type { Value } from "./text";

/** A JSON Schema as far as a form reads it. */
export interface JsonSchema {
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  discriminator?: { propertyName: string; mapping?: Record<string, string> };
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: boolean | JsonSchema;
  prefixItems?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  minItems?: number;
  maxItems?: number;
  examples?: unknown[];
  readOnly?: boolean;
  writeOnly?: boolean;
  [key: string]: unknown;
}

export interface Variant {
  label: string;
  schema: JsonSchema;
}

/** What a schema asks for, with its references followed. */
export type Shape =
  | { kind: "text" | "number" | "integer" | "boolean" | "null" | "secret" }
  | { kind: "choice"; options: Value[] }
  | { kind: "object"; fields: { name: string; schema: JsonSchema; required: boolean }[]; more: JsonSchema | null }
  | { kind: "list"; items: JsonSchema }
  | { kind: "variants"; variants: Variant[]; tag?: string }
  | { kind: "unknown" };

export interface Reading {
  schema: JsonSchema;
  shape: Shape;
  nullable: boolean;
}

const MOST_REFS = 32;
/** The one field of a secret: written with its `value`, read with its `mask` alone. */
export const SECRET = "$secret";

export function follow(schema: JsonSchema, root: JsonSchema): JsonSchema {
  let found = schema;
  for (let step = 0; found.$ref !== undefined && step < MOST_REFS; step++) {
    const { $ref, ...beside } = found;
    let target: unknown = root;
    for (const name of $ref.replace(/^#\/?/, "").split("/").filter(Boolean)) target = (target as Record<string, unknown> | undefined)?.[decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")];
    if (typeof target !== "object" || target === null) return beside;
    found = { ...(target as JsonSchema), ...beside };
    if (beside.$ref === undefined) found.$ref = (target as JsonSchema).$ref;
    if (found.$ref === undefined) delete found.$ref;
  }
  return found;
}

const isNull = (schema: JsonSchema): boolean => schema.type === "null" || (schema.const === null && "const" in schema) || (schema.enum?.length === 1 && schema.enum[0] === null);

/** Read what a schema asks for. */
export function readSchema(given: JsonSchema, root: JsonSchema): Reading {
  let schema = follow(given, root);
  let nullable = false;
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches) {
    const rest = branches.map((one) => follow(one, root)).filter((one) => !isNull(one));
    nullable = rest.length < branches.length;
    const { anyOf: _any, oneOf: _one, ...outer } = schema;
    if (rest.length === 1) {
      const inner = readSchema(rest[0]!, root);
      return { schema: { ...inner.schema, ...outer }, shape: inner.shape, nullable: nullable || inner.nullable };
    }
    return { schema, shape: variantsOf(rest, schema.discriminator?.propertyName, root), nullable };
  }
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    nullable = types.length < schema.type.length;
    if (types.length > 1) return { schema, shape: variantsOf(types.map((type) => ({ ...schema, type, title: undefined })), undefined, root), nullable };
    schema = { ...schema, type: types[0] ?? "null" };
  }
  if (schema.enum?.includes(null) && schema.enum.length > 1) {
    schema = { ...schema, enum: schema.enum.filter((one) => one !== null) };
    nullable = true;
  }
  return { schema, shape: shapeOf(schema), nullable };
}

function shapeOf(schema: JsonSchema): Shape {
  if ("const" in schema) return { kind: "choice", options: [schema.const as Value] };
  if (schema.enum) return schema.enum.every((one) => one === null || typeof one !== "object") ? { kind: "choice", options: schema.enum as Value[] } : { kind: "unknown" };
  switch (schema.type) {
    case "string":
      return { kind: "text" };
    case "number":
      return { kind: "number" };
    case "integer":
      return { kind: "integer" };
    case "boolean":
      return { kind: "boolean" };
    case "null":
      return { kind: "null" };
    case "array":
      if (schema.prefixItems && schema.prefixItems.length > 0) return { kind: "unknown" };
      return typeof schema.items === "object" ? { kind: "list", items: schema.items } : { kind: "unknown" };
    case "object": {
      if (Object.keys(schema.properties ?? {}).join() === SECRET) return { kind: "secret" };
      const required = new Set(schema.required ?? []);
      const fields = Object.entries(schema.properties ?? {}).map(([name, one]) => ({ name, schema: one, required: required.has(name) }));
      const more = typeof schema.additionalProperties === "object" ? schema.additionalProperties : schema.additionalProperties === false || fields.length > 0 ? null : {};
      return { kind: "object", fields, more };
    }
    default:
      return { kind: "unknown" };
  }
}

function variantsOf(branches: JsonSchema[], named: string | undefined, root: JsonSchema): Shape {
  const objects = branches.every((one) => one.type === "object" && one.properties);
  const tag = named ?? (objects ? tagOf(branches, root) : undefined);
  const variants = branches.map((schema, place) => {
    const value = tag === undefined ? undefined : tagValue(schema, tag, root);
    const label = value !== undefined ? String(value) : (schema.title ?? (typeof schema.type === "string" ? schema.type : "const" in schema ? JSON.stringify(schema.const) : `${place + 1}`));
    return { label, schema };
  });
  const labels = new Set(variants.map((one) => one.label));
  const told = labels.size === variants.length ? variants : variants.map((one, place) => ({ ...one, label: `${one.label} ${place + 1}` }));
  return { kind: "variants", variants: told, ...(tag === undefined ? {} : { tag }) };
}

function tagValue(schema: JsonSchema, tag: string, root: JsonSchema): Value | undefined {
  const property = schema.properties?.[tag];
  if (!property) return undefined;
  const one = follow(property, root);
  if ("const" in one) return one.const as Value;
  return one.enum?.length === 1 ? (one.enum[0] as Value) : undefined;
}

/** The property that tells the branches apart: each has one value for it, and no two the same. */
function tagOf(branches: JsonSchema[], root: JsonSchema): string | undefined {
  return Object.keys(branches[0]?.properties ?? {}).find((name) => {
    const told = branches.map((one) => tagValue(one, name, root));
    return !told.includes(undefined) && new Set(told).size === told.length;
  });
}

/** Which branch a value belongs to; -1 where to none. */
export function variantOf(value: Value | undefined, variants: Variant[], tag: string | undefined, root: JsonSchema): number {
  if (value === undefined) return -1;
  if (tag !== undefined) {
    const told = isObject(value) ? value[tag] : undefined;
    return variants.findIndex((one) => tagValue(one.schema, tag, root) === told);
  }
  return variants.findIndex((one) => fits(value, one.schema, root, 0));
}

export const isObject = (value: unknown): value is { [key: string]: Value } => typeof value === "object" && value !== null && !Array.isArray(value);

export const isSecret = (value: unknown): value is { $secret: { [key: string]: Value } } => isObject(value) && isObject(value[SECRET]);

/** Whether a value has the form that a schema asks for; bounds are told elsewhere. */
export function fits(value: Value, given: JsonSchema, root: JsonSchema, depth = 0): boolean {
  const { shape, nullable } = readSchema(given, root);
  if (value === null && nullable) return true;
  switch (shape.kind) {
    case "text":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "integer":
      return typeof value === "number" && Number.isInteger(value);
    case "boolean":
      return typeof value === "boolean";
    case "null":
      return value === null;
    case "choice":
      return shape.options.includes(value);
    case "secret":
      return isSecret(value);
    case "list":
      return Array.isArray(value) && (depth > 8 || value.every((one) => fits(one, shape.items, root, depth + 1)));
    case "object":
      return isObject(value) && (depth > 8 || shape.fields.every((field) => (Object.hasOwn(value, field.name) ? fits(value[field.name]!, field.schema, root, depth + 1) : !field.required)));
    case "variants":
      return variantOf(value, shape.variants, shape.tag, root) >= 0;
    case "unknown":
      return true;
  }
}

/** The number nearest to zero within the bounds. */
function nearZero(schema: JsonSchema): number {
  const least = schema.minimum ?? (schema.exclusiveMinimum === undefined ? Number.NEGATIVE_INFINITY : schema.exclusiveMinimum + 1);
  const most = schema.maximum ?? (schema.exclusiveMaximum === undefined ? Number.POSITIVE_INFINITY : schema.exclusiveMaximum - 1);
  return Math.min(Math.max(0, least), Math.max(most, least));
}

/** A value to begin with: the default where there is one, else the least that has the form. */
export function initial(given: JsonSchema, root: JsonSchema, depth = 0): Value {
  const { schema, shape, nullable } = readSchema(given, root);
  if (schema.default !== undefined) return structuredClone(schema.default) as Value;
  if (nullable || depth > 8) return null;
  switch (shape.kind) {
    case "text":
      return "";
    case "number":
    case "integer":
      return nearZero(schema);
    case "boolean":
      return false;
    case "choice":
      return shape.options[0] ?? null;
    case "secret":
      return { [SECRET]: { value: "" } };
    case "list":
      return [];
    case "object":
      return Object.fromEntries(shape.fields.filter((field) => field.required).map((field) => [field.name, initial(field.schema, root, depth + 1)]));
    case "variants":
      return shape.variants[0] ? initial(shape.variants[0].schema, root, depth + 1) : null;
    default:
      return null;
  }
}

/** The value after its kind was changed: what both kinds know is kept. */
export function switched(value: Value | undefined, to: JsonSchema, root: JsonSchema): Value {
  const made = initial(to, root);
  const { shape } = readSchema(to, root);
  if (!isObject(value) || !isObject(made) || shape.kind !== "object") return made;
  const kept: [string, Value][] = [];
  for (const field of shape.fields) {
    const fixed = readSchema(field.schema, root).shape;
    const one = value[field.name];
    if (one !== undefined && !(fixed.kind === "choice" && fixed.options.length === 1) && fits(one, field.schema, root)) kept.push([field.name, one]);
  }
  return { ...made, ...Object.fromEntries(kept) };
}

/* Changes. None touches the value it is given. */

/** Set a key, or take it away with undefined; the other keys keep their order. */
export function withKey(object: { [key: string]: Value }, key: string, value: Value | undefined): { [key: string]: Value } {
  const entries = Object.entries(object);
  if (value === undefined) return Object.fromEntries(entries.filter(([one]) => one !== key));
  return Object.hasOwn(object, key) ? Object.fromEntries(entries.map(([one, old]) => [one, one === key ? value : old])) : Object.fromEntries([...entries, [key, value]]);
}

/** Give a key another name, at its place. */
export const renamed = (object: { [key: string]: Value }, from: string, to: string): { [key: string]: Value } => Object.fromEntries(Object.entries(object).map(([key, value]) => [key === from ? to : key, value]));

export const withItem = (list: readonly Value[], place: number, value: Value): Value[] => list.map((one, at) => (at === place ? value : one));
export const withoutItem = (list: readonly Value[], place: number): Value[] => list.filter((_, at) => at !== place);

export function moved(list: readonly Value[], from: number, to: number): Value[] {
  if (to < 0 || to >= list.length) return [...list];
  const next = [...list];
  const [one] = next.splice(from, 1);
  next.splice(to, 0, one!);
  return next;
}

/** What a value violates: the word to say it with, and its numbers. */
export type Complaint = { word: "atLeast" | "atMost" | "above" | "below" | "whole" | "shorter" | "longer" | "pattern" | "multiple" | "fewer" | "more"; values: Record<string, string | number> };

export function complaintOf(value: Value | undefined, schema: JsonSchema, integer = false): Complaint | undefined {
  const one = (word: Complaint["word"], limit: number | string, count = 0): Complaint => ({ word, values: { value: limit, count } });
  if (typeof value === "number") {
    if (integer && !Number.isInteger(value)) return one("whole", "");
    if (schema.minimum !== undefined && value < schema.minimum) return one("atLeast", schema.minimum);
    if (schema.maximum !== undefined && value > schema.maximum) return one("atMost", schema.maximum);
    if (schema.exclusiveMinimum !== undefined && value <= schema.exclusiveMinimum) return one("above", schema.exclusiveMinimum);
    if (schema.exclusiveMaximum !== undefined && value >= schema.exclusiveMaximum) return one("below", schema.exclusiveMaximum);
    if (schema.multipleOf && Math.abs(value / schema.multipleOf - Math.round(value / schema.multipleOf)) > 1e-9) return one("multiple", schema.multipleOf);
  }
  if (typeof value === "string") {
    const length = [...value].length;
    if (schema.maxLength !== undefined && length > schema.maxLength) return one("shorter", schema.maxLength, length);
    if (schema.minLength !== undefined && length < schema.minLength) return one("longer", schema.minLength, length);
    if (schema.pattern !== undefined && matcher(schema.pattern)?.test(value) === false) return one("pattern", schema.pattern);
  }
  if (Array.isArray(value)) {
    if (schema.maxItems !== undefined && value.length > schema.maxItems) return one("fewer", schema.maxItems, value.length);
    if (schema.minItems !== undefined && value.length < schema.minItems) return one("more", schema.minItems, value.length);
  }
  return undefined;
}

/** A pattern of another language's dialect may be none here; then the server alone judges. */
function matcher(pattern: string): RegExp | undefined {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return undefined;
  }
}
