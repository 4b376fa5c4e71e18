import type { MicroserviceView, NodeChange, NodeView } from "../api";
import type { Hue } from "../kit";

/** How nodes stand: what callers see of each, and what will be seen once a change is through. */

export type State = NodeView["state"];

/** In the order in which they are shown: what serves first. */
export const STATES: State[] = ["ready", "starting", "draining", "offline"];

export const HUES: Record<State, Hue> = { ready: "ok", starting: "info", draining: "warn", offline: "idle" };

/** A change of a node that was asked for. */
export interface Changing {
  node: string;
  change: NodeChange;
}

/** A node as callers will see it: null takes back what was laid over it, what is left out stays. */
export function withChange(node: NodeView, change: NodeChange): NodeView {
  const state = change.state === undefined ? (node.override?.state ?? null) : change.state;
  const weight = change.weight === undefined ? (node.override?.weight ?? null) : change.weight;
  const laid = { reason: change.reason ?? "", set_by: node.override?.set_by ?? "", set_at: node.override?.set_at ?? 0 };
  return {
    ...node,
    state: state ?? node.own_state,
    weight: weight ?? node.own_weight,
    override: state === null && weight === null ? null : { ...laid, state, weight },
  };
}

/** A microservice of which nobody takes calls. */
export const isDown = (row: MicroserviceView): boolean => row.nodes.ready === 0;
