import { ALL, at, atApplication, atPlatform, type Backend, type Found } from "../shell";
import { address, call } from "./client";
import type { Hit } from "./schema.gen";
import { follow, onStreamHealth } from "./stream";

/** The shell's backend over the API. */
export const backend: Backend = {
  me: () => call("GET /api/v1/identity/me"),
  tenants: async (words) => (await call("GET /api/v1/identity/tenants", { query: { words, limit: 50 } })).items,
  environments: async (tenant) => (await call("GET /api/v1/identity/tenants/{tenant}/environments", { path: { tenant }, query: { limit: 200 } })).items,
  centers: async (tenant, words) => (await call("GET /api/v1/identity/tenants/{tenant}/centers", { path: { tenant }, query: { words, limit: 50 } })).items,
  applications: async (tenant, center, words) =>
    (await call("GET /api/v1/identity/tenants/{tenant}/applications", { path: { tenant }, query: { center, words, limit: 50 } })).items,
  counts: async (tenant, environment) => (await call("GET /api/v1/work/{tenant}", { path: { tenant }, query: { environment, limit: 1 } })).counts,
  search: async (tenant, words) => (await call("GET /api/v1/search/{tenant}", { path: { tenant }, query: { words, limit: 8 } })).map((hit, place) => found(tenant, hit, place)),
  follow,
  stream: onStreamHealth,
  address,
};

function found(tenant: string, hit: Hit, place: number): Found {
  const kind = (["application", "resource", "text", "user", "environment", "request", "credential"] as const).find((one) => one === hit.type) ?? "resource";
  return {
    key: `${place}:${hit.type}:${hit.title}`,
    kind,
    title: hit.title,
    detail: hit.detail,
    ...(hit.environment ? { environment: hit.environment } : {}),
    to: opens(tenant, hit),
  };
}

/** Where a hit opens. */
function opens(tenant: string, hit: Hit): string {
  const scope = { tenant, environment: hit.environment || ALL, center: hit.center, application: hit.application };
  switch (hit.type) {
    case "user":
      return tenant ? at(scope, "users", hit.name) : atPlatform("users", hit.name);
    case "environment":
      return at({ tenant, environment: hit.name }, "home");
    case "application":
      return atApplication(scope, "overview");
    case "credential":
      return atApplication(scope, "credentials");
    case "request":
      return `${atApplication(scope, hit.capability, "requests")}?id=${encodeURIComponent(hit.name)}`;
    default: {
      const page = atApplication(scope, hit.capability, "edit", hit.name);
      return hit.path ? `${page}?key=${encodeURIComponent(hit.path)}` : page;
    }
  }
}
