import { useState } from "react";
import { ApiError, useDo, type ResourceDetail } from "../api";
import { lifeCall, lifeSend, useLife, useLifeRead } from "../life";
import type { Body } from "./body";

/** Somebody else saved first: what he saved, and what I wanted to. */
export interface Conflict {
  theirs: ResourceDetail;
  mine: Change;
}

/** One edit: how it changes a body, and how both texts are shown beside each other. */
export interface Change {
  apply: (body: Body) => Body;
  mine: string;
  theirs: (body: Body | null) => string;
  what: string;
}

export const bodyOf = (detail: ResourceDetail | undefined): Body | undefined => (detail ? ((detail.state === "published" || detail.state === "removed" ? detail.published : detail.draft) as Body | undefined) : undefined);

export interface NamespaceDraft {
  detail: ResourceDetail | undefined;
  body: Body | undefined;
  error: ApiError | null;
  readAt: number;
  again: () => void;
  save: (change: Change) => Promise<boolean>;
  saving: boolean;
  refused: ApiError | null;
  conflict: Conflict | null;
  /** Take theirs, dropping mine; or write mine over it, knowing what it is. */
  settle: (how: "theirs" | "mine" | "later") => Promise<boolean>;
  discard: () => Promise<void>;
  remove: () => Promise<void>;
}

/** A namespace as it is edited: each write says the version it saw, and a stale one is shown with both texts. */
export function useNamespace(name: string): NamespaceDraft {
  const life = useLife();
  const found = useLifeRead<ResourceDetail>("/namespaces/{name}", { path: { name } }, { enabled: name !== "" });
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const [refused, setRefused] = useState<ApiError | null>(null);
  const put = useDo((one: { body: Body; version: string }) => lifeSend<ResourceDetail>(life, "PUT", "/namespaces/{name}", { path: { name }, body: { body: one.body }, version: one.version }));
  const drop = useDo((one: { rest: string; version: string }) => lifeCall<void>(life, "DELETE", `/namespaces/{name}${one.rest}`, { path: { name }, version: one.version }));

  const write = async (change: Change, over: ResourceDetail): Promise<boolean> => {
    setRefused(null);
    try {
      await put.mutateAsync({ body: change.apply(bodyOf(over) ?? { format: "properties", items: {} }), version: over.version });
      setConflict(null);
      await found.refetch();
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) {
        const theirs = await lifeCall<ResourceDetail>(life, "GET", "/namespaces/{name}", { path: { name } });
        setConflict({ theirs, mine: change });
      } else if (error instanceof ApiError) setRefused(error);
      return false;
    }
  };
  const detail = found.data;
  const dropped = async (rest: string): Promise<void> => {
    if (!detail) return;
    setRefused(null);
    try {
      await drop.mutateAsync({ rest, version: detail.version });
    } catch (error) {
      if (error instanceof ApiError) setRefused(error);
    }
    await found.refetch();
  };
  return {
    detail,
    body: bodyOf(detail),
    error: found.error,
    readAt: found.dataUpdatedAt,
    again: () => void found.refetch(),
    save: (change) => (detail ? write(change, detail) : Promise.resolve(false)),
    saving: put.isPending || drop.isPending,
    refused,
    conflict,
    settle: async (how) => {
      if (!conflict) return true;
      if (how === "mine") return write(conflict.mine, conflict.theirs);
      setConflict(null);
      if (how === "theirs") await found.refetch();
      return how === "theirs";
    },
    discard: () => dropped("/draft"),
    remove: () => dropped(""),
  };
}
