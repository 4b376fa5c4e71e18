import { usePages, useRead, type Pages, type Permission, type Role, type RoleGrant, type User } from "../api";
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

/** Which grants are wanted; what is empty lets all pass. The server filters them. */
export interface WantedGrants {
  user?: string;
  role?: string;
  place?: string;
  level?: string;
  state?: string;
  words?: string;
}

const listed = (tenant: string, wanted: WantedGrants, limit: number) => ({ path: { tenant } as never, query: { ...wanted, limit } as never });

/** Those grants that are wanted and who looks may see, in the order they were made, page by page. */
export function useGrants(tenant: string, wanted: WantedGrants, options: { enabled?: boolean; keep?: boolean } = {}): Pages<RoleGrant> {
  return usePages(GRANTS(tenant), listed(tenant, wanted, 500), { keep: false, ...options });
}

/** One grant by its id: where a link leads to one that is not among those that are shown. */
export function useGrant(tenant: string, id: string, enabled: boolean): RoleGrant | undefined {
  return useRead(GRANTS(tenant), listed(tenant, { words: id }, 1), { enabled: enabled && ID.test(id) }).data?.items.find((one) => one.id === id);
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
