// @vitest-environment node
import { describe, expect, it } from "vitest";
import { pathText, printJson, printYaml, readJson, readYaml, stepsOf, TextError, type Value } from "./text";

const values: Value[] = [
  null, true, 0, -1.5, "", "text", "yes", "1.0", "007", "- x", "a: b", "#x", "x #y", " lead", "tail ", "two\nlines", "two\nlines\n", "end\n\n", "\n", "tab\tin\nside", "中文", "~", "2024-01-01", "1e5", ":", "-", "?", "a:b", "null", "'", '"', "\\", "\u0007", "😀",
  [], {}, [[]], [{}], [[1, 2], [3]], [{ a: 1, b: [2, { c: "x" }] }, { a: null }],
  { a: { b: { c: [] } }, "odd key: x": 1, "": 2, "# hash": "v", list: ["x", "multi\nline", { deep: "multi\nline\n" }], "1": true, "true": "no" },
  { __proto__x: 1, constructor: { toString: "x" } },
];

describe("values as text and back", () => {
  it("come back the same from JSON and YAML", () => {
    for (const value of values) {
      expect(readJson(printJson(value)).value).toEqual(value);
      expect(readYaml(printYaml(value)).value, printYaml(value)).toEqual(value);
      expect(readYaml(printYaml({ key: [value] })).value, printYaml({ key: [value] })).toEqual({ key: [value] });
      expect(readYaml(printJson(value)).value, printJson(value)).toEqual(value);
    }
  });

  it("read what people write in YAML", () => {
    const text = `---
# limits
stock.reserve:
  qps: 400   # per second
  on_limit: reject
  zones: [hz-a, "hz-b", {name: sh-c, weight: 0.5}]
list:
- one
- two: 2
  three: 3
-
  - nested
folded: >-
  some words
  go on

  here
literal: |
  first
    second
plain text: goes
  on here
quoted: 'it''s'
url: http://x:80/y#z
empty:
last: ~
`;
    expect(readYaml(text).value).toEqual({
      "stock.reserve": { qps: 400, on_limit: "reject", zones: ["hz-a", "hz-b", { name: "sh-c", weight: 0.5 }] },
      list: ["one", { two: 2, three: 3 }, ["nested"]],
      folded: "some words go on\nhere",
      literal: "first\n  second\n",
      "plain text": "goes on here",
      quoted: "it's",
      url: "http://x:80/y#z",
      empty: null,
      last: null,
    });
  });

  it("say where they stop", () => {
    const stops = (read: (text: string) => unknown, text: string): [number, number] | undefined => {
      try {
        read(text);
      } catch (error) {
        if (error instanceof TextError) return [error.line, error.column];
        throw error;
      }
      return undefined;
    };
    expect(stops(readJson, '{\n  "a": 1,\n  "b": x\n}')).toEqual([3, 8]);
    expect(stops(readJson, '{"a": 1,}')).toEqual([1, 9]);
    expect(stops(readJson, '{"a": 1')).toEqual([1, 8]);
    expect(stops(readJson, '{"a": 1, "a": 2}')).toEqual([1, 10]);
    expect(stops(readJson, "12345678901234567890")).toEqual([1, 1]);
    expect(stops(readJson, "")).toEqual([1, 1]);
    expect(stops(readYaml, "a: 1\n\tb: 2")).toEqual([2, 1]);
    expect(stops(readYaml, "a: &x 1")).toEqual([1, 7]);
    expect(stops(readYaml, "a: 1\n   b: 2")).toEqual([1, 4]);
    expect(stops(readYaml, "a: [1, 2")).toEqual([1, 9]);
    expect(stops(readYaml, "a: 1\na: 2")).toEqual([2, 1]);
    expect(stops(readYaml, "- 1\nb: 2")).toEqual([2, 1]);
    expect(stops(readYaml, "a: b: c")).toEqual([1, 4]);
  });

  it("know where each value stands", () => {
    const json = readJson('{\n  "a": {\n    "b": [1, "two"]\n  }\n}').places;
    expect(json.get(pathText(["a", "b", 1]))).toEqual({ line: 3, column: 14 });
    const yaml = readYaml("a:\n  b:\n    - 1\n    - two\n").places;
    expect(yaml.get(pathText(["a", "b", 1]))).toEqual({ line: 4, column: 7 });
  });

  it("keep a key of the prototype's name as a key", () => {
    expect(Object.hasOwn(readJson('{"__proto__": 1}').value as object, "__proto__")).toBe(true);
  });
});

it("paths are read however a program writes them", () => {
  for (const path of ["$.a.b[0]", "a.b[0]", "/a/b/0", "a.b.0", '$["a"].b[0]']) expect(stepsOf(path)).toEqual(["a", "b", "0"]);
  expect(stepsOf("$")).toEqual([]);
  expect(stepsOf("")).toEqual([]);
});
