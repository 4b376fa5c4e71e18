/**
 * Values as text and back, with the place of each value, so that a problem of a path can be shown on its line. JSON in full; of
 * YAML what a configuration uses: blocks, flows, quoted and block texts, comments. What is beyond that is refused by name.
 */
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

/* YAML */

interface Line {
  indent: number;
  text: string;
  number: number;
}

/** Read the part of YAML that configurations are written in. */
export function readYaml(text: string): Read {
  const raw = text.replace(/\r\n?/g, "\n").split("\n");
  const places = new Map<string, Place>();
  let next = 0;
  const fail = (message: string, line: number, column: number): never => {
    throw new TextError(message, line, column);
  };
  const significant = (): Line | undefined => {
    for (; next < raw.length; next++) {
      const line = raw[next]!;
      const indent = line.length - line.trimStart().length;
      const rest = line.slice(indent);
      if (rest === "" || rest.startsWith("#")) continue;
      if (indent === 0 && (rest === "---" || rest.startsWith("--- ")) && next === firstLine(raw)) continue;
      if (indent === 0 && (/^---(\s|$)/.test(rest) || rest === "...")) fail("only one document", next + 1, 1);
      if (line.slice(0, indent).includes("\t")) fail("indent with spaces, not tabs", next + 1, line.indexOf("\t") + 1);
      if (indent === 0 && rest.startsWith("%")) fail("directives are not read here", next + 1, 1);
      return { indent, text: rest, number: next + 1 };
    }
    return undefined;
  };

  const block = (least: number, path: string[]): Value => {
    const line = significant();
    if (!line || line.indent < least) return null;
    if (path.length > MOST_DEEP) fail("nested too deep", line.number, 1);
    places.set(pathText(path), { line: line.number, column: line.indent + 1 });
    if (/^-(\s|$)/.test(line.text)) return sequence(line.indent, path);
    if (keyOf(line.text, line) !== undefined) return mapping(line.indent, path);
    next++;
    return scalar(line.text, { line: line.number, column: line.indent + 1 }, least - 1, path);
  };

  const sequence = (indent: number, path: string[]): Value[] => {
    const list: Value[] = [];
    for (let line = significant(); line && line.indent === indent && /^-(\s|$)/.test(line.text); line = significant()) {
      const inner = line.text.slice(1).trimStart();
      const column = indent + 1 + (line.text.length - inner.length);
      const here = [...path, String(list.length)];
      places.set(pathText(here), { line: line.number, column });
      if (inner === "" || inner.startsWith("#")) {
        next++;
        list.push(block(indent + 1, here));
      } else if (/^-(\s|$)/.test(inner) || keyOf(inner, line) !== undefined) {
        raw[next] = " ".repeat(column - 1) + inner;
        list.push(block(indent + 1, here));
      } else {
        next++;
        list.push(scalar(inner, { line: line.number, column }, indent, here));
      }
    }
    const after = significant();
    if (after && after.indent > indent) fail("indented deeper than what it belongs to", after.number, after.indent + 1);
    return list;
  };

  const mapping = (indent: number, path: string[]): { [key: string]: Value } => {
    const object: { [key: string]: Value } = {};
    for (let line = significant(); line && line.indent === indent; line = significant()) {
      const found = keyOf(line.text, line);
      if (found === undefined) return fail(/^-(\s|$)/.test(line.text) ? "an item among keys" : "a key with a colon expected", line.number, indent + 1);
      const { key, rest, column } = found;
      if (Object.hasOwn(object, key)) fail(`the key ${key} twice`, line.number, indent + 1);
      const here = [...path, key];
      const start = { line: line.number, column: indent + column };
      places.set(pathText(here), rest === "" ? { line: line.number, column: indent + 1 } : start);
      next++;
      if (rest === "" || rest.startsWith("#")) {
        const below = significant();
        const value = below && below.indent === indent && /^-(\s|$)/.test(below.text) ? sequence(indent, here) : block(indent + 1, here);
        set(object, key, value);
      } else set(object, key, scalar(rest, start, indent, here));
    }
    const after = significant();
    if (after && after.indent > indent) fail("indented deeper than what it belongs to", after.number, after.indent + 1);
    return object;
  };

  const keyOf = (line: string, at: Line): { key: string; rest: string; column: number } | undefined => {
    if (line.startsWith("? ")) return fail("keys of several lines are not read here", at.number, at.indent + 1);
    const quoted = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*:(?:\s+|$)/.exec(line);
    const plain = quoted ?? /^((?:[^\s#"'{}[\],&*!|>%@`:-]|[:-](?=\S))(?:[^:#]|:(?=\S)|(?<=\S)#)*?)\s*:(?:\s+|$)/.exec(line);
    if (!plain) return undefined;
    const rest = line.slice(plain[0].length);
    return { key: quoted ? unquote(quoted[1]!, at.number, at.indent + 1) : plain[1]!, rest, column: plain[0].length + 1 };
  };

  const unquote = (text: string, line: number, column: number): string => {
    if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
    const plain: Record<string, string> = { n: "\n", t: "\t", r: "\r", "0": "\0", e: "\u001b", '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", " ": " ", a: "\u0007", v: "\v" };
    return text.slice(1, -1).replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gs, (_, two?: string, four?: string, eight?: string, one?: string) => {
      const code = two ?? four ?? eight;
      if (code !== undefined) return String.fromCodePoint(Number.parseInt(code, 16));
      return plain[one ?? ""] ?? fail(`\\${one} is no escape`, line, column);
    });
  };

  /** A value that begins on its line: plain, quoted, a flow, or a block of text below. */
  const scalar = (first: string, start: Place, indent: number, path: string[]): Value => {
    const sign = first[0]!;
    if (sign === "&" || sign === "*") return fail("anchors and aliases are not read here", start.line, start.column);
    if (sign === "!") return fail("tags are not read here", start.line, start.column);
    if (sign === "@" || sign === "`") return fail(`a text does not begin with ${sign}`, start.line, start.column);
    if (sign === "|" || sign === ">") return textBlock(first, start, indent);
    if (sign === '"' || sign === "'" || sign === "{" || sign === "[") return flow(start, indent, path);
    const comment = /\s#.*$/.exec(first);
    let plain = (comment ? first.slice(0, comment.index) : first).trim();
    if (/:(\s|$)/.test(plain)) return fail("a colon inside a text: put it in quotes", start.line, start.column + plain.search(/:(\s|$)/));
    if (!comment) {
      for (let line = significant(); line && line.indent > indent && next < raw.length; line = significant()) {
        if (keyOf(line.text, line) !== undefined) return fail("a key below a value", line.number, line.indent + 1);
        plain += ` ${line.text.replace(/\s#.*$/, "").trim()}`;
        next++;
      }
    }
    return plainValue(plain, start, fail);
  };

  const textBlock = (head: string, start: Place, indent: number): string => {
    const shape = /^([|>])([+-]?)([1-9]?)([+-]?)\s*(?:#.*)?$/.exec(head);
    if (!shape) return fail("after | or > only + or -", start.line, start.column);
    const keep = shape[2] || shape[4] || "";
    const lines: string[] = [];
    let width = shape[3] ? Math.max(indent, 0) + Number(shape[3]) : 0;
    for (; next < raw.length; next++) {
      const line = raw[next]!;
      const depth = line.length - line.trimStart().length;
      if (line.trim() !== "") {
        if (width === 0) width = depth;
        if (depth < width || depth <= indent) break;
      }
      lines.push(line.slice(width));
    }
    let ends = 0;
    while (lines.length > 0 && lines.at(-1)!.trim() === "") {
      lines.pop();
      ends++;
    }
    if (next >= raw.length && raw.at(-1) === "" && ends > 0) ends--;
    const body = shape[1] === "|" ? lines.join("\n") : fold(lines);
    return keep === "-" || lines.length === 0 ? body : `${body}\n${keep === "+" ? "\n".repeat(ends) : ""}`;
  };

  /** Quoted texts and flows may go on over lines; they are read from the whole rest. */
  const flow = (start: Place, indent: number, path: string[]): Value => {
    const source = [raw[start.line - 1]!.slice(start.column - 1), ...raw.slice(start.line)];
    let row = 0;
    let column = 0;
    const where = (): [number, number] => [start.line + row, (row === 0 ? start.column : 1) + column];
    const peek = (): string | undefined => source[row]?.[column];
    const move = (): void => {
      column++;
    };
    const space = (): void => {
      for (;;) {
        const sign = peek();
        if (sign === undefined || (sign === "#" && (column === 0 || /\s/.test(source[row]![column - 1]!)))) {
          if (row + 1 >= source.length) return fail("no end of what began here", start.line, start.column);
          const following = source[row + 1]!;
          if (following.trim() !== "" && following.length - following.trimStart().length <= indent && !/^[\]}]/.test(following.trim())) return fail("not closed", ...where());
          row++;
          column = 0;
        } else if (sign === " " || sign === "\t") move();
        else return;
      }
    };
    const quoted = (): string => {
      const [line, at] = where();
      const sign = peek()!;
      let text = sign;
      move();
      for (;;) {
        const one = peek();
        if (one === undefined) {
          if (row + 1 >= source.length) return fail("a text has no end", line, at);
          row++;
          column = source[row]!.length - source[row]!.trimStart().length;
          text = text.trimEnd();
          text += source[row]!.trim() === "" ? "\n" : text.endsWith("\n") ? "" : " ";
          continue;
        }
        if (sign === '"' && one === "\\") {
          text += one + (source[row]![column + 1] ?? "");
          column += 2;
          continue;
        }
        text += one;
        move();
        if (one === sign) {
          if (sign === "'" && peek() === "'") {
            text += "'";
            move();
            continue;
          }
          return unquote(text, line, at);
        }
      }
    };
    const read = (here: string[]): Value => {
      space();
      const [line, at] = where();
      if (here.length > MOST_DEEP) fail("nested too deep", line, at);
      places.set(pathText(here), { line, column: at });
      const sign = peek();
      if (sign === '"' || sign === "'") return quoted();
      if (sign === "[") {
        const list: Value[] = [];
        move();
        for (space(); peek() !== "]"; space()) {
          list.push(read([...here, String(list.length)]));
          space();
          if (peek() === ",") move();
          else if (peek() !== "]") return fail("a comma or ] expected", ...where());
        }
        move();
        return list;
      }
      if (sign === "{") {
        const object: { [key: string]: Value } = {};
        move();
        for (space(); peek() !== "}"; space()) {
          const [keyLine, keyAt] = where();
          const key = peek() === '"' || peek() === "'" ? quoted() : plain(true);
          if (Object.hasOwn(object, key)) fail(`the key ${key} twice`, keyLine, keyAt);
          space();
          if (peek() !== ":") return fail("a colon expected", ...where());
          move();
          space();
          set(object, key, peek() === "," || peek() === "}" ? null : read([...here, key]));
          space();
          if (peek() === ",") move();
          else if (peek() !== "}") return fail("a comma or } expected", ...where());
        }
        move();
        return object;
      }
      const text = plain(false);
      if (text === "") return fail("a value expected", line, at);
      return plainValue(text, { line, column: at }, fail);
    };
    const plain = (key: boolean): string => {
      const from = column;
      const line = source[row]!;
      while (column < line.length && !/[,[\]{}]/.test(line[column]!) && !(line[column] === "#" && /\s/.test(line[column - 1] ?? "")) && !(line[column] === ":" && (key || /[\s,}\]]/.test(line[column + 1] ?? " ")))) move();
      return line.slice(from, column).trim();
    };
    const value = read(path);
    const rest = source[row]!.slice(column).trim();
    if (rest !== "" && !rest.startsWith("#")) return fail("nothing expected after the value", ...where());
    next = start.line - 1 + row + 1;
    return value;
  };

  const value = block(0, []);
  const after = significant();
  if (after) fail("nothing expected after the value", after.number, after.indent + 1);
  return { value, places };
}

