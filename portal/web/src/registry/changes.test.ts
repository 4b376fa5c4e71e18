import { describe, expect, test } from "vitest";
import type { NodeView } from "../api";
import { withChange } from "./changes";

const LAID = { state: "offline" as const, weight: 10, reason: "a bad disk", set_by: "mei", set_at: 7 };
const NODE: NodeView = {
  name: "order-1",
  present: true,
  state: "ready",
  weight: 100,
  own_state: "ready",
  own_weight: 100,
  cluster: "default",
  override: null,
  center: "trade",
  application: "order",
  registered_at: 1,
  session_age_ms: 1,
};
const CHANGED: NodeView = { ...NODE, state: "offline", weight: 10, override: LAID };

describe("a node while a change is on its way", () => {
  test("taken offline it keeps its weight", () => {
    expect(withChange(NODE, { state: "offline", reason: "a bad disk" })).toMatchObject({ state: "offline", own_state: "ready", weight: 100, override: { state: "offline", weight: null, reason: "a bad disk" } });
  });

  test("put back it has its own state and keeps the weight that was laid over it", () => {
    expect(withChange(CHANGED, { state: null })).toMatchObject({ state: "ready", weight: 10, override: { state: null, weight: 10 } });
  });

  test("a weight of nothing is one, and not taken back", () => {
    expect(withChange(NODE, { weight: 0 })).toMatchObject({ weight: 0, override: { weight: 0, state: null } });
  });

  test("with nothing laid over it any more it says what it says itself", () => {
    expect(withChange(CHANGED, { state: null, weight: null })).toEqual(NODE);
  });
});
