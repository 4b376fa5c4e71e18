import type { Bundle, GrayRule } from "../api";

/** What lists of the one life hold; the document leaves the items of its pages open. */
export type Position = [number, number] | { epoch: number; revision: number };

export const revisionOf = (position: Position | undefined | null): number => (!position ? 0 : Array.isArray(position) ? (position[1] ?? 0) : position.revision);

export interface Summary {
  kind: string;
  name: string;
  state: "published" | "new" | "changed" | "removed";
  version: string;
  digest: string;
  size: number;
  changed_revision: number;
  edited_by: string;
  edited_at: number;
}

export interface Running {
  instance: { name: string; cluster?: string; labels?: Record<string, string>; host?: string; process?: number; version?: string };
  node: string;
  alive: boolean;
  connected_at: number;
  seen_at: number;
  position: Position;
  digest: string;
  gray: string;
  status: string;
  error: string;
  current: boolean;
  applied_at: number;
  age_ms: number;
  took_ms: number;
}

export interface BundleRow {
  bundle: Bundle;
  position: Position;
  drafts: number;
  requests: number;
  gray: boolean | string | null;
  instances: number;
  current: number;
  failed: number;
  published_at: number;
  published_by: string;
  message: string;
}

export interface Reached {
  name: string;
  cluster: string;
  host: string;
  status: string;
  error: string;
  current: boolean;
  gray: string | boolean;
  position: Position;
  ms: number | null;
}

export interface Reach {
  position: Position;
  published_at: number;
  total: number;
  current: number;
  behind: number;
  failed: number;
  p50_ms: number | null;
  p99_ms: number | null;
  instances: Reached[];
  by_cluster: { cluster: string; total: number; current: number; failed: number }[];
}

export interface GrayMatch {
  total: number;
  matching: number;
  instances: string[];
}

export type { GrayRule };
