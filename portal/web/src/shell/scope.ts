import { useMemo } from "react";
import { useLocation, useParams } from "react-router";

/** "All of them", where an address names an environment. */
export const ALL = "-";

/** Where a page is: what the scope bar shows, read from the address and from nowhere else. */
export interface Scope {
  tenant: string;
  environment: string;
  center: string;
  application: string;
}

export function useScope(): Scope {
  const { tenant = "", environment = "", center = "", application = "" } = useParams();
  const inQuery = new URLSearchParams(useLocation().search).get("center") ?? "";
  return useMemo(
    () => ({ tenant, environment: environment === ALL ? "" : environment, center: center || inQuery, application }),
    [tenant, environment, center, application, inQuery],
  );
}

const part = encodeURIComponent;

/** Give the address of a page of a tenant, as `at(scope, "config")`. */
export function at(scope: Pick<Scope, "tenant" | "environment">, ...rest: string[]): string {
  return ["", "t", part(scope.tenant), part(scope.environment || ALL), ...rest.map(part)].join("/");
}

/** Give the address of an application's hub, or of what is below it. */
export function atApplication(scope: Scope, ...rest: string[]): string {
  return at(scope, "apps", scope.center, scope.application, ...rest);
}

export const atPlatform = (...rest: string[]): string => ["", "platform", ...rest.map(part)].join("/");

/** Write a scope as the CLI and grants do. */
export const pathOf = (scope: Scope): string => [scope.tenant, scope.environment || "*", scope.center || "*", scope.application || "*"].join("/");

/** Give the flags by which the command line means the same place. */
export function flagsOf(scope: Scope): string {
  const flags: [string, string][] = [["-t", scope.tenant], ["-e", scope.environment], ["-c", scope.center], ["-a", scope.application]];
  return flags.filter(([, value]) => value).map(([flag, value]) => `${flag} ${value}`).join(" ");
}

/** The part of the address below a tab of the application hub: what a tab shows in itself. */
export const useRest = (): string[] => (useParams()["*"] ?? "").split("/").slice(1).filter(Boolean);

/** What may be typed as a name of the platform's nouns. */
export const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
