/**
 * What became of a text: lines by Myers' algorithm, bounded. Where two texts differ too much for it, lines that occur once on
 * either side serve as anchors, and what is between two anchors and still differs too much counts as replaced as a whole.
 */
export interface Edit {
  kind: "same" | "add" | "remove";
  /** Places in the sequence before and after; the one that does not apply is where it would be. */
  before: number;
  after: number;
}

export interface Row {
  kind: "same" | "change" | "add" | "remove";
  before?: { number: number; text: string; marks: Span[] };
  after?: { number: number; text: string; marks: Span[] };
}

/** Part of a line: the text and whether it differs from the other side. */
export interface Span {
  text: string;
  marked: boolean;
}

export interface Comparison {
  rows: Row[];
  added: number;
  removed: number;
  /** Lines of each side that were compared, where there were more. */
  capped?: number;
  /** The end of the last line, where only one of the two has it. */
  end?: "added" | "removed";
  /** Whether some blocks were taken as replaced as a whole. */
  coarse: boolean;
}

export const MOST_LINES = 20_000;
const MOST_EDITS = 600;
const MOST_WORDS = 400;
const MOST_PAIRS = 60;

/** Compare two sequences. `coarse` tells whether the answer is rougher than it could be. */
export function editsOf(before: readonly string[], after: readonly string[], most = MOST_EDITS): { edits: Edit[]; coarse: boolean } {
  const ids = new Map<string, number>();
  const idOf = (text: string): number => {
    let id = ids.get(text);
    if (id === undefined) ids.set(text, (id = ids.size));
    return id;
  };
  const a = Int32Array.from(before, idOf);
  const b = Int32Array.from(after, idOf);
  const edits: Edit[] = [];
  const state = { coarse: false };
  compareRange(a, b, 0, a.length, 0, b.length, edits, state, most);
  return { edits, coarse: state.coarse };
}

function compareRange(a: Int32Array, b: Int32Array, a0: number, a1: number, b0: number, b1: number, out: Edit[], state: { coarse: boolean }, most: number): void {
  while (a0 < a1 && b0 < b1 && a[a0] === b[b0]) out.push({ kind: "same", before: a0++, after: b0++ });
  let tail = 0;
  while (a0 < a1 - tail && b0 < b1 - tail && a[a1 - 1 - tail] === b[b1 - 1 - tail]) tail++;
  compareMiddle(a, b, a0, a1 - tail, b0, b1 - tail, out, state, most);
  for (let place = tail; place > 0; place--) out.push({ kind: "same", before: a1 - place, after: b1 - place });
}

function compareMiddle(a: Int32Array, b: Int32Array, a0: number, a1: number, b0: number, b1: number, out: Edit[], state: { coarse: boolean }, most: number): void {
  if (a0 === a1 || b0 === b1) return replaceAll(a0, a1, b0, b1, out);
  if (myers(a, b, a0, a1, b0, b1, out, most)) return;
  const anchors = anchorsOf(a, b, a0, a1, b0, b1);
  if (anchors.length === 0) {
    state.coarse = true;
    return replaceAll(a0, a1, b0, b1, out);
  }
  for (const [inA, inB] of anchors) {
    compareRange(a, b, a0, inA, b0, inB, out, state, most);
    out.push({ kind: "same", before: inA, after: inB });
    a0 = inA + 1;
    b0 = inB + 1;
  }
  compareRange(a, b, a0, a1, b0, b1, out, state, most);
}

function replaceAll(a0: number, a1: number, b0: number, b1: number, out: Edit[]): void {
  for (let place = a0; place < a1; place++) out.push({ kind: "remove", before: place, after: b0 });
  for (let place = b0; place < b1; place++) out.push({ kind: "add", before: a1, after: place });
}

