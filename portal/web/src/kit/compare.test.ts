// @vitest-environment node
import { describe, expect, it } from "vitest";
import { compareTexts, editsOf, foldRows, linesOf, markWords, shortHash } from "./compare";

/** Numbers that look random and are the same each time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function applied(before: string[], after: string[], most?: number): { made: string[]; kept: string[] } {
  const { edits } = editsOf(before, after, most);
  const made = edits.flatMap((edit) => (edit.kind === "remove" ? [] : [edit.kind === "same" ? before[edit.before]! : after[edit.after]!]));
  const kept = edits.flatMap((edit) => (edit.kind === "add" ? [] : [before[edit.before]!]));
  return { made, kept };
}

describe("the difference of two sequences", () => {
  it("makes the one after out of the one before, whatever they are", () => {
    const next = chance(7);
    for (let round = 0; round < 400; round++) {
      const letters = 2 + Math.floor(next() * 8);
      const some = (): string[] => Array.from({ length: Math.floor(next() * 40) }, () => String(Math.floor(next() * letters)));
      const before = some();
      const after = some();
      for (const most of [undefined, 3]) {
        const { made, kept } = applied(before, after, most);
        expect(made).toEqual(after);
        expect(kept).toEqual(before);
      }
    }
  });

  it("is the shortest one where it is small", () => {
    const changes = (before: string, after: string): number => editsOf([...before], [...after]).edits.filter((edit) => edit.kind !== "same").length;
    expect(changes("ABCABBA", "CBABAC")).toBe(5);
    expect(changes("", "AB")).toBe(2);
    expect(changes("AB", "AB")).toBe(0);
  });

  it("does not take long over texts that have nothing in common", () => {
    const before = Array.from({ length: 10_000 }, (_, place) => `before ${place % 7}`);
    const after = Array.from({ length: 10_000 }, (_, place) => `after ${place % 7}`);
    const start = performance.now();
    const { made } = applied(before, after);
    expect(made).toEqual(after);
    expect(performance.now() - start).toBeLessThan(1500);
  });
});

describe("the difference of two texts", () => {
  it("pairs the lines that became one another and marks their words", () => {
    const { rows, added, removed } = compareTexts("a=1\nold.key=true\npassword=x #a91f\nend", "a=2\npassword=x #03bc\nend");
    expect([added, removed]).toEqual([2, 3]);
    expect(rows.map((row) => row.kind)).toEqual(["change", "remove", "change", "same"]);
    expect(rows[0]!.after!.marks).toEqual([{ text: "a=", marked: false }, { text: "2", marked: true }]);
  });

  it("gives both texts back from its rows", () => {
    const next = chance(3);
    for (let round = 0; round < 100; round++) {
      const some = (): string => Array.from({ length: 1 + Math.floor(next() * 20) }, () => `key.${Math.floor(next() * 9)}=${Math.floor(next() * 3)}`).join("\n");
      const before = some();
      const after = some();
      const { rows } = compareTexts(before, after);
      expect(rows.flatMap((row) => (row.before ? [row.before.text] : []))).toEqual(linesOf(before));
      expect(rows.flatMap((row) => (row.after ? [row.after.text] : []))).toEqual(linesOf(after));
      expect(rows.flatMap((row) => (row.after ? [row.after.marks.map((span) => span.text).join("")] : []))).toEqual(linesOf(after));
    }
  });

  it("tells an end of the last line that came or went", () => {
    expect(compareTexts("a\n", "a\n")).toMatchObject({ added: 0, removed: 0 });
    expect(compareTexts("a\n", "a\n").rows).toHaveLength(1);
    expect(compareTexts("a", "a\n").end).toBe("added");
    expect(compareTexts("a\n", "a").end).toBe("removed");
    expect(compareTexts("", "a\n").end).toBeUndefined();
  });

  it("says where it stopped", () => {
    const long = Array.from({ length: 30 }, (_, place) => String(place)).join("\n");
    expect(compareTexts(long, `${long}\nmore`, 10).capped).toBe(10);
    expect(compareTexts("a", "b").capped).toBeUndefined();
  });

  it("folds what is far from a change", () => {
    const before = Array.from({ length: 50 }, (_, place) => `line ${place}`);
    const after = before.with(25, "other");
    const pieces = foldRows(compareTexts(before.join("\n"), after.join("\n")).rows, 3);
    expect(pieces.map((piece) => [piece.fold, piece.rows.length])).toEqual([[true, 22], [false, 7], [true, 21]]);
  });

  it("does not mark words of lines with little in common", () => {
    const [left] = markWords("alpha beta gamma", "1234567 89 10");
    expect(left).toEqual([{ text: "alpha beta gamma", marked: false }]);
  });
});

it("a fingerprint is short, the same for the same, and not the value", () => {
  expect(shortHash("hunter2")).toMatch(/^[0-9a-f]{4}$/);
  expect(shortHash("hunter2")).toBe(shortHash("hunter2"));
  expect(shortHash("hunter2")).not.toBe(shortHash("hunter3"));
});
