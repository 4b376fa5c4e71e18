import { createContext, useContext, type ComponentType, type ReactNode } from "react";
import type { RouteObject } from "react-router";
import type { IconName } from "../kit";
import type { Counts } from "./backend";
import type { Texts } from "./i18n";
import type { Where } from "./may";
import type { Scope } from "./scope";

export type Group = "home" | "govern" | "operate" | "observe" | "platform";

/** An entry of the rail. A capability that is not there has none: nothing is shown as empty or coming. */
export interface Entry {
  key: string;
  group: Group;
  icon: IconName;
  /** Key of its text in the capability's own texts. */
  label: string;
  to: (scope: Scope) => string;
  /** What one must be allowed to see somewhere in the scope; nothing where everybody may. */
  permission?: string;
  /** About the platform as a whole rather than a tenant. */
  platform?: boolean;
  /** Of the platform, with an equal in a tenant: inside a tenant the rail shows that one in its place. */
  twin?: boolean;
  /** "g" and this key go there. */
  go?: string;
  /** Other names under which people look for it. */
  aliases?: string[];
  count?: (counts: Counts) => number | undefined;
  failing?: (counts: Counts) => number | undefined;
}

/** Where one has to hold what an entry or a creation needs: for the platform as a whole a tenant's own role is not enough. */
export const whereOf = (one: { platform?: boolean }, scope: Pick<Scope, "tenant" | "environment">): Where =>
  one.platform ? { tenant: "*" } : { tenant: scope.tenant, environment: scope.environment };

/** Whether an entry belongs to where one is: a tenant's needs one in scope, and stands in place of the platform's equal. */
export const belongs = (entry: Entry, scope: Scope): boolean => (entry.platform ? !(entry.twin && scope.tenant) : scope.tenant !== "");

/** A tab of the application hub that a capability adds. */
export interface HubTab {
  key: string;
  label: string;
  order: number;
  permission: string;
  Component: ComponentType;
  /** Where its own pages below the tab stand, if it has any. */
  deep?: boolean;
}

export interface Creation {
  key: string;
  label: string;
  permission: string;
  to: (scope: Scope) => string;
  platform?: boolean;
}

/** What the server explains in English, by its name there: a permission, "role.<name>" of a built-in role, "setting.<name>", "kind.<capability>.<name>". */
export type Meanings = Record<string, string>;

/** What a capability declares to the portal. */
export interface CapabilityPages {
  name: string;
  entries: Entry[];
  /** Below /t/:tenant/:environment. */
  routes?: RouteObject[];
  /** Below /platform. */
  platformRoutes?: RouteObject[];
  tabs?: HubTab[];
  creations?: Creation[];
  texts: Texts;
  /** Chinese for what the server explains of this capability: permissions, built-in roles, settings, kinds. */
  meanings?: Meanings;
  /** Pages that only the server can name, beside those that are built in: a hook, called once for all pages while somebody is signed in. */
  useMore?: (builtIn: CapabilityPages[]) => CapabilityPages[];
}

export const RegistryContext = createContext<CapabilityPages[]>([]);

export const useRegistry = (): CapabilityPages[] => useContext(RegistryContext);

export type { ReactNode };
