import { isAlias, isMap, isNode, isSeq, LineCounter, parseDocument, stringify, type Scalar } from "yaml";

/** Values as text and back, with the place of each value, so that a problem of a path can be shown on its line. */
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

export interface Place {
  line: number;
  column: number;
}

export class TextError extends Error {
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}

export interface Read {
  value: Value;
  /** Where the value of a path begins; paths as in `pathText`. */
  places: Map<string, Place>;
}

export const pathText = (path: readonly (string | number)[]): string => JSON.stringify(path.map(String));

/** A path as programs write it, `$.a.b[0]`, `a.b.0` or `/a/b/0`, as its steps. */
export function stepsOf(path: string): string[] {
  if (path.startsWith("/")) return path.slice(1).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const steps: string[] = [];
  for (const found of path.replace(/^\$\.?/, "").matchAll(/\[(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\]]*))\]|([^.[\]]+)/g)) {
    steps.push(found[1] ?? found[2] ?? found[3] ?? found[4] ?? "");
  }
  return steps.filter((step) => step !== "...");
}

export const printJson = (value: Value | undefined): string => (value === undefined ? "" : JSON.stringify(value, null, 2));

function placeAt(text: string, at: number): Place {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  return { line, column: at - before.lastIndexOf("\n") };
}

const set = (object: { [key: string]: Value }, key: string, value: Value): void => {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
};

const MOST_DEEP = 200;

/** Read JSON; throws a `TextError` with the place where it stops being JSON. */
export function readJson(text: string): Read {
  const places = new Map<string, Place>();
  const starts: [string, number][] = [];
  let at = 0;
  const fail = (message: string, where = at): never => {
    const { line, column } = placeAt(text, where);
    throw new TextError(message, line, column);
  };
  const space = (): void => {
    while (at < text.length && " \t\r\n".includes(text[at]!)) at++;
  };
  const word = (): string => {
    if (at >= text.length) return "the end";
    return text[at]!;
  };
  const string = (): string => {
    const start = at++;
    while (at < text.length && text[at] !== '"') {
      if (text[at] === "\n") fail("a text ends on its line", start);
      at += text[at] === "\\" ? 2 : 1;
    }
    if (at >= text.length) fail("a text has no end", start);
    at++;
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail("a text has an escape that is none", start);
    }
  };
  const read = (path: string[]): Value => {
    space();
    starts.push([pathText(path), at]);
    if (path.length > MOST_DEEP) fail("nested too deep");
    const first = text[at];
    if (first === "{") {
      const object: { [key: string]: Value } = {};
      at++;
      space();
      if (text[at] === "}") return at++, object;
      for (;;) {
        space();
        if (text[at] !== '"') fail(text[at] === "}" ? "a comma with nothing after it" : `a key in quotes expected, not ${word()}`);
        const keyAt = at;
        const key = string();
        if (Object.hasOwn(object, key)) fail(`the key ${key} twice`, keyAt);
        space();
        if (text[at] !== ":") fail(`a colon expected, not ${word()}`);
        at++;
        set(object, key, read([...path, key]));
        space();
        if (text[at] === "}") return at++, object;
        if (text[at] !== ",") fail(`a comma or } expected, not ${word()}`);
        at++;
      }
    }
    if (first === "[") {
      const list: Value[] = [];
      at++;
      space();
      if (text[at] === "]") return at++, list;
      for (;;) {
        space();
        if (text[at] === "]") fail("a comma with nothing after it");
        list.push(read([...path, String(list.length)]));
        space();
        if (text[at] === "]") return at++, list;
        if (text[at] !== ",") fail(`a comma or ] expected, not ${word()}`);
        at++;
      }
    }
    if (first === '"') return string();
    const found = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/.exec(text.slice(at, at + 400))?.[0];
    if (found === undefined) return fail(`a value expected, not ${/^[\w.+-]+/.exec(text.slice(at, at + 40))?.[0] ?? word()}`);
    at += found.length;
    const value = JSON.parse(found) as Value;
    if (typeof value === "number" && /^-?\d+$/.test(found) && !Number.isSafeInteger(value)) fail("a number too large to be kept exactly; write it as a text", at - found.length);
    return value;
  };
  const value = read([]);
  space();
  if (at < text.length) fail(`nothing expected after the value, not ${word()}`);
  const lines: number[] = [0];
  for (let place = text.indexOf("\n"); place >= 0; place = text.indexOf("\n", place + 1)) lines.push(place + 1);
  let line = 0;
  for (const [path, start] of starts) {
    while (line + 1 < lines.length && lines[line + 1]! <= start) line++;
    places.set(path, { line: line + 1, column: start - lines[line]! + 1 });
  }
  return { value, places };
}

/** Read YAML; throws a `TextError` with the place. Anchors, aliases and tags are refused: they have no place of their own in a form. */
export function readYaml(text: string): Read {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const fail = (message: string, at: number): never => {
    const { line, col } = lines.linePos(at);
    throw new TextError(message, Math.max(line, 1), Math.max(col, 1));
  };
  const wrong = [...document.errors, ...document.warnings][0];
  if (wrong) fail(wrong.code === "MULTIPLE_DOCS" ? "only one document" : wrong.message, wrong.pos[0]);
  const places = new Map<string, Place>();
  const found = (node: unknown, path: string[]): Value => {
    if (!isNode(node)) return null;
    const at = node.range?.[0] ?? 0;
    if (path.length > MOST_DEEP) fail("nested too deep", at);
    if (isAlias(node)) return fail("anchors and aliases are not read here", at);
    if (node.anchor) fail("anchors and aliases are not read here", at);
    if (node.tag) fail("tags are not read here", at);
    const { line, col } = lines.linePos(at);
    places.set(pathText(path), { line, column: col });
    if (isSeq(node)) return node.items.map((item, place) => found(item, [...path, String(place)]));
    if (isMap(node)) {
      const object: { [key: string]: Value } = {};
      for (const { key, value } of node.items) {
        const name = String((key as Scalar).value ?? "");
        set(object, name, found(value, [...path, name]));
      }
      return object;
    }
    return plainValue(node as Scalar, (message) => fail(message, at));
  };
  return { value: found(document.contents, []), places };
}

function plainValue({ value, source }: Scalar, fail: (message: string) => never): Value {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) fail("numbers are finite here");
    if (/^[-+]?\d+$/.test(source ?? "") && !Number.isSafeInteger(value)) fail("a number too large to be kept exactly; put it in quotes");
  }
  return value as Value;
}

/** Write a value as YAML in blocks. */
export const printYaml = (value: Value | undefined): string => (value === undefined ? "" : stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }));
