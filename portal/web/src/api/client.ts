import type { Failure } from "../kit";
import { isAway } from "./away";
import { AWAY_HEADER } from "./events";
import type { Operations, Problem, ProblemDocument } from "./schema.gen";

/** The API: every operation of the server's OpenAPI document by its name, typed; errors are problems with a stable code. */
export type Operation = keyof Operations;
type Part<O, K extends string> = O extends { [key in K]: infer V } ? V : undefined;

export interface Arguments<K extends Operation> {
  path?: Part<Operations[K], "path">;
  query?: Partial<NonNullable<Part<Operations[K], "query">>>;
  body?: Part<Operations[K], "body">;
  /** The version that was read: sent as If-Match. */
  version?: string;
  signal?: AbortSignal;
}

export type Answer<K extends Operation> = Operations[K]["answer"];

/** What the server refused, or that it did not answer at all. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string;
  readonly problems: Problem[];
  readonly facts: Record<string, unknown>;
  readonly retryAfter: number;

  constructor(said: { status: number; code: string; detail: string; requestId?: string; problems?: Problem[]; facts?: Record<string, unknown>; retryAfter?: number }) {
    super(said.detail);
    this.status = said.status;
    this.code = said.code;
    this.requestId = said.requestId ?? "";
    this.problems = said.problems ?? [];
    this.facts = said.facts ?? {};
    this.retryAfter = said.retryAfter ?? 0;
  }

  /** Whether another try may help. */
  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Where the portal stands, with its slash: what every address begins with. */
export const base = new URL(document.baseURI).pathname.replace(/[^/]*$/, "");

export function address(path: string): string {
  return base + path.replace(/^\//, "");
}

export function urlOf(operation: Operation, args: { path?: unknown; query?: unknown }): string {
  const template = operation.slice(operation.indexOf(" ") + 1);
  const places = (args.path ?? {}) as Record<string, string>;
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(places[name] ?? "")));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries((args.query ?? {}) as Record<string, unknown>)) {
    if (value !== undefined && value !== null && value !== "" && value !== false) query.set(name, String(value));
  }
  const text = query.toString();
  return address(text ? `${path}?${text}` : path);
}

let leaving = false;

/** The session is over: sign in again, and come back here. */
export function signIn(): void {
  if (leaving) return;
  leaving = true;
  const here = window.location.pathname + window.location.search;
  window.location.assign(address(`login?next=${encodeURIComponent(here)}`));
}

async function refusal(response: Response): Promise<ApiError> {
  const requestId = response.headers.get("x-request-id") ?? "";
  try {
    const said = (await response.json()) as ProblemDocument;
    return new ApiError({
      status: response.status,
      code: said.code,
      detail: said.detail || said.title,
      requestId,
      problems: said.problems ?? [],
      facts: said.facts ?? {},
      retryAfter: Number(response.headers.get("retry-after") ?? 0),
    });
  } catch {
    return new ApiError({ status: response.status, code: "unavailable", detail: `the server answered ${response.status}`, requestId });
  }
}

/** Send a request; give the answer with its version where it has one. */
export async function send<K extends Operation>(operation: K, args: Arguments<K> = {}): Promise<{ data: Answer<K>; version: string }> {
  const method = operation.slice(0, operation.indexOf(" "));
  const headers: Record<string, string> = { Accept: "application/json", "X-Qiantang": "1" };
  if (isAway()) headers[AWAY_HEADER] = "1";
  if (args.version !== undefined) headers["If-Match"] = `"${args.version}"`;
  let body: BodyInit | undefined;
  if (args.body instanceof Blob) body = args.body;
  else if (args.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(args.body);
  }
  let response: Response;
  try {
    response = await fetch(urlOf(operation, args), { method, headers, body, credentials: "same-origin", signal: args.signal ?? null } as RequestInit);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError({ status: 0, code: "unreachable", detail: "the server does not answer" });
  }
  if (!response.ok) {
    const error = await refusal(response);
    if (error.status === 401) signIn();
    throw error;
  }
  const version = (response.headers.get("etag") ?? "").replace(/^W\//, "").replace(/^"|"$/g, "");
  const text = response.status === 204 ? "" : await response.text();
  const json = response.headers.get("content-type")?.includes("json") ?? false;
  return { data: (text === "" ? undefined : json ? JSON.parse(text) : text) as Answer<K>, version };
}

export async function call<K extends Operation>(operation: K, args: Arguments<K> = {}): Promise<Answer<K>> {
  return (await send(operation, args)).data;
}

const inQuotes = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A word as a shell reads it back. */
export const quoted = (text: string): string => (/^[\w./:@,+-]+$/.test(text) ? text : inQuotes(text));

/** Give the request of a screen as a line for the command line: the token is the reader's own. */
export function asCurl(operation: Operation, args: { path?: unknown; query?: unknown; body?: unknown }): string {
  const method = operation.slice(0, operation.indexOf(" "));
  const url = window.location.origin + urlOf(operation, args);
  const parts = ["curl", ...(method === "GET" ? [] : ["-X", method]), "-H", '"Authorization: Bearer $QIANTANG_TOKEN"'];
  if (args.body !== undefined) parts.push("-H", "'Content-Type: application/json'", "-d", inQuotes(JSON.stringify(args.body)));
  return [...parts, inQuotes(url)].join(" ");
}

/** Give an error as the kit shows it. */
export function failureOf(error: unknown, title: string): Failure {
  if (error instanceof ApiError) {
    return { title, detail: error.message, code: error.code, requestId: error.requestId || undefined, problems: error.problems };
  }
  return { title, detail: error instanceof Error ? error.message : String(error), code: "portal.failed" };
}
