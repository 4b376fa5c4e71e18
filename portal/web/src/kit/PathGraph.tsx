import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { Link } from "react-router";
import { Button } from "./Button";
import { labelWidth, layoutGraph, NODE } from "./graph";
import { Icon, type IconName } from "./Icon";
import { usePartWords } from "./parts.words";
import { useElementWidth } from "./size";
import { Glyph, type Hue } from "./Status";
import { useWidthBelow } from "./width";
import "./parts.css";

export interface PathNode {
  key: string;
  name: string;
  /** Second line: its kind, or its figures. */
  note?: ReactNode;
  icon?: IconName;
  hue?: Hue;
  /** What the hue means, in a word. */
  word?: string;
  to?: string;
}

export interface PathEdge {
  from: string;
  to: string;
  label?: string;
  hue?: Hue;
  dashed?: boolean;
  /** Line width, 1 to 4; for a rate. */
  width?: number;
}

export interface PathGraphProps {
  nodes: PathNode[];
  edges: PathEdge[];
  label: string;
  height?: number;
  selected?: string | undefined;
  onSelect?: (key: string) => void;
}

interface View {
  x: number;
  y: number;
  scale: number;
}

const LEAST = 0.35;
const MOST = 2;

/** A graph from left to right: why something is so. The same as a list, for who does not see it and for narrow screens. */
export function PathGraph({ nodes, edges, label, height = 320, selected, onSelect }: PathGraphProps): ReactNode {
  const say = usePartWords();
  const narrow = useWidthBelow(768);
  const [chosen, setChosen] = useState<"graph" | "list">();
  const shown = chosen ?? (narrow ? "list" : "graph");
  const sentence = say("graphSentence", { nodes: nodes.length, edges: edges.length });
  return (
    <section className="kp-graph" aria-label={`${label}: ${sentence}`}>
      {shown === "graph" ? (
        <>
          <Canvas nodes={nodes} edges={edges} label={label} height={height} selected={selected} onSelect={onSelect} />
          <div className="k-hidden"><EdgeList nodes={nodes} edges={edges} /></div>
        </>
      ) : (
        <EdgeList nodes={nodes} edges={edges} selected={selected} onSelect={onSelect} />
      )}
      <span className="kp-graph-switch">
        <Button size="small" kind="quiet" icon={shown === "graph" ? "menu" : "center"} onClick={() => setChosen(shown === "graph" ? "list" : "graph")}>
          {say(shown === "graph" ? "list" : "graph")}
        </Button>
      </span>
    </section>
  );
}

function Canvas({ nodes, edges, label, height, selected, onSelect }: Required<Pick<PathGraphProps, "nodes" | "edges" | "label" | "height">> & Pick<PathGraphProps, "selected" | "onSelect">): ReactNode {
  const say = usePartWords();
  const layout = useMemo(() => layoutGraph(nodes, edges), [nodes, edges]);
  const [holder, width] = useElementWidth<HTMLDivElement>(800);
  const fitted = useMemo<View>(() => {
    const scale = Math.max(LEAST, Math.min(1, (width - 32) / Math.max(1, layout.width), (height - 48) / Math.max(1, layout.height)));
    return { scale, x: Math.max(16, (width - layout.width * scale) / 2), y: Math.max(16, (height - layout.height * scale) / 2) };
  }, [layout, width, height]);
  const [moved, setMoved] = useState<View>();
  const view = moved ?? fitted;
  const drag = useRef<{ x: number; y: number; view: View; far: boolean }>(null);
  const hint = useId();
  const arrow = useId();
  const zoom = (by: number, at: { x: number; y: number } = { x: width / 2, y: height / 2 }): void => {
    const scale = Math.min(MOST, Math.max(LEAST, view.scale * by));
    const share = scale / view.scale;
    setMoved({ scale, x: at.x - (at.x - view.x) * share, y: at.y - (at.y - view.y) * share });
  };
  const latest = useRef(zoom);
  latest.current = zoom;
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    // Only with a modifier: else the page scrolls as it does everywhere.
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      latest.current(event.deltaY < 0 ? 1.1 : 1 / 1.1, { x: event.clientX - box.left, y: event.clientY - box.top });
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [holder]);
  const keys = (event: KeyboardEvent): void => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const by = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
    if (by) setMoved({ ...view, x: view.x + by[0]!, y: view.y + by[1]! });
    else if (event.key === "+" || event.key === "=") zoom(1.2);
    else if (event.key === "-") zoom(1 / 1.2);
    else if (event.key === "0") setMoved(undefined);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    drag.current = { x: event.clientX, y: event.clientY, view, far: false };
  };
  const move = (event: PointerEvent<HTMLDivElement>): void => {
    const from = drag.current;
    if (!from) return;
    const x = event.clientX - from.x;
    const y = event.clientY - from.y;
    if (!from.far && Math.hypot(x, y) < 4) return;
    if (!from.far) event.currentTarget.setPointerCapture(event.pointerId);
    from.far = true;
    setMoved({ ...from.view, x: from.view.x + x, y: from.view.y + y });
  };
  const up = (): void => {
    const far = drag.current?.far ?? false;
    drag.current = null;
    // The click that ends a drag opens nothing.
    if (far) holder.current?.addEventListener("click", (event) => { event.stopPropagation(); event.preventDefault(); }, { capture: true, once: true });
  };
  const reveal = (key: string): void => {
    const at = layout.nodes.get(key);
    if (holder.current) holder.current.scrollLeft = holder.current.scrollTop = 0;
    if (!at || drag.current) return;
    const x = view.x + at.x * view.scale;
    const y = view.y + at.y * view.scale;
    const wide = NODE.width * view.scale;
    const tall = NODE.height * view.scale;
    const dx = x < 8 ? 8 - x : x + wide > width - 8 ? width - 8 - x - wide : 0;
    const dy = y < 8 ? 8 - y : y + tall > height - 8 ? height - 8 - y - tall : 0;
    if (dx !== 0 || dy !== 0) setMoved({ ...view, x: view.x + dx, y: view.y + dy });
  };
  return (
    <>
      <div
        ref={holder}
        className="kp-graph-canvas"
        style={{ height }}
        role="group"
        aria-label={label}
        aria-describedby={hint}
        tabIndex={0}
        onKeyDown={keys}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={up}
      >
        <div className="kp-graph-world" style={{ transform: `translate(${view.x}px, ${view.y}px) scale(${view.scale})` }}>
          <svg width={layout.width} height={layout.height} aria-hidden="true" className="kp-graph-edges">
            <defs>
              <marker id={arrow} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
                <path d="M0 .8 7.4 4 0 7.2z" fill="context-stroke" />
              </marker>
            </defs>
            {edges.map((edge, place) => {
              const drawn = layout.edges[place];
              if (!drawn) return null;
              const near = selected !== undefined && (edge.from === selected || edge.to === selected);
              return <path key={place} className={`kp-edge${edge.hue ? ` k-${edge.hue} kp-edge-hue` : ""}${near ? " kp-edge-near" : ""}`} d={drawn.path} strokeWidth={Math.min(4, edge.width ?? 1.25)} strokeDasharray={edge.dashed ? "5 4" : undefined} markerEnd={`url(#${arrow})`} />;
            })}
            {edges.map((edge, place) => {
              const drawn = layout.edges[place];
              if (!drawn || !edge.label) return null;
              const wide = labelWidth(edge.label);
              return (
                <g key={place} className={`kp-edge-label${edge.hue ? ` k-${edge.hue} kp-edge-label-hue` : ""}`}>
                  <rect x={drawn.label.x - wide / 2} y={drawn.label.y - 9} width={wide} height={18} rx={3} />
                  <text x={drawn.label.x} y={drawn.label.y + 4} textAnchor="middle">{edge.label}</text>
                </g>
              );
            })}
          </svg>
          {nodes.map((node) => {
            const at = layout.nodes.get(node.key)!;
            return <NodeBox key={node.key} node={node} style={{ left: at.x, top: at.y, width: NODE.width, height: NODE.height }} selected={node.key === selected} onSelect={onSelect} onFocus={() => reveal(node.key)} />;
          })}
        </div>
      </div>
      <span id={hint} className="k-hidden">{say("graphKeys")}</span>
      <span className="kp-graph-zoom">
        <Button size="small" icon="plus" label={say("zoomIn")} onClick={() => zoom(1.2)} />
        <Button size="small" icon="minus" label={say("zoomOut")} onClick={() => zoom(1 / 1.2)} />
        <Button size="small" onClick={() => setMoved(undefined)}>{say("fit")}</Button>
      </span>
    </>
  );
}

