import type { AuditRecord, Change } from "../api";
import type { Hue } from "../kit";
import type { Change as Shown } from "../kit/parts";

export const LIST = (tenant: string) => (tenant ? "GET /api/v1/audit/tenants/{tenant}/records" : "GET /api/v1/audit/records");
export const VERIFY = (tenant: string) => (tenant ? "POST /api/v1/audit/tenants/{tenant}/verify" : "POST /api/v1/audit/verify");

export const HUES: Record<string, Hue> = { allow: "ok", deny: "bad", error: "warn" };

const HOUR = 3_600_000;
export const RANGES: Record<string, number> = { "1h": HOUR, "24h": 24 * HOUR, "7d": 7 * 24 * HOUR, "30d": 30 * 24 * HOUR };

/** What the address filters by. */
export const FILTERS = ["actor", "action", "outcome", "resource", "application", "request", "range", "since", "until"] as const;

export interface Wanted {
  actor?: string;
  action?: string;
  outcome?: string;
  resource?: string;
  environment?: string;
  center?: string;
  application?: string;
  request_id?: string;
  since?: number;
  until?: number;
}

/** The filters of the address as the server takes them; a range counts back from the minute that `now` is in. */
export function wantedOf(query: URLSearchParams, scope: { environment: string; center: string }, now: number): Wanted {
  const span = RANGES[query.get("range") ?? ""];
  const text = (name: string): Record<string, string> => (query.get(name) ? { [name]: query.get(name) ?? "" } : {});
  const moment = (name: string): Record<string, number> => (Number(query.get(name)) > 0 ? { [name]: Number(query.get(name)) } : {});
  return {
    ...text("actor"),
    ...text("action"),
    ...text("outcome"),
    ...text("resource"),
    ...text("application"),
    ...(query.get("request") ? { request_id: query.get("request") ?? "" } : {}),
    ...(scope.environment ? { environment: scope.environment } : {}),
    ...(scope.center ? { center: scope.center } : {}),
    ...(span ? { since: Math.floor(now / 60_000) * 60_000 - span } : moment("since")),
    ...(span ? {} : moment("until")),
  };
}

/** Where something happened, as short as it may be written; empty for the tenant or the platform as a whole. */
export function placeOf(one: AuditRecord): string {
  const parts = [one.environment, one.center, one.application];
  while (parts.length > 0 && (parts[parts.length - 1] === "*" || parts[parts.length - 1] === "")) parts.pop();
  return parts.map((part) => part || "*").join("/");
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** The changes of a record as rows; what was made or deleted as a whole is told key by key. */
export function changesOf(one: AuditRecord): Shown[] {
  return one.changes.flatMap((change, place) => {
    if (!isObject(change) || !("path" in change)) return [{ path: `#${place + 1}`, action: "change" as const, after: change }];
    const { path, before, after } = change as unknown as Change;
    if (path === "" && (isObject(before) || isObject(after))) {
      const keys = [...new Set([...Object.keys(isObject(before) ? before : {}), ...Object.keys(isObject(after) ? after : {})])];
      return keys.map((key) => row(key, isObject(before) ? before[key] : undefined, isObject(after) ? after[key] : undefined));
    }
    return [row(path || "—", before, after)];
  });
}

function row(path: string, before: unknown, after: unknown): Shown {
  const gone = (value: unknown): boolean => value === undefined || value === null;
  return { path, action: gone(before) ? "add" : gone(after) ? "remove" : "change", ...(gone(before) ? {} : { before }), ...(gone(after) ? {} : { after }) };
}

/** The day of a moment where who looks lives. */
export const dayOf = (at_: number): string => new Date(at_).toDateString();