function firstLine(raw: readonly string[]): number {
  return raw.findIndex((line) => line.trim() !== "" && !line.trim().startsWith("#"));
}

function fold(lines: readonly string[]): string {
  let text = "";
  lines.forEach((line, place) => {
    const before = lines[place - 1];
    if (place === 0) text = line;
    else if (line === "") text += "\n";
    else if (before === "") text += line;
    else text += /^\s/.test(line) || /^\s/.test(before ?? "") ? `\n${line}` : ` ${line}`;
  });
  return text;
}

function plainValue(text: string, start: Place, fail: (message: string, line: number, column: number) => never): Value {
  if (text === "" || text === "~" || /^(null|Null|NULL)$/.test(text)) return null;
  if (/^(true|True|TRUE)$/.test(text)) return true;
  if (/^(false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?\d+$/.test(text)) {
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : fail("a number too large to be kept exactly; put it in quotes", start.line, start.column);
  }
  if (/^0x[0-9a-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0o[0-7]+$/.test(text)) return Number.parseInt(text.slice(2), 8);
  if (/^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  if (/^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$/.test(text)) return fail("numbers are finite here", start.line, start.column);
  return text;
}

const PLAIN = /^(?![-?:](?:\s|$)|[\s#&*!|>'"%@`{}[\],]|---|\.\.\.)(?!.*(?::\s|:$|\s#|\s$))[\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd]+$/;

function printText(text: string): string {
  const told = ["null", "true", "false", "yes", "no", "on", "off", "~"].includes(text.toLowerCase()) || /^[-+.]?\d|^[-+]?\.(inf|nan)$/i.test(text);
  return !told && PLAIN.test(text) ? text : JSON.stringify(text);
}

/** Write a value as YAML in blocks. */
export function printYaml(value: Value | undefined): string {
  if (value === undefined) return "";
  return printBlock(value, 0).replace(/^\n/, "").replace(/^ /, "");
}

function printBlock(value: Value, depth: number): string {
  const pad = "  ".repeat(depth);
  if (Array.isArray(value)) {
    if (value.length === 0) return " []\n";
    return `\n${value
      .map((one) => {
        const inner = printBlock(one, depth + 1);
        return `${pad}-${inner.startsWith("\n") ? ` ${inner.slice(1 + (depth + 1) * 2)}` : inner}`;
      })
      .join("")}`;
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (entries.length === 0) return " {}\n";
    return `\n${entries.map(([key, one]) => `${pad}${printText(key)}:${printBlock(one, depth + 1)}`).join("")}`;
  }
  if (typeof value === "string") {
    const block = value.includes("\n") && !/^[\s]|[\t\r\0\u007f]|[^\S\n]\n|[^\S\n]$/.test(value) && value.replace(/\n+$/, "") !== "";
    if (block && depth > 0) {
      const body = value.replace(/\n+$/, "");
      const ends = value.length - body.length;
      return ` |${ends === 0 ? "-" : ends > 1 ? "+" : ""}\n${body.split("\n").map((line) => (line ? pad + line : "")).join("\n")}\n${"\n".repeat(Math.max(0, ends - 1))}`;
    }
    return ` ${printText(value)}\n`;
  }
  return ` ${JSON.stringify(value)}\n`;
}
