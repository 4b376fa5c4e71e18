// @vitest-environment node
import { describe, expect, it } from "vitest";
import { complaintOf, fits, initial, moved, readSchema, renamed, switched, variantOf, withKey, withoutItem, type JsonSchema } from "./schema";

/** As msgspec writes it. */
const root: JsonSchema = {
  $ref: "#/$defs/Rule",
  $defs: {
    Rule: {
      title: "Rule",
      type: "object",
      properties: {
        name: { type: "string", maxLength: 5, pattern: "^[a-z]+$" },
        retry: { $ref: "#/$defs/Retry" },
        action: { anyOf: [{ $ref: "#/$defs/Limit" }, { $ref: "#/$defs/Reject" }], discriminator: { propertyName: "type", mapping: {} } },
        ratio: { anyOf: [{ type: "number", minimum: 0, exclusiveMaximum: 1 }, { type: "null" }], default: null },
        zones: { type: "array", items: { type: "string" }, default: [] },
        labels: { type: "object", additionalProperties: { type: "integer" }, default: {} },
        mode: { $ref: "#/$defs/Mode", default: "async" },
        either: { anyOf: [{ type: "integer" }, { type: "string" }], default: 0 },
      },
      required: ["name", "retry", "action"],
    },
    Retry: { type: "object", title: "Retry", properties: { attempts: { type: "integer", minimum: 1, maximum: 10 }, wait: { type: "number", default: 0.5 } }, required: ["attempts"] },
    Limit: { type: "object", title: "Limit", properties: { type: { enum: ["limit"] }, rate: { type: "integer" }, note: { type: "string", default: "" } }, required: ["type", "rate"] },
    Reject: { type: "object", title: "Reject", properties: { type: { const: "reject" }, note: { type: "string", default: "" } }, required: ["type"] },
    Mode: { enum: ["async", "sync"], title: "Mode" },
  },
};

const field = (name: string) => readSchema(root.$defs!.Rule!.properties![name]!, root);

describe("what a schema asks for", () => {
  it("is read through references, unions with null, tags and enums", () => {
    const { shape } = readSchema(root, root);
    expect(shape.kind).toBe("object");
    expect(field("retry").shape.kind).toBe("object");
    expect(field("ratio")).toMatchObject({ nullable: true, shape: { kind: "number" }, schema: { minimum: 0 } });
    expect(field("mode").shape).toEqual({ kind: "choice", options: ["async", "sync"] });
    expect(field("labels").shape).toEqual({ kind: "object", fields: [], more: { type: "integer" } });
    const action = field("action").shape;
    expect(action).toMatchObject({ kind: "variants", tag: "type" });
    expect(action.kind === "variants" && action.variants.map((one) => one.label)).toEqual(["limit", "reject"]);
    expect(field("either").shape).toMatchObject({ kind: "variants" });
    expect(readSchema({ allOf: [] }, root).shape.kind).toBe("unknown");
    expect(readSchema({ $ref: "#/$defs/Nowhere" }, root).shape.kind).toBe("unknown");
    expect(readSchema({ type: ["string", "null"] }, root)).toMatchObject({ nullable: true, shape: { kind: "text" } });
  });

  it("does not go round for ever where a schema names itself", () => {
    const loop: JsonSchema = { $ref: "#/$defs/A", $defs: { A: { $ref: "#/$defs/A" }, Tree: { type: "object", properties: { child: { $ref: "#/$defs/Tree" } }, required: ["child"] } } };
    expect(readSchema(loop, loop).shape.kind).toBe("unknown");
    expect(() => initial({ $ref: "#/$defs/Tree" }, loop)).not.toThrow();
  });

  it("gives a value to begin with that fits", () => {
    const value = initial(root, root);
    expect(value).toEqual({ name: "", retry: { attempts: 1 }, action: { type: "limit", rate: 0 } });
    expect(fits(value, root, root)).toBe(true);
  });

  it("knows which kind a value is, and keeps what both kinds know", () => {
    const { shape } = field("action");
    if (shape.kind !== "variants") throw new Error("no variants");
    const value = { type: "limit", rate: 5, note: "kept" };
    expect(variantOf(value, shape.variants, shape.tag, root)).toBe(0);
    expect(variantOf({ type: "other" }, shape.variants, shape.tag, root)).toBe(-1);
    expect(switched(value, shape.variants[1]!.schema, root)).toEqual({ type: "reject", note: "kept" });
  });
});

describe("changes", () => {
  it("leave what they were given, and the order of keys", () => {
    const value = { a: 1, b: 2, c: 3 };
    expect(Object.entries(withKey(value, "b", 9))).toEqual([["a", 1], ["b", 9], ["c", 3]]);
    expect(Object.keys(withKey(value, "d", 4))).toEqual(["a", "b", "c", "d"]);
    expect(withKey(value, "a", undefined)).toEqual({ b: 2, c: 3 });
    expect(Object.keys(renamed(value, "a", "z"))).toEqual(["z", "b", "c"]);
    expect(value).toEqual({ a: 1, b: 2, c: 3 });
    const list = [1, 2, 3];
    expect(moved(list, 0, 2)).toEqual([2, 3, 1]);
    expect(moved(list, 0, -1)).toEqual(list);
    expect(withoutItem(list, 1)).toEqual([1, 3]);
    expect(list).toEqual([1, 2, 3]);
  });
});

it("says what a value violates", () => {
  const rule = root.$defs!.Rule!.properties!;
  expect(complaintOf("toolong", rule.name!)).toEqual({ word: "shorter", values: { value: 5, count: 7 } });
  expect(complaintOf("A", rule.name!)?.word).toBe("pattern");
  expect(complaintOf("a", rule.name!)).toBeUndefined();
  expect(complaintOf(1, field("ratio").schema)?.word).toBe("below");
  expect(complaintOf(1.5, { type: "integer" }, true)?.word).toBe("whole");
  expect(complaintOf(undefined, rule.name!)).toBeUndefined();
  expect(complaintOf("x", { pattern: "(?P<a>x" })).toBeUndefined();
});
