import { describe, expect, test } from "vitest";
import { changesOf, headersOf, problemOf, type Edited } from "./edits";

const BEFORE: Edited = { format: "json", body: '{"n": 12345678901234567890}', key: "k", tag: "", rows: [{ name: "h", value: "v", binary: false }] };

describe("what is told of an edited letter", () => {
  test("nothing, where nothing differs", () => {
    expect(changesOf(BEFORE, { ...BEFORE, rows: [...BEFORE.rows, { name: " ", value: "x", binary: false }] }, false)).toEqual({});
  });

  test("the body as it is written, numbers of any length among it", () => {
    const body = '{"n": 12345678901234567891}';
    expect(changesOf(BEFORE, { ...BEFORE, body }, false)).toEqual({ body: { format: "json", text: body } });
    expect(changesOf(BEFORE, { ...BEFORE, format: "text" }, false)).toEqual({ body: { format: "text", text: BEFORE.body } });
  });

  test("no body that was not shown as it is, unless it was written over", () => {
    expect(changesOf(BEFORE, { ...BEFORE, format: "text", tag: "t" }, true)).toEqual({ tag: "t" });
    expect(changesOf(BEFORE, { ...BEFORE, body: "{}" }, true)).toEqual({ body: { format: "json", text: "{}" } });
  });

  test("a key or a tag that is taken away is empty", () => {
    expect(changesOf(BEFORE, { ...BEFORE, key: "" }, false)).toEqual({ key: "" });
  });

  test("all headers where one differs, the binary ones named", () => {
    const rows = [...BEFORE.rows, { name: "b", value: "/w==", binary: true }];
    expect(changesOf(BEFORE, { ...BEFORE, rows }, false)).toEqual({ headers: { values: { h: "v", b: "/w==" }, binary: ["b"] } });
    expect(changesOf(BEFORE, { ...BEFORE, rows: [] }, false)).toEqual({ headers: { values: {}, binary: [] } });
  });

  test("of two headers of one name the last", () => {
    expect(headersOf([{ name: "h", value: "1", binary: true }, { name: "h", value: "2", binary: false }])).toEqual({ values: { h: "2" }, binary: [] });
  });
});

test("what is no JSON, or no Base64, is said before it is sent", () => {
  expect(problemOf("json", "{")).toBeTruthy();
  expect(problemOf("base64", "?")).toBeTruthy();
  expect(problemOf("json", "[1]")).toBeUndefined();
  expect(problemOf("base64", "/w==\n")).toBeUndefined();
  expect(problemOf("text", "{")).toBeUndefined();
});
