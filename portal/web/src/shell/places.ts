import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useBackend, type Counts, type Place } from "./backend";

/** The environments of a tenant: few, and asked for by many parts of the frame. */
export function useEnvironments(tenant: string): Place[] | undefined {
  const backend = useBackend();
  const topic = `list:${tenant}/identity.environment`;
  useEffect(() => (tenant ? backend.follow([topic]) : undefined), [backend, tenant, topic]);
  return useQuery({
    queryKey: ["environments", tenant],
    queryFn: () => backend.environments(tenant),
    enabled: tenant !== "",
    meta: { topics: [topic] },
    staleTime: 30_000,
    retry: false,
  }).data;
}

export function useCounts(tenant: string, environment: string): Counts {
  const backend = useBackend();
  const found = useQuery({
    queryKey: ["counts", tenant, environment],
    queryFn: () => backend.counts(tenant, environment),
    enabled: tenant !== "",
    meta: { topics: [`work:${tenant}`] },
    refetchInterval: 30_000,
    retry: false,
  });
  return found.data ?? {};
}
