import {
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
  type UseMutationResult,
  type UseQueryResult,
} from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { ApiError, call, type Answer, type Arguments, type Operation } from "./client";
import { liveTopics } from "./live";
import { follow, onStream } from "./stream";

/** Reading: what pages show, kept and read again when the stream says that it changed. */
export function makeQueries(): QueryClient {
  const client = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        gcTime: 120_000,
        refetchOnWindowFocus: true,
        retry: (count, error) => error instanceof ApiError && error.retryable && count < 2,
        retryDelay: (count) => Math.min(8_000, 400 * 2 ** count),
      },
    },
  });
  onStream((event) => {
    if (event.event === "reset" || event.event === "hello") void client.invalidateQueries();
    else if (event.event === "changed" && event.data.topic) invalidateTopic(client, event.data.topic);
  });
  return client;
}

function invalidateTopic(client: QueryClient, topic: string): void {
  void client.invalidateQueries({
    predicate: (query) => ((query.meta?.topics as string[] | undefined) ?? []).includes(topic),
  });
}

export interface ReadOptions {
  /** Topics of the stream that say when to read again; where none are given, those of the rows that the answer shows. */
  topics?: string[];
  enabled?: boolean;
  /** Keep what was shown while something else is read: for filters, never for another scope. */
  keep?: boolean;
  /** Read again after so many milliseconds, where no topic tells. */
  every?: number;
}

function useTopics(topics: string[]): void {
  const key = topics.join(" ");
  useEffect(() => (key ? follow(key.split(" ")) : undefined), [key]);
}

export const keyOf = (operation: Operation, args: { path?: unknown; query?: unknown; body?: unknown }): unknown[] => [operation, args.path ?? {}, args.query ?? {}, args.body ?? null];

/** Read an operation. */
export function useRead<K extends Operation>(operation: K, args: Arguments<K> = {}, options: ReadOptions = {}): UseQueryResult<Answer<K>, ApiError> {
  const { topics = liveTopics(operation, args.path), enabled = true, keep = false, every } = options;
  useTopics(enabled ? topics : []);
  return useQuery<Answer<K>, ApiError>({
    queryKey: keyOf(operation, args),
    queryFn: async ({ signal }) => (await call(operation, { ...args, signal })) ?? (null as Answer<K>),
    enabled,
    meta: { topics },
    ...(every ? { refetchInterval: every } : {}),
    ...(keep ? { placeholderData: (before: Answer<K> | undefined) => before as never } : {}),
  });
}

interface Paged<T> {
  items: T[];
  next: string;
}

export interface Pages<T> {
  rows: T[] | undefined;
  error: ApiError | null;
  /** Read on; nothing where everything is there. */
  more: (() => void) | undefined;
  loadingMore: boolean;
  fetching: boolean;
  readAt: number;
  again: () => void;
}

/** What a list holds. */
export type Item<K extends Operation> = Answer<K> extends { items: (infer T)[] } ? T : never;

/** Read a list page by page; `T` is said where the operation is put together and not known by its name. */
export function usePages<K extends Operation, T = Item<K>>(operation: K, args: Arguments<K> = {}, options: ReadOptions = {}): Pages<T> {
  const { topics = liveTopics(operation, args.path), enabled = true, keep = true, every } = options;
  useTopics(enabled ? topics : []);
  const found = useInfiniteQuery({
    queryKey: ["pages", ...keyOf(operation, args)],
    queryFn: async ({ pageParam, signal }) =>
      (await call(operation, { ...args, query: { ...args.query, after: pageParam }, signal } as unknown as Arguments<K>)) as unknown as Paged<T>,
    initialPageParam: "",
    getNextPageParam: (last: Paged<T>) => last.next || undefined,
    enabled,
    meta: { topics },
    ...(every ? { refetchInterval: every } : {}),
    ...(keep ? { placeholderData: (before: unknown) => before as never } : {}),
  });
  const read = found.data?.pages.length ?? 0;
  const wanted = useRef(0);
  const list = JSON.stringify(keyOf(operation, args));
  useEffect(() => {
    wanted.current = 0;
  }, [list]);
  // reading again, since something changed, cancels the reading on: then it is asked for once more
  const lost = read > 0 && !found.isFetching && found.hasNextPage && !found.error;
  const { fetchNextPage } = found;
  useEffect(() => {
    if (lost && read < wanted.current) void fetchNextPage();
  }, [lost, read, fetchNextPage]);
  const more = (): void => {
    wanted.current = read + 1;
    void fetchNextPage();
  };
  return {
    rows: found.data?.pages.flatMap((page) => page.items),
    error: found.error as ApiError | null,
    more: found.hasNextPage ? more : undefined,
    loadingMore: found.isFetchingNextPage,
    fetching: found.isFetching,
    readAt: found.dataUpdatedAt,
    again: () => void found.refetch(),
  };
}

/** Do something; afterwards what was read of these operations is read again, everything if none is named.
 *  The promise ends when that was read too, unless it is read `behind`: then it ends with the answer. */
export function useDo<A, R>(work: (argument: A) => Promise<R>, touches?: Operation[], behind = false): UseMutationResult<R, ApiError, A> {
  const client = useQueryClient();
  return useMutation<R, ApiError, A>({
    mutationFn: work,
    onSettled: () => {
      const read = client.invalidateQueries(
        touches ? { predicate: (query) => touches.some((one) => query.queryKey[0] === one || query.queryKey[1] === one) } : {},
      );
      return behind ? undefined : read;
    },
  });
}

/** Take what an answer says as read: pages show it before it is read again. */
export function useTaken(): (operation: Operation, args: { path?: unknown; query?: unknown; body?: unknown }, data: unknown) => void {
  const client = useQueryClient();
  return (operation, args, data) => void client.setQueryData(keyOf(operation, args), data);
}
