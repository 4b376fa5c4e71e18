import { useResource, type Conflict as AnyConflict, type Edit, type ResourceDraft } from "../life";
import type { Body } from "./body";

export type Change = Edit<Body>;
export type Conflict = AnyConflict<Body>;

const EMPTY: Body = { format: "properties", items: {} };

export const useNamespace = (name: string): ResourceDraft<Body> => useResource<Body>("namespace", name, EMPTY);
