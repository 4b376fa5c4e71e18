import { expect, test } from "vitest";
import { liveTopics } from "./live";

test("lists and hubs of identity are read again when their rows change", () => {
  expect(liveTopics("GET /api/v1/identity/tenants/{tenant}/users", { tenant: "acme" })).toEqual(["list:acme/identity.user"]);
  expect(liveTopics("GET /api/v1/identity/tenants/{tenant}/users/{user}", { tenant: "acme", user: "1" })).toEqual(["list:acme/identity.user"]);
  expect(liveTopics("GET /api/v1/identity/users", { tenant: "" })).toEqual(["list:*/identity.user"]);
  expect(liveTopics("GET /api/v1/identity/tenants", {})).toEqual(["list:*/identity.tenant"]);
  expect(liveTopics("GET /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}", { tenant: "acme" })).toEqual(["list:acme/identity.application"]);
  expect(liveTopics("GET /api/v1/identity/tenants/{tenant}/grants", { tenant: "acme" })).toContain("list:acme/identity.user");
  expect(liveTopics("GET /api/v1/identity/sessions", undefined)).toEqual(["list:*/identity.session"]);
});

test("nothing else is", () => {
  expect(liveTopics("GET /api/v1/identity/permissions", {})).toEqual([]);
  expect(liveTopics("GET /api/v1/audit/records", {})).toEqual([]);
});
