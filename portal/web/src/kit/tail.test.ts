// @vitest-environment node
import { expect, it, vi } from "vitest";
import { Tail } from "./tail";

it("keeps the newest, newest first, and counts all", () => {
  const tail = new Tail<number>(3);
  tail.push([1, 2]);
  expect(tail.newest().map((one) => one.row)).toEqual([2, 1]);
  tail.push([3, 4, 5, 6, 7]);
  expect(tail.newest()).toEqual([{ place: 6, row: 7 }, { place: 5, row: 6 }, { place: 4, row: 5 }]);
  expect(tail.total).toBe(7);
  tail.clear();
  expect(tail.newest()).toEqual([]);
});

it("tells of many rows at once", () => {
  vi.useFakeTimers();
  const tail = new Tail<number>();
  const heard = vi.fn();
  const stop = tail.subscribe(heard);
  const before = tail.snapshot();
  for (let row = 0; row < 100; row++) tail.push([row]);
  expect(heard).not.toHaveBeenCalled();
  vi.advanceTimersByTime(150);
  expect(heard).toHaveBeenCalledTimes(1);
  expect(tail.snapshot()).not.toBe(before);
  stop();
  vi.useRealTimers();
});
