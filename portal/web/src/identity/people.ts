import { useEffect } from "react";
import { usePages, useRead, type Permission, type Role, type RoleGrant, type User } from "../api";
import { useMeaning } from "../shell";
import { GRANTS, ROLES, USER, USERS } from "./operations";

const ID = /^[0-9a-f]{32}$/;

/** The user that an address names, by id or by name. */
export function useUser(tenant: string, key: string): { user: User | undefined; error: ReturnType<typeof useRead>["error"]; missing: boolean; again: () => void } {
  const byId = ID.test(key);
  const one = useRead(USER(tenant), { path: { tenant, user: key } as never }, { enabled: byId });
  const list = useRead(USERS(tenant), { path: { tenant } as never, query: { words: key, limit: 200 } }, { enabled: !byId });
  const found = byId ? one.data : list.data?.items.find((row) => row.name === key && row.tenant === tenant);
  const missing = byId ? one.error?.status === 404 : list.data !== undefined && !found;
  return { user: found, error: (byId ? one : list).error, missing, again: () => void (byId ? one : list).refetch() };
}

const MOST = 20;

export interface AllGrants {
  grants: RoleGrant[] | undefined;
  /** Every page was read: what is not among them is not there. */
  complete: boolean;
  /** There are more than were read. */
  cut: boolean;
  reading: boolean;
  error: ReturnType<typeof useRead>["error"];
  readAt: number;
  again: () => void;
}

/** All grants that who looks may see, read page by page and to a bound: the server lists them in the order they were made. */
export function useGrants(tenant: string, enabled = true): AllGrants {
  const found = usePages<RoleGrant>(GRANTS(tenant), { path: { tenant } as never, query: { limit: 500 } as never }, { enabled });
  const { more, loadingMore, rows } = found;
  const pages = Math.ceil((rows?.length ?? 0) / 500);
  useEffect(() => {
    if (more && !loadingMore && pages < MOST) more();
  }, [more, loadingMore, pages]);
  return { grants: rows, complete: rows !== undefined && more === undefined, cut: more !== undefined && pages >= MOST, reading: found.fetching, error: found.error, readAt: found.readAt, again: found.again };
}

/** Those of all grants that meet a condition; nothing is said to be none before every page was read. */
export function among(all: AllGrants, wanted: (grant: RoleGrant) => boolean): RoleGrant[] | undefined {
  const found = all.grants?.filter(wanted);
  return found && (found.length > 0 || all.complete || all.cut) ? found : undefined;
}

/** The roles of a tenant and the built-in ones, these in the words of the language in force; and how reading them went. */
export function useRoles(tenant: string): { roles: Role[] | undefined; error: ReturnType<typeof useRead>["error"]; readAt: number; again: () => void } {
  const meaning = useMeaning();
  const found = useRead(ROLES(tenant), { path: { tenant } as never });
  const roles = found.data?.items.map((role) => (role.tenant ? role : { ...role, title: meaning(`role.${role.name}`, role.title) }));
  return { roles, error: found.error, readAt: found.dataUpdatedAt, again: () => void found.refetch() };
}

/** Every permission there is, with its meaning. */
export function usePermissions(): Permission[] | undefined {
  const meaning = useMeaning();
  return useRead("GET /api/v1/identity/permissions").data?.map((one) => ({ ...one, meaning: meaning(one.name, one.meaning) }));
}

/** Whether a grant counts now. */
export function stateOf(grant: RoleGrant, now = Date.now()): "now" | "later" | "over" {
  if (grant.expires && grant.expires <= now) return "over";
  return grant.not_before > now ? "later" : "now";
}

const WRITTEN = /^(!?)(?:(\*)|([a-z0-9_*]+)\.([a-z0-9_*]+)):([a-z*]+)$/;

/** Whether a written line, as config.*:read, means a permission. */
export function matches(line: string, permission: string): boolean {
  const parts = WRITTEN.exec(line);
  const [, capability, kind, verb] = /^([^.]+)\.([^:]+):(.+)$/.exec(permission) ?? [];
  if (!parts || !verb) return false;
  if (parts[5] !== "*" && parts[5] !== verb) return false;
  if (parts[2] === "*") return true;
  return (parts[3] === "*" || parts[3] === capability) && (parts[4] === "*" || parts[4] === kind);
}

/** What a role's lines come to: all that match one, without what a line with "!" takes away. */
export function expanded(lines: string[], permissions: Permission[]): Set<string> {
  const gives = lines.filter((line) => !line.startsWith("!"));
  const takes = lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  return new Set(permissions.map((one) => one.name).filter((name) => gives.some((line) => matches(line, name)) && !takes.some((line) => matches(line, name))));
}

/** The parts of a pattern, all four of them. */
export function partsOf(pattern: string): [string, string, string, string] {
  const parts = pattern.split("/");
  return [0, 1, 2, 3].map((place) => parts[place] || "*") as [string, string, string, string];
}

/** A pattern as short as it may be written. */
export function shortPattern(pattern: string): string {
  const parts = partsOf(pattern) as string[];
  while (parts.length > 1 && parts[parts.length - 1] === "*") parts.pop();
  return parts.join("/");
}

export function useMeanings(): (name: string) => string {
  const known = new Map((usePermissions() ?? []).map((one) => [one.name, one.meaning]));
  return (name) => known.get(name) ?? "";
}
