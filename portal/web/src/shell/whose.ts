import { useMemo } from "react";
import type { Where } from "./may";
import { at, atPlatform, useScope } from "./scope";

/** Whose things are shown: a tenant's, or the platform's own where no tenant is in scope. */
export interface Whose {
  tenant: string;
  /** Gives the address of a page beside this one. */
  to: (...rest: string[]) => string;
  /** How the command line says it. */
  flag: string;
  where: Where;
}

export function useWhose(): Whose {
  const scope = useScope();
  return useMemo(() => {
    const { tenant, environment } = scope;
    if (!tenant) return { tenant, to: atPlatform, flag: "--platform", where: { tenant: "*" } };
    return { tenant, to: (...rest: string[]) => at({ tenant, environment }, ...rest), flag: `-t ${tenant}`, where: { tenant } };
  }, [scope]);
}
