/** What a service offers, as people read it: methods with types in one line, out of the JSON Schema that programs published. */

type Schema = Record<string, unknown>;

export interface Field {
  name: string;
  type: string;
  required: boolean;
  fallback: string;
}

export interface Method {
  name: string;
  description: string;
  arguments: Field[];
  result: string;
  options: Record<string, unknown>;
}

export interface Shape {
  name: string;
  fields: Field[];
  /** Where it is no struct: the type in one line. */
  type: string;
}

export interface Offered {
  version: string;
  group: string;
  description: string;
  digest: string;
  methods: Method[];
  shapes: Shape[];
}

/** Deeper than so many types in one another nothing is said: what is published is not to be trusted. */
const DEEPEST = 6;

const schemaOf = (value: unknown): Schema => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Schema) : {});
const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** Read a document; what it lacks is left empty, for others wrote it. */
export function offeredIn(document: unknown): Offered {
  const found = schemaOf(document);
  return {
    version: textOf(found["version"]),
    group: textOf(found["group"]),
    description: textOf(found["description"]),
    digest: textOf(found["digest"]),
    methods: listOf(found["methods"]).map((one) => methodOf(schemaOf(one))),
    shapes: Object.entries(schemaOf(found["schemas"])).map(([name, one]) => ({ name, fields: fieldsOf(schemaOf(one)), type: typeOf(one) })),
  };
}

function methodOf(found: Schema): Method {
  const streams = textOf(found["streams"]);
  const fields = fieldsOf(schemaOf(found["arguments"]));
  const gives = streams === "result" || streams === "both";
  const takes = streams === "argument" || streams === "both";
  const taken = takes ? [{ name: "…", type: `stream[${typeOf(found["item"])}]`, required: true, fallback: "" }] : [];
  return {
    name: textOf(found["name"]),
    description: textOf(found["description"]),
    arguments: [...fields, ...taken],
    result: gives ? `stream[${typeOf(found["result"])}]` : typeOf(found["result"]),
    options: schemaOf(found["options"]),
  };
}

function fieldsOf(schema: Schema): Field[] {
  const required = listOf(schema["required"]);
  return Object.entries(schemaOf(schema["properties"])).map(([name, one]) => ({
    name,
    type: typeOf(one),
    required: required.includes(name),
    fallback: "default" in schemaOf(one) ? JSON.stringify(schemaOf(one)["default"]) : "",
  }));
}

/** Say a type in one line, as `list[Order]`. */
export function typeOf(value: unknown, depth = 0): string {
  const schema = schemaOf(value);
  if (depth > DEEPEST) return "…";
  const below = (one: unknown): string => typeOf(one, depth + 1);
  if (typeof schema["$ref"] === "string") return schema["$ref"].split("/").pop() ?? "";
  const choices = listOf(schema["anyOf"] ?? schema["oneOf"]);
  if (choices.length > 0) return choices.map(below).join(" | ");
  if ("const" in schema) return JSON.stringify(schema["const"]);
  if (Array.isArray(schema["enum"])) return schema["enum"].map((one) => JSON.stringify(one)).join(" | ");
  const type = textOf(schema["type"]);
  if (type === "array") return Array.isArray(schema["prefixItems"]) ? `(${schema["prefixItems"].map(below).join(", ")})` : `list[${below(schema["items"])}]`;
  if (type === "object") return schema["additionalProperties"] && !schema["properties"] ? `map[${below(schema["additionalProperties"])}]` : textOf(schema["title"]) || "object";
  return [type || "any", textOf(schema["format"])].filter(Boolean).join(" · ");
}
