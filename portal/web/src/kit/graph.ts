/** Places for a graph that is read from left to right: columns by distance, rows so that edges cross little. */
export interface GraphNode {
  key: string;
}

export interface GraphEdge {
  from: string;
  to: string;
  label?: string;
}

export interface Point {
  x: number;
  y: number;
}

export interface Layout {
  width: number;
  height: number;
  /** The upper left corner of each node. */
  nodes: Map<string, Point>;
  /** For each edge its path and where its label stands; undefined where an end is not there. */
  edges: ({ path: string; label: Point } | undefined)[];
}

export const NODE = { width: 152, height: 56 } as const;
const ROW_GAP = 24;
const PASS = 18;

interface Cell {
  key: string;
  rank: number;
  size: number;
  y: number;
  into: Cell[];
  out: Cell[];
  real: boolean;
}

/** How wide a label is drawn: ideographs are twice as wide as letters. */
export const labelWidth = (text: string): number => [...text].reduce((width, one) => width + (one.charCodeAt(0) > 0x2e80 ? 11 : 6.2), 12);

export function layoutGraph(nodes: readonly GraphNode[], edges: readonly GraphEdge[]): Layout {
  const keys = new Set(nodes.map((node) => node.key));
  const known = edges.map((edge) => keys.has(edge.from) && keys.has(edge.to) && edge.from !== edge.to);
  const forward = withoutCycles([...keys], edges.filter((_, place) => known[place]!));
  const ranks = ranksOf([...keys], forward);
  const cells = new Map<string, Cell>([...keys].map((key) => [key, { key, rank: ranks.get(key)!, size: NODE.height, y: 0, into: [], out: [], real: true }]));
  const columns: Cell[][] = [];
  for (const cell of cells.values()) (columns[cell.rank] ??= []).push(cell);
  for (let rank = 0; rank < columns.length; rank++) columns[rank] ??= [];
  const between = new Map<number, Cell[]>();
  edges.forEach((edge, place) => {
    if (!known[place]) return;
    const one = cells.get(edge.from)!;
    const other = cells.get(edge.to)!;
    const [left, right] = one.rank <= other.rank ? [one, other] : [other, one];
    const passed: Cell[] = [];
    let before = left;
    for (let rank = left.rank + 1; rank < right.rank; rank++) {
      const cell: Cell = { key: `${place}:${rank}`, rank, size: PASS, y: 0, into: [before], out: [], real: false };
      before.out.push(cell);
      columns[rank]!.push(cell);
      passed.push(cell);
      before = cell;
    }
    if (left.rank !== right.rank) {
      before.out.push(right);
      right.into.push(before);
    }
    between.set(place, one.rank <= other.rank ? passed : passed.reverse());
  });
  order(columns);
  stand(columns);
  const longest = Math.max(0, ...edges.map((edge) => (edge.label ? labelWidth(edge.label) : 0)));
  const gap = Math.max(64, longest + 40);
  const at = (cell: Cell): Point => ({ x: cell.rank * (NODE.width + gap), y: cell.y });
  const places = new Map([...cells.values()].map((cell) => [cell.key, at(cell)]));
  const width = columns.length === 0 ? 0 : columns.length * NODE.width + (columns.length - 1) * gap;
  const height = Math.max(0, ...columns.flat().map((cell) => cell.y + cell.size));
  const drawn = edges.map((edge, place) => (known[place] ? route(cells.get(edge.from)!, cells.get(edge.to)!, between.get(place)!, at, gap) : undefined));
  return { width, height, nodes: places, edges: drawn };
}

/** The edges without those that lead back to where a walk came from. */
function withoutCycles(keys: string[], edges: GraphEdge[]): GraphEdge[] {
  const out = new Map<string, GraphEdge[]>(keys.map((key) => [key, []]));
  for (const edge of edges) out.get(edge.from)!.push(edge);
  const state = new Map<string, 1 | 2>();
  const kept: GraphEdge[] = [];
  const entered = new Set(edges.map((edge) => edge.to));
  for (const start of [...keys.filter((key) => !entered.has(key)), ...keys]) {
    if (state.has(start)) continue;
    const stack: { key: string; next: number }[] = [{ key: start, next: 0 }];
    state.set(start, 1);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const edge = out.get(top.key)![top.next++];
      if (!edge) {
        state.set(top.key, 2);
        stack.pop();
        continue;
      }
      const seen = state.get(edge.to);
      if (seen === 1) continue;
      kept.push(edge);
      if (seen === undefined) {
        state.set(edge.to, 1);
        stack.push({ key: edge.to, next: 0 });
      }
    }
  }
  return kept;
}

