// @vitest-environment node
import { describe, expect, it } from "vitest";
import { arcPath, segmentsOf, sharesOf } from "./ring";
import { logScale, quantile, shortMs, spread } from "./scale";

const TURN = Math.PI * 2;

describe("the ring", () => {
  it("has a segment for each, in order, apart from one another", () => {
    for (const count of [2, 17, 68, 100]) {
      const arcs = segmentsOf(count);
      expect(arcs).toHaveLength(count);
      arcs.forEach((arc, place) => {
        expect(arc.to).toBeGreaterThan(arc.from);
        if (place > 0) expect(arc.from).toBeGreaterThan(arcs[place - 1]!.to);
      });
      expect(arcs.at(-1)!.to).toBeLessThan(TURN);
    }
    expect(segmentsOf(0)).toEqual([]);
    expect(segmentsOf(1)).toEqual([{ from: 0, to: TURN }]);
  });

  it("keeps a share of one in ten thousand visible and is one turn in all", () => {
    const arcs = sharesOf([9_999, 1, 0]);
    expect(arcs[1]!.to - arcs[1]!.from).toBeGreaterThan(0.03);
    expect(arcs[2]!.to - arcs[2]!.from).toBe(0);
    expect(arcs[1]!.to).toBeLessThanOrEqual(TURN);
    expect(sharesOf([0, 5])).toEqual([{ from: 0, to: 0 }, { from: 0, to: TURN }]);
    expect(sharesOf([0, 0])).toEqual([{ from: 0, to: 0 }, { from: 0, to: 0 }]);
  });

  it("draws a whole turn too", () => {
    expect(arcPath(70, 48, 62, { from: 0, to: TURN })).toMatch(/^M.*Z$/);
    expect(arcPath(70, 48, 62, { from: 0, to: TURN })).not.toContain("NaN");
  });
});

describe("the logarithmic scale", () => {
  it("ends at ticks around all values", () => {
    const scale = logScale([18, 38, 412], 300);
    expect([scale.min, scale.max]).toEqual([10, 1000]);
    expect(scale.ticks).toEqual([10, 30, 100, 300, 1000]);
    expect(scale.at(10)).toBe(0);
    expect(scale.at(1000)).toBe(300);
    expect(scale.at(100)).toBeCloseTo(150);
  });

  it("stands one value, none, and zero", () => {
    for (const values of [[5], [], [0], [0.2], [1, 1, 1]]) {
      const scale = logScale(values, 100);
      expect(scale.max).toBeGreaterThan(scale.min);
      for (const value of values) {
        expect(scale.at(value)).toBeGreaterThanOrEqual(0);
        expect(scale.at(value)).toBeLessThanOrEqual(100);
      }
    }
  });

  it("gives quantiles by rank and short ticks", () => {
    expect(quantile([], 0.5)).toBeUndefined();
    expect(quantile([5, 1, 3], 0.5)).toBe(3);
    expect(quantile([1, 2, 3, 4], 0.99)).toBe(4);
    expect([30, 1000, 3000, 60_000].map(shortMs)).toEqual(["30", "1 s", "3 s", "1 min"]);
  });

  it("spreads dots that would hide one another", () => {
    expect(spread([10, 10, 10, 50], 5)).toEqual([0, 1, -1, 0]);
  });
});
