import type { ReactNode } from "react";
import type { NodeCounts, NodeView } from "../api";
import { Begin, Button, Count, Glyph, StatusTag } from "../kit";
import { at, atApplication, useMay, useScope, useText } from "../shell";
import { HUES, STATES, type State } from "./changes";

/** How many nodes are in which state: a glyph each, with its number and its word for those who do not see it. */
export function NodeStates({ nodes }: { nodes: NodeCounts }): ReactNode {
  const say = useText("registry");
  const there = STATES.filter((state) => nodes[state] > 0);
  if (there.length === 0) return <span className="k-quiet">{say("noNodes")}</span>;
  return (
    <span className="n-states">
      {there.map((state) => (
        <span key={state} title={`${nodes[state]} ${say(`state.${state}`)}`}>
          <Glyph hue={HUES[state]} running={state === "starting"} size={12} /> {nodes[state].toLocaleString("en-US")} <span className="k-quiet">{say(`state.${state}`)}</span>
        </span>
      ))}
    </span>
  );
}

function NodeState({ state }: { state: State }): ReactNode {
  const say = useText("registry");
  return <StatusTag hue={HUES[state]} running={state === "starting"}>{say(`state.${state}`)}</StatusTag>;
}

/** How callers see a node, and what it says itself where that differs. */
export function StateOf({ node, asked = false }: { node: NodeView; asked?: boolean }): ReactNode {
  const say = useText("registry");
  return (
    <span className="k-row" aria-busy={asked}>
      {node.present ? <NodeState state={node.state} /> : <StatusTag hue="idle">{say("gone")}</StatusTag>}
      {node.present && node.state !== node.own_state && <span className="k-quiet">{say("itself", { said: say(`state.${node.own_state}`) })}</span>}
    </span>
  );
}

export function WeightOf({ node }: { node: NodeView }): ReactNode {
  const say = useText("registry");
  return (
    <span className="n-weight">
      {node.present && node.weight !== node.own_weight && <span className="k-quiet">{say("itself", { said: node.own_weight.toLocaleString("en-US") })}</span>} <Count value={node.present || node.override?.weight != null ? node.weight : undefined} />
    </span>
  );
}

/** Nobody provides anything: the whole program that would. */
export function FirstService({ title }: { title: string }): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const may = useMay();
  const toCredentials = scope.application ? atApplication(scope, "credentials") : at(scope, "apps");
  const mayGo = may(scope.application ? "identity.credential:list" : "identity.application:list", scope);
  return (
    <Begin title={title} actions={mayGo && <Button to={toCredentials} icon="key">{say(scope.application ? "toCredentials" : "toApplications")}</Button>} label={say("first.copy")} code={PROGRAM}>
      {say("first.text")}
    </Begin>
  );
}

/** Run as it stands by a test of the pages. */
export const PROGRAM = `import asyncio, qiantang
from qiantang.rpc.model.definition import service

@service("shop.Orders", version="1.0.0")
class Orders:
    async def price(self, article: str) -> float:
        return 3.5

async def main() -> None:
    app = qiantang.App()
    app.provide(Orders, Orders())
    async with app:
        await asyncio.Event().wait()

asyncio.run(main())`;