/** The column of each node: one after the last of those that lead to it. */
function ranksOf(keys: string[], edges: GraphEdge[]): Map<string, number> {
  const ranks = new Map(keys.map((key) => [key, 0]));
  const left = new Map(keys.map((key) => [key, 0]));
  const out = new Map<string, string[]>(keys.map((key) => [key, []]));
  for (const edge of edges) {
    left.set(edge.to, left.get(edge.to)! + 1);
    out.get(edge.from)!.push(edge.to);
  }
  const ready = keys.filter((key) => left.get(key) === 0);
  for (let place = 0; place < ready.length; place++) {
    for (const to of out.get(ready[place]!)!) {
      ranks.set(to, Math.max(ranks.get(to)!, ranks.get(ready[place]!)! + 1));
      left.set(to, left.get(to)! - 1);
      if (left.get(to) === 0) ready.push(to);
    }
  }
  return ranks;
}

function order(columns: Cell[][]): void {
  const spot = new Map<Cell, number>();
  const note = (column: Cell[]): void => column.forEach((cell, place) => spot.set(cell, place));
  columns.forEach(note);
  const sort = (column: Cell[], near: (cell: Cell) => Cell[]): void => {
    const weight = new Map(column.map((cell) => [cell, near(cell).length === 0 ? spot.get(cell)! : near(cell).reduce((sum, one) => sum + spot.get(one)!, 0) / near(cell).length]));
    column.sort((one, other) => weight.get(one)! - weight.get(other)! || spot.get(one)! - spot.get(other)!);
    note(column);
  };
  for (let round = 0; round < 4; round++) {
    for (const column of columns) sort(column, (cell) => cell.into);
    for (const column of [...columns].reverse()) sort(column, (cell) => cell.out);
  }
}

/** Give every cell its height: near the middle of what it is tied to, never over another. */
function stand(columns: Cell[][]): void {
  for (const column of columns) {
    let y = 0;
    for (const cell of column) {
      cell.y = y;
      y += cell.size + ROW_GAP;
    }
  }
  const middle = (cell: Cell): number => cell.y + cell.size / 2;
  const pull = (column: Cell[], near: (cell: Cell) => Cell[]): void => {
    const wish = column.map((cell) => (near(cell).length > 0 ? near(cell).reduce((sum, one) => sum + middle(one), 0) / near(cell).length - cell.size / 2 : cell.y));
    column.forEach((cell, place) => {
      const before = column[place - 1];
      cell.y = Math.max(wish[place]!, before ? before.y + before.size + ROW_GAP : Number.NEGATIVE_INFINITY);
    });
    // Pushed down past their wish, they are lifted together by half of it.
    const over = column.reduce((sum, cell, place) => sum + (cell.y - wish[place]!), 0) / Math.max(1, column.length);
    for (const cell of column) cell.y -= over;
  };
  for (let round = 0; round < 3; round++) {
    for (const column of columns) pull(column, (cell) => cell.into);
    for (const column of [...columns].reverse()) pull(column, (cell) => cell.out);
  }
  const least = Math.min(...columns.flat().map((cell) => cell.y));
  for (const cell of columns.flat()) cell.y = Math.round(cell.y - least);
}

function route(from: Cell, to: Cell, passed: Cell[], at: (cell: Cell) => Point, gap: number): { path: string; label: Point } {
  const a = at(from);
  const b = at(to);
  const middleA = a.y + NODE.height / 2;
  const middleB = b.y + NODE.height / 2;
  if (from.rank === to.rank) {
    const x = a.x + NODE.width;
    const out = Math.min(gap * 0.6, 40);
    return { path: `M${x} ${middleA}C${x + out} ${middleA} ${x + out} ${middleB} ${x} ${middleB}`, label: { x: x + out * 0.75, y: (middleA + middleB) / 2 } };
  }
  const onward = from.rank < to.rank;
  const start = { x: onward ? a.x + NODE.width : a.x, y: middleA };
  const end = { x: onward ? b.x : b.x + NODE.width, y: middleB };
  let path = `M${start.x} ${start.y}`;
  let here = start;
  let label: Point | undefined;
  const bend = (next: Point): void => {
    const half = (next.x - here.x) / 2;
    path += `C${here.x + half} ${here.y} ${next.x - half} ${next.y} ${next.x} ${next.y}`;
    label ??= { x: here.x + half, y: (here.y + next.y) / 2 };
    here = next;
  };
  for (const cell of passed) {
    const p = at(cell);
    const y = p.y + PASS / 2;
    bend({ x: onward ? p.x : p.x + NODE.width, y });
    here = { x: onward ? p.x + NODE.width : p.x, y };
    path += `L${here.x} ${here.y}`;
  }
  bend(end);
  return { path, label: label! };
}