/** The shortest script of edits, greedily by diagonals; false where it would be longer than `most`. */
function myers(a: Int32Array, b: Int32Array, a0: number, a1: number, b0: number, b1: number, out: Edit[], most: number): boolean {
  const n = a1 - a0;
  const m = b1 - b0;
  const limit = Math.min(n + m, most);
  const offset = limit + 1;
  const v = new Int32Array(2 * limit + 3);
  const trace: Int32Array[] = [];
  for (let d = 0; d <= limit; d++) {
    trace.push(v.slice(offset - d - 1, offset + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && v[offset + k - 1]! < v[offset + k + 1]!);
      let x = down ? v[offset + k + 1]! : v[offset + k - 1]! + 1;
      let y = x - k;
      while (x < n && y < m && a[a0 + x] === b[b0 + y]) {
        x++;
        y++;
      }
      v[offset + k] = x;
      if (x >= n && y >= m) {
        backtrack(trace, d, n, m, a0, b0, out);
        return true;
      }
    }
  }
  return false;
}

function backtrack(trace: Int32Array[], d: number, n: number, m: number, a0: number, b0: number, out: Edit[]): void {
  const reversed: Edit[] = [];
  let x = n;
  let y = m;
  for (let step = d; step > 0; step--) {
    const v = trace[step]!;
    const at = (k: number): number => v[k + step + 1]!;
    const k = x - y;
    const down = k === -step || (k !== step && at(k - 1) < at(k + 1));
    const wasK = down ? k + 1 : k - 1;
    const wasX = at(wasK);
    const wasY = wasX - wasK;
    while (x > wasX && y > wasY && x > 0 && y > 0 && (down ? y > wasY + 1 : x > wasX + 1)) reversed.push({ kind: "same", before: a0 + --x, after: b0 + --y });
    if (down) reversed.push({ kind: "add", before: a0 + x, after: b0 + --y });
    else reversed.push({ kind: "remove", before: a0 + --x, after: b0 + y });
  }
  while (x > 0 && y > 0) reversed.push({ kind: "same", before: a0 + --x, after: b0 + --y });
  for (let place = reversed.length - 1; place >= 0; place--) out.push(reversed[place]!);
}

/** Places of what occurs exactly once on both sides, in the longest order that both share. */
function anchorsOf(a: Int32Array, b: Int32Array, a0: number, a1: number, b0: number, b1: number): [number, number][] {
  const seen = new Map<number, { a: number; b: number; countA: number; countB: number }>();
  for (let place = a0; place < a1; place++) {
    const one = seen.get(a[place]!);
    if (one) one.countA++;
    else seen.set(a[place]!, { a: place, b: -1, countA: 1, countB: 0 });
  }
  for (let place = b0; place < b1; place++) {
    const one = seen.get(b[place]!);
    if (one) {
      one.countB++;
      one.b = place;
    }
  }
  const pairs = [...seen.values()].filter((one) => one.countA === 1 && one.countB === 1).map((one): [number, number] => [one.a, one.b]);
  return rising(pairs);
}

function rising(pairs: [number, number][]): [number, number][] {
  const tops: number[] = [];
  const from: number[] = [];
  pairs.forEach(([, b], place) => {
    let low = 0;
    let high = tops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[tops[middle]!]![1] < b) low = middle + 1;
      else high = middle;
    }
    from[place] = low > 0 ? tops[low - 1]! : -1;
    tops[low] = place;
  });
  const found: [number, number][] = [];
  for (let place = tops.at(-1) ?? -1; place >= 0; place = from[place]!) found.push(pairs[place]!);
  return found.reverse();
}

/** The lines of a text; the end of its last line begins no other. */
export const linesOf = (text: string): string[] => (text === "" ? [] : text.replace(/\r\n?/g, "\n").replace(/\n$/, "").split("\n"));

