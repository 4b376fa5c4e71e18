import type { BodyEdit, HeadersEdit, MessageView } from "../api";

/** What differs of a message that is edited: only that goes to the server, so that the rest stays to the byte. */

export interface HeaderRow {
  name: string;
  value: string;
  binary: boolean;
}

export interface Edited {
  format: MessageView["format"];
  body: string;
  key: string;
  tag: string;
  rows: HeaderRow[];
}

export interface Changes {
  body?: BodyEdit;
  headers?: HeadersEdit;
  key?: string;
  tag?: string;
}

export const rowsOf = (message: MessageView): HeaderRow[] =>
  Object.entries(message.headers).map(([name, value]) => ({ name, value, binary: message.binary.includes(name) }));

/** Rows without a name count for nothing, and of two with one name the last. */
export function headersOf(rows: HeaderRow[]): HeadersEdit {
  const named = rows.filter((row) => row.name.trim() !== "");
  const values = Object.fromEntries(named.map((row) => [row.name.trim(), row.value]));
  const kinds = new Map(named.map((row) => [row.name.trim(), row.binary]));
  return { values, binary: [...kinds].filter(([, binary]) => binary).map(([name]) => name).sort() };
}

/** Of a body that is not shown as it is, nothing is sent unless it was written over. */
export function changesOf(before: Edited, now: Edited, hidden: boolean): Changes {
  const changes: Changes = {};
  if (now.body !== before.body || (!hidden && now.format !== before.format)) changes.body = { format: now.format, text: now.body };
  const [had, has] = [headersOf(before.rows), headersOf(now.rows)];
  if (written(had) !== written(has)) changes.headers = has;
  if (now.key !== before.key) changes.key = now.key;
  if (now.tag !== before.tag) changes.tag = now.tag;
  return changes;
}

const written = (headers: HeadersEdit): string => JSON.stringify([Object.entries(headers.values).sort(([one], [other]) => (one < other ? -1 : 1)), headers.binary]);

/** Say what is wrong with a body before it is sent; JSON is read as it is written, numbers of any length stay. */
export function problemOf(format: MessageView["format"], text: string): string | undefined {
  try {
    if (format === "json") JSON.parse(text);
    if (format === "base64") atob(text.trim());
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}
