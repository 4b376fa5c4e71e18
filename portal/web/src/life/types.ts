import type { Bundle } from "../api";

/** What lists of the one life hold; the document leaves the items of its pages open. */
export type Position = [epoch: number, revision: number];

export const revisionOf = (position: Position | undefined | null): number => position?.[1] ?? 0;

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
  gray: boolean;
  instances: number;
  current: number;
  failed: number;
  published_at: number;
  published_by: string;
  message: string;
}
