// @vitest-environment node
import { expect, it } from "vitest";
import { layoutGraph, NODE } from "./graph";

const nodes = (...keys: string[]) => keys.map((key) => ({ key }));
const edge = (pair: string) => ({ from: pair[0]!, to: pair[1]! });

it("goes from left to right and nothing lies over another", () => {
  const keys = "abcdefgh".split("");
  const pairs = ["ab", "ac", "bd", "cd", "ce", "df", "ef", "af", "gh"];
  const { nodes: places, width, height, edges } = layoutGraph(nodes(...keys), pairs.map(edge));
  for (const pair of pairs) expect(places.get(pair[0]!)!.x).toBeLessThan(places.get(pair[1]!)!.x);
  const all = [...places.values()];
  all.forEach((one, place) => {
    expect(one.x + NODE.width).toBeLessThanOrEqual(width);
    expect(one.y).toBeGreaterThanOrEqual(0);
    expect(one.y + NODE.height).toBeLessThanOrEqual(height);
    for (const other of all.slice(place + 1)) expect(Math.abs(one.x - other.x) >= NODE.width || Math.abs(one.y - other.y) >= NODE.height).toBe(true);
  });
  expect(edges.every((one) => one && !one.path.includes("NaN"))).toBe(true);
});

it("stands circles, loops, ends that are not there, and nothing at all", () => {
  const circle = layoutGraph(nodes("a", "b", "c"), ["ab", "bc", "ca", "aa", "ax"].map(edge));
  expect(circle.nodes.size).toBe(3);
  expect(circle.edges.map((one) => one !== undefined)).toEqual([true, true, true, false, false]);
  expect(layoutGraph([], [])).toMatchObject({ width: 0, height: 0 });
});
