import { createContext, useContext } from "react";
import type { Me } from "./backend";

export const MeContext = createContext<Me | null>(null);

export function useMe(): Me {
  const me = useContext(MeContext);
  if (!me) throw new Error("nobody is signed in here");
  return me;
}

export interface Where {
  tenant?: string;
  environment?: string;
  center?: string;
  application?: string;
}

const PARTS = ["tenant", "environment", "center", "application"] as const;

/**
 * Say whether somebody may do something at a place: to show what can be done, never to protect, which the server does.
 * A part of the place that is not said is anywhere: then it is enough that he may somewhere in it.
 */
export function allowed(me: Me, permission: string, where: Where): boolean {
  return me.roles.some((held) => {
    if (!held.permissions.includes(permission) && !held.permissions.includes("*:*")) return false;
    const pattern = held.pattern.split("/");
    return PARTS.every((part, place) => {
      const wanted = where[part];
      const given = pattern[place] ?? "*";
      return !wanted || given === "*" || given === wanted;
    });
  });
}

export function useMay(): (permission: string, where: Where) => boolean {
  const me = useMe();
  return (permission, where) => allowed(me, permission, where);
}
