import { describe, expect, test } from "vitest";
import { offeredIn, typeOf } from "./document";

describe("a type in one line", () => {
  test.each([
    [{ type: "string" }, "string"],
    [{ type: "string", format: "date-time" }, "string · date-time"],
    [{ $ref: "#/schemas/Order" }, "Order"],
    [{ type: "array", items: { $ref: "#/schemas/Order" } }, "list[Order]"],
    [{ type: "array", prefixItems: [{ type: "string" }, { type: "integer" }] }, "(string, integer)"],
    [{ type: "object", additionalProperties: { type: "number" } }, "map[number]"],
    [{ anyOf: [{ type: "string" }, { type: "null" }] }, "string | null"],
    [{ enum: ["red", 1] }, '"red" | 1'],
    [{}, "any"],
    [null, "any"],
  ])("%j", (schema, said) => expect(typeOf(schema)).toBe(said));

  test("ends, however deep it is", () => {
    let deep: unknown = { type: "string" };
    for (let level = 0; level < 1000; level += 1) deep = { type: "array", items: deep };
    expect(typeOf(deep)).toBe(`${"list[".repeat(7)}…${"]".repeat(7)}`);
  });
});

describe("a document", () => {
  const argued = { type: "object", properties: { order: { $ref: "#/schemas/Order" }, count: { type: "integer", default: 1 } }, required: ["order"] };
  const told = {
    version: "1.0.0",
    methods: [
      { name: "price", description: "What it costs.", arguments: argued, result: { type: "number" }, streams: "none", options: { timeout: 0.8 } },
      { name: "watch", arguments: {}, result: { type: "number" }, streams: "result", options: {} },
    ],
    schemas: { Order: { type: "object", properties: { article: { type: "string" } }, required: ["article"] } },
  };

  test("says what a method takes and gives", () => {
    const [price, watch] = offeredIn(told).methods;
    expect(price).toEqual({
      name: "price",
      description: "What it costs.",
      arguments: [
        { name: "order", type: "Order", required: true, fallback: "" },
        { name: "count", type: "integer", required: false, fallback: "1" },
      ],
      result: "number",
      options: { timeout: 0.8 },
    });
    expect(watch?.result).toBe("stream[number]");
    expect(offeredIn(told).shapes[0]).toMatchObject({ name: "Order", fields: [{ name: "article", required: true }] });
  });

  test.each([null, [], { methods: "no", schemas: 7 }, { methods: [null] }])("that is none says nothing: %j", (wrong) => {
    expect(offeredIn(wrong).shapes).toEqual([]);
  });
});