/** Compare two texts line by line, pair the lines that became one another, and mark the words that differ in them. */
export function compareTexts(before: string, after: string, mostLines = MOST_LINES): Comparison {
  const allA = linesOf(before);
  const allB = linesOf(after);
  const capped = allA.length > mostLines || allB.length > mostLines;
  const a = capped ? allA.slice(0, mostLines) : allA;
  const b = capped ? allB.slice(0, mostLines) : allB;
  const { edits, coarse } = editsOf(a, b);
  const rows: Row[] = [];
  let added = 0;
  let removed = 0;
  for (let place = 0; place < edits.length; ) {
    const edit = edits[place]!;
    if (edit.kind === "same") {
      const text = a[edit.before]!;
      rows.push({ kind: "same", before: side(edit.before, text), after: side(edit.after, text) });
      place++;
      continue;
    }
    const gone: number[] = [];
    const come: number[] = [];
    for (; place < edits.length && edits[place]!.kind !== "same"; place++) {
      const one = edits[place]!;
      if (one.kind === "remove") gone.push(one.before);
      else come.push(one.after);
    }
    removed += gone.length;
    added += come.length;
    for (const [inA, inB] of pairLines(gone, come, a, b)) rows.push(rowOf(inA, inB, a, b));
  }
  const ended = [before, after].map((text) => /[\r\n]$/.test(text));
  const end = before !== "" && after !== "" && ended[0] !== ended[1] ? (ended[1] ? "added" : "removed") : undefined;
  return { rows, added, removed, coarse, ...(capped ? { capped: mostLines } : {}), ...(end ? { end } : {}) };
}

const side = (place: number, text: string, marks: Span[] = [{ text, marked: false }]): { number: number; text: string; marks: Span[] } => ({ number: place + 1, text, marks });

function rowOf(inA: number | undefined, inB: number | undefined, a: readonly string[], b: readonly string[]): Row {
  if (inA === undefined) return { kind: "add", after: side(inB!, b[inB!]!) };
  if (inB === undefined) return { kind: "remove", before: side(inA, a[inA]!) };
  const [left, right] = markWords(a[inA]!, b[inB]!);
  return { kind: "change", before: side(inA, a[inA]!, left), after: side(inB, b[inB]!, right) };
}

/** Which removed line became which added one: likest pairs in order; the rest stand alone. */
function pairLines(gone: number[], come: number[], a: readonly string[], b: readonly string[]): [number | undefined, number | undefined][] {
  if (gone.length === 0 || come.length === 0 || gone.length > MOST_PAIRS || come.length > MOST_PAIRS) return inOrder(gone, come);
  const best: number[][] = Array.from({ length: gone.length + 1 }, () => Array.from({ length: come.length + 1 }, () => 0));
  const like = gone.map((inA) => come.map((inB) => likeness(a[inA]!, b[inB]!)));
  for (let i = gone.length - 1; i >= 0; i--) {
    for (let j = come.length - 1; j >= 0; j--) {
      const paired = like[i]![j]! >= 0.3 ? like[i]![j]! + best[i + 1]![j + 1]! : -1;
      best[i]![j] = Math.max(paired, best[i + 1]![j]!, best[i]![j + 1]!);
    }
  }
  const pairs: [number | undefined, number | undefined][] = [];
  let i = 0;
  let j = 0;
  while (i < gone.length || j < come.length) {
    if (i < gone.length && j < come.length && like[i]![j]! >= 0.3 && best[i]![j] === like[i]![j]! + best[i + 1]![j + 1]!) pairs.push([gone[i++], come[j++]]);
    else if (j >= come.length || (i < gone.length && best[i]![j] === best[i + 1]![j])) pairs.push([gone[i++], undefined]);
    else pairs.push([undefined, come[j++]]);
  }
  return besides(pairs);
}

