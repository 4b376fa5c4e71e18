import { useState } from "react";
import { ApiError, useDo, useTaken, type ResourceDetail } from "../api";
import { argumentsOf, lifeCall, lifeSend, useLife, useLifeRead } from "./life";

/** Somebody else saved first: what he saved, and what I wanted to. */
export interface Conflict<B> {
  theirs: ResourceDetail;
  mine: Edit<B>;
}

/** One edit: how it changes a body, and how both texts are shown beside each other. */
export interface Edit<B> {
  apply: (body: B) => B;
  mine: string;
  /** What stood there when the edit began, as `theirs` says it: the page may have read a newer one since. */
  seen?: string;
  theirs: (body: B | null) => string;
  what: string;
}

export const bodyOf = <B>(detail: ResourceDetail | undefined): B | undefined => (detail ? ((detail.state === "published" || detail.state === "removed" ? detail.published : detail.draft) as B | undefined) : undefined);

/** A version that is new over a content that is not, as after one's own publish: nobody else's work is in it. */
const same = (one: ResourceDetail, other: ResourceDetail): boolean =>
  (one.state === "removed") === (other.state === "removed") && JSON.stringify(bodyOf(one) ?? null) === JSON.stringify(bodyOf(other) ?? null);

export interface ResourceDraft<B> {
  detail: ResourceDetail | undefined;
  body: B | undefined;
  error: ApiError | null;
  readAt: number;
  again: () => void;
  save: (edit: Edit<B>) => Promise<boolean>;
  saving: boolean;
  refused: ApiError | null;
  conflict: Conflict<B> | null;
  /** Take theirs, dropping mine; or write mine over it, knowing what it is. */
  settle: (how: "theirs" | "mine" | "later") => Promise<boolean>;
  discard: () => Promise<void>;
  remove: () => Promise<void>;
}

/** A resource as it is edited: each write says the version it saw, and a stale one is shown with both texts. */
export function useResource<B>(kind: string, name: string, empty: B): ResourceDraft<B> {
  const life = useLife();
  const route = life.pathOf(kind);
  const found = useLifeRead<ResourceDetail>(route, { path: { name } }, { enabled: name !== "" });
  const [conflict, setConflict] = useState<Conflict<B> | null>(null);
  const [refused, setRefused] = useState<ApiError | null>(null);
  const take = useTaken();
  // what the server took is shown and no longer unsaved at once, not when all of the page was read again
  const put = useDo(
    async (one: { body: B; version: string }) => {
      const { data } = await lifeSend<ResourceDetail>(life, "PUT", route, { path: { name }, body: { body: one.body }, version: one.version });
      take(life.operation("GET", route), argumentsOf(life, { path: { name } }), data);
    },
    undefined,
    true,
  );
  const drop = useDo((one: { rest: string; version: string }) => lifeCall<void>(life, "DELETE", `${route}${one.rest}`, { path: { name }, version: one.version }));

  const write = async (change: Edit<B>, over: ResourceDetail, once = true): Promise<boolean> => {
    setRefused(null);
    try {
      await put.mutateAsync({ body: change.apply(bodyOf<B>(over) ?? empty), version: over.version });
      setConflict(null);
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) {
        const theirs = await lifeCall<ResourceDetail>(life, "GET", route, { path: { name } });
        if (once && same(theirs, over)) return write(change, theirs, false);
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
    body: bodyOf<B>(detail),
    error: found.error,
    readAt: found.dataUpdatedAt,
    again: () => void found.refetch(),
    save: (change) => {
      if (!detail) return Promise.resolve(false);
      if (change.seen !== undefined && change.seen !== change.theirs(bodyOf<B>(detail) ?? null)) {
        setConflict({ theirs: detail, mine: change });
        return Promise.resolve(false);
      }
      return write(change, detail);
    },
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
