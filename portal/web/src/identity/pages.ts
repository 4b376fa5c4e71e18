import { lazy } from "react";
import type { CapabilityPages } from "../shell";
import { at, atPlatform } from "../shell";
import en from "./en.json";
import meanings from "./meanings.zh.json";
import zh from "./zh.json";

const users = async () => ({ Component: (await import("./Users")).Users });
const environments = async () => ({ Component: (await import("./Environments")).Environments });
const centers = async () => ({ Component: (await import("./Centers")).Centers });
const tenants = async () => ({ Component: (await import("./Tenants")).Tenants });
const grants = async () => ({ Component: (await import("./Grants")).Grants });
const roles = async () => ({ Component: (await import("./Roles")).Roles });
const role = async () => ({ Component: (await import("./Role")).Role });
const mine = [
  { path: "me/access", lazy: async () => ({ Component: (await import("./Me")).Access }) },
  { path: "me/sessions", lazy: async () => ({ Component: (await import("./Me")).Sessions }) },
  { path: "me/tokens", lazy: async () => ({ Component: (await import("./Me")).Tokens }) },
  { path: "me/password", lazy: async () => ({ Component: (await import("./Me")).OwnPassword }) },
];
const user = async () => ({ Component: (await import("./User")).User });

export const pages: CapabilityPages = {
  name: "identity",
  entries: [
    { key: "users", group: "platform", icon: "people", label: "users.title", to: (scope) => at(scope, "users"), permission: "identity.user:list", go: "u", aliases: ["USPA", "Identity", "Users", "用户", "身份"] },
    { key: "roles", group: "platform", icon: "role", label: "roles.title", to: (scope) => at(scope, "roles"), permission: "identity.role:list", aliases: ["Roles", "角色"] },
    { key: "grants", group: "platform", icon: "grant", label: "grants.title", to: (scope) => at(scope, "grants"), permission: "identity.grant:list", aliases: ["Grants", "授权"] },
    { key: "environments", group: "platform", icon: "environment", label: "environments.title", to: (scope) => at(scope, "environments"), permission: "identity.environment:list", go: "e", aliases: ["Environments", "环境"] },
    { key: "centers", group: "platform", icon: "center", label: "centers.title", to: (scope) => at(scope, "centers"), permission: "identity.center:list", aliases: ["Centers", "中心"] },
    { key: "tenants", group: "platform", icon: "tenant", label: "tenants.title", to: () => atPlatform("tenants"), permission: "identity.tenant:list", platform: true, go: "t", aliases: ["Tenants", "租户"] },
    { key: "platform-users", group: "platform", icon: "people", label: "users.platformTitle", to: () => atPlatform("users"), permission: "identity.user:list", platform: true, twin: true, go: "u", aliases: ["USPA", "Platform users", "平台用户"] },
    { key: "platform-grants", group: "platform", icon: "grant", label: "grants.platformTitle", to: () => atPlatform("grants"), permission: "identity.grant:list", platform: true, twin: true, aliases: ["Platform grants", "平台授权"] },
  ],
  routes: [
    { path: "users", lazy: users },
    { path: "users/:user", lazy: user },
    { path: "roles", lazy: roles },
    { path: "roles/:role", lazy: role },
    { path: "grants", lazy: grants },
    { path: "environments", lazy: environments },
    { path: "centers", lazy: centers },
    ...mine,
  ],
  platformRoutes: [
    { path: "tenants", lazy: tenants },
    ...mine,
    { path: "users", lazy: users },
    { path: "users/:user", lazy: user },
    { path: "roles", lazy: roles },
    { path: "roles/:role", lazy: role },
    { path: "grants", lazy: grants },
  ],
  tabs: [{ key: "credentials", label: "credentials.tab", order: 90, permission: "identity.credential:list", Component: lazy(() => import("./Credentials")) }],
  creations: [
    { key: "user", label: "users.new", permission: "identity.user:create", to: (scope) => `${at(scope, "users")}?new=1` },
    { key: "grant", label: "grants.new", permission: "identity.grant:grant", to: (scope) => `${at(scope, "grants")}?new=1` },
    { key: "role", label: "roles.new", permission: "identity.role:create", to: (scope) => `${at(scope, "roles")}?new=1` },
    { key: "environment", label: "environments.new", permission: "identity.environment:create", to: (scope) => `${at(scope, "environments")}?new=1` },
    { key: "center", label: "centers.new", permission: "identity.center:create", to: (scope) => `${at(scope, "centers")}?new=1` },
    { key: "tenant", label: "tenants.new", permission: "identity.tenant:create", to: () => `${atPlatform("tenants")}?new=1`, platform: true },
  ],
  texts: { zh, en },
  meanings,
};
