import { useEnvironments } from "./places";
import { useScope } from "./scope";

/** Whether the environment in scope is a protected one: production, which nobody may mistake. */
export function useIsProduction(): boolean {
  const scope = useScope();
  const environments = useEnvironments(scope.tenant);
  return environments?.some((one) => one.name === scope.environment && one.protected) ?? false;
}

/** Whether an environment of the tenant in scope is protected. */
export function useProtected(): (environment: string) => boolean {
  const environments = useEnvironments(useScope().tenant);
  return (environment) => environments?.some((one) => one.name === environment && one.protected) ?? false;
}
