import { createContext, useContext } from "react";

/**
 * What the shell needs to know of the platform, in its own nouns. The shell stands below the API client, so whoever composes the
 * portal gives it a backend.
 */
export interface Held {
  role: string;
  pattern: string;
  permissions: string[];
}

export interface Me {
  kind: string;
  id: string;
  name: string;
  /** Empty for a person of the platform itself. */
  tenant: string;
  via: string;
  roles: Held[];
}

export interface Place {
  name: string;
  title: string;
  protected?: boolean;
}

export interface ApplicationPlace extends Place {
  center: string;
}

/** What waits, in numbers; what is not known is left out. */
export interface Counts {
  drafts?: number;
  approvals?: number;
  asked?: number;
  failing?: number;
  bundles?: number;
  instances?: number;
  behind?: number;
}

export interface Found {
  key: string;
  kind: "application" | "resource" | "text" | "user" | "environment" | "request" | "credential";
  title: string;
  detail: string;
  environment?: string;
  /** Where it opens, below the portal's base. */
  to: string;
}

export type StreamState = "connecting" | "live" | "lost";

export interface StreamHealth {
  state: StreamState;
  /** Milliseconds that the last heartbeat took to come round, where it is known. */
  delay?: number;
  /** When the stream last said anything. */
  heard: number;
}

export interface Backend {
  me(): Promise<Me>;
  tenants(words: string): Promise<Place[]>;
  environments(tenant: string): Promise<Place[]>;
  centers(tenant: string, words: string): Promise<Place[]>;
  applications(tenant: string, center: string, words: string): Promise<ApplicationPlace[]>;
  counts(tenant: string, environment: string): Promise<Counts>;
  search(tenant: string, words: string): Promise<Found[]>;
  /** Have what has one of these topics in its `meta` read again when the stream tells of it; gives what ends that. */
  follow(topics: string[]): () => void;
  /** Hear how the browser's one stream stands; gives what ends it. */
  stream(listener: (health: StreamHealth) => void): () => void;
  /** Address of the server's own page, as the one that signs in. */
  address(path: string): string;
}

export const BackendContext = createContext<Backend | null>(null);

export function useBackend(): Backend {
  const backend = useContext(BackendContext);
  if (!backend) throw new Error("the portal is composed without a backend");
  return backend;
}