function NodeBox({ node, style, selected, onSelect, onFocus }: { node: PathNode; style: React.CSSProperties; selected: boolean; onSelect: ((key: string) => void) | undefined; onFocus: () => void }): ReactNode {
  const className = `kp-node${node.hue ? ` k-${node.hue}` : ""}${node.hue === "bad" || node.hue === "warn" ? " kp-node-hue" : ""}${selected ? " kp-node-chosen" : ""}`;
  const content = (
    <>
      <span className="kp-node-head">
        {node.icon && <Icon name={node.icon} size={14} />}
        <span className="kp-node-name" title={node.name}>{node.name}</span>
        {node.hue && <Glyph hue={node.hue} />}
        {node.word && <span className="k-hidden">{node.word}</span>}
      </span>
      {node.note && <span className="kp-node-note">{node.note}</span>}
    </>
  );
  if (node.to) return <Link className={className} style={style} to={node.to} draggable={false} onFocus={onFocus}>{content}</Link>;
  if (onSelect) return <button type="button" className={className} style={style} aria-pressed={selected} onClick={() => onSelect(node.key)} onFocus={onFocus}>{content}</button>;
  return <div className={className} style={style}>{content}</div>;
}

function EdgeList({ nodes, edges, selected, onSelect }: Pick<PathGraphProps, "nodes" | "edges" | "selected" | "onSelect">): ReactNode {
  const byKey = new Map(nodes.map((node) => [node.key, node]));
  const tied = new Set(edges.flatMap((edge) => [edge.from, edge.to]));
  const named = (key: string): ReactNode => {
    const node = byKey.get(key);
    if (!node) return key;
    const name = <span className="k-mono">{node.name}</span>;
    if (node.to && onSelect === undefined && selected === undefined) return name;
    return node.to ? <Link to={node.to}>{name}</Link> : onSelect ? <button type="button" className="kp-link" aria-pressed={key === selected} onClick={() => onSelect(key)}>{name}</button> : name;
  };
  return (
    <ul className="kp-graph-list">
      {edges.map((edge, place) => (
        <li key={place}>
          {named(edge.from)} <span className="k-quiet">{edge.label ? `— ${edge.label} →` : "→"}</span> {named(edge.to)}
          {byKey.get(edge.to)?.word && <span className="kp-graph-word"> <Glyph hue={byKey.get(edge.to)?.hue ?? "idle"} /> {byKey.get(edge.to)?.word}</span>}
        </li>
      ))}
      {nodes.filter((node) => !tied.has(node.key)).map((node) => <li key={node.key}>{named(node.key)}</li>)}
    </ul>
  );
}
