import type { Operation } from "./client";

/**
 * Live: which rows an answer of identity shows, so that it is read again when somebody changes them. What is deleted takes along
 * what belongs to it: a grant ends with its user and with its place.
 */
const SHOWN: [ending: RegExp, kinds: string[]][] = [
  [/\/grants$/, ["grant", "user", "environment", "center", "application"]],
  [/\/credentials$/, ["credential", "environment", "application"]],
  [/\/applications(\/\{application\})?$/, ["application"]],
  [/\/environments$/, ["environment"]],
  [/\/centers$/, ["center"]],
  [/\/users(\/\{user\})?$/, ["user"]],
  [/\/roles$/, ["role"]],
  [/\/tenants(\/\{tenant\})?$/, ["tenant"]],
  [/\/tokens$/, ["access_token"]],
  [/\/sessions$/, ["session"]],
];

/** The topic of a list: of the rows of one kind in a tenant, or in all of them. */
const listTopic = (tenant: string, kind: string): string => `list:${tenant || "*"}/identity.${kind}`;

/** The topics of the stream that say when an operation's answer is to be read again. */
export function liveTopics(operation: Operation, path: unknown): string[] {
  if (!operation.startsWith("GET /api/v1/identity/")) return [];
  const { tenant = "" } = (path ?? {}) as { tenant?: string };
  const kinds = SHOWN.find(([ending]) => ending.test(operation))?.[1] ?? [];
  return kinds.map((kind) => listTopic(operation.includes("{tenant}") ? tenant : "", kind));
}