/** What stayed alone between two pairs stands beside what came there, so that one column is not left empty for it. */
function besides(pairs: [number | undefined, number | undefined][]): [number | undefined, number | undefined][] {
  const found: [number | undefined, number | undefined][] = [];
  let gone: number[] = [];
  let come: number[] = [];
  const settle = (): void => {
    found.push(...inOrder(gone, come));
    gone = [];
    come = [];
  };
  for (const [inA, inB] of pairs) {
    if (inA !== undefined && inB !== undefined) {
      settle();
      found.push([inA, inB]);
    } else if (inA !== undefined) gone.push(inA);
    else if (inB !== undefined) come.push(inB);
  }
  settle();
  return found;
}

function inOrder(gone: number[], come: number[]): [number | undefined, number | undefined][] {
  return Array.from({ length: Math.max(gone.length, come.length) }, (_, place) => [gone[place], come[place]]);
}

/** How much two lines have in common at their ends, 0 to 1. */
function likeness(one: string, other: string): number {
  const x = one.trim();
  const y = other.trim();
  const longest = Math.max(x.length, y.length);
  if (longest === 0) return 1;
  const [head, tail] = ends(x, y);
  return (head + tail) / longest;
}

function ends(x: string, y: string): [number, number] {
  const shortest = Math.min(x.length, y.length);
  let head = 0;
  while (head < shortest && x[head] === y[head]) head++;
  let tail = 0;
  while (tail < shortest - head && x[x.length - 1 - tail] === y[y.length - 1 - tail]) tail++;
  return [head, tail];
}

const WORD = /[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu;

/** Mark the words in which two lines differ. Lines with little in common are not marked: the whole line says it. */
export function markWords(before: string, after: string): [Span[], Span[]] {
  const a = before.match(WORD) ?? [];
  const b = after.match(WORD) ?? [];
  if (a.length > MOST_WORDS || b.length > MOST_WORDS) return markEnds(before, after);
  const { edits } = editsOf(a, b, MOST_WORDS * 2);
  const shared = edits.reduce((total, edit) => total + (edit.kind === "same" ? a[edit.before]!.length : 0), 0);
  if (shared * 4 < Math.max(before.length, after.length)) return [[{ text: before, marked: false }], [{ text: after, marked: false }]];
  const left: Span[] = [];
  const right: Span[] = [];
  for (const edit of edits) {
    if (edit.kind !== "add") push(left, a[edit.before]!, edit.kind === "remove");
    if (edit.kind !== "remove") push(right, b[edit.after]!, edit.kind === "add");
  }
  return [left, right];
}

function markEnds(before: string, after: string): [Span[], Span[]] {
  const [head, tail] = ends(before, after);
  const cut = (text: string): Span[] =>
    [
      { text: text.slice(0, head), marked: false },
      { text: text.slice(head, text.length - tail), marked: true },
      { text: text.slice(text.length - tail), marked: false },
    ].filter((span) => span.text !== "");
  return [cut(before), cut(after)];
}

function push(spans: Span[], text: string, marked: boolean): void {
  const last = spans.at(-1);
  if (last && last.marked === marked) last.text += text;
  else spans.push({ text, marked });
}

/** Rows to show, with those far from any change folded away. */
export type Piece = { fold: false; rows: Row[] } | { fold: true; rows: Row[]; at: number };

export function foldRows(rows: Row[], context: number): Piece[] {
  const near = new Uint8Array(rows.length);
  rows.forEach((row, place) => {
    if (row.kind === "same") return;
    for (let at = Math.max(0, place - context); at <= Math.min(rows.length - 1, place + context); at++) near[at] = 1;
  });
  const pieces: Piece[] = [];
  for (let place = 0; place < rows.length; ) {
    const start = place;
    const shown = near[place] === 1;
    while (place < rows.length && (near[place] === 1) === shown) place++;
    const part = rows.slice(start, place);
    pieces.push(shown || part.length < 2 ? { fold: false, rows: part } : { fold: true, rows: part, at: start });
  }
  return pieces;
}

/** A short fingerprint, so that a change of a secret is seen without its value. */
export function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place++) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  return (((hash >>> 16) ^ hash) & 0xffff).toString(16).padStart(4, "0");
}
