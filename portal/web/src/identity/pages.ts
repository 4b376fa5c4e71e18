import type { CapabilityPages } from "../shell";
import { at, atPlatform } from "../shell";
import en from "./en.json";
import zh from "./zh.json";

const users = async () => ({ Component: (await import("./Users")).Users });
const environments = async () => ({ Component: (await import("./Environments")).Environments });
const centers = async () => ({ Component: (await import("./Centers")).Centers });
const tenants = async () => ({ Component: (await import("./Tenants")).Tenants });
const user = async () => ({ Component: (await import("./User")).User });

export const pages: CapabilityPages = {
  name: "identity",
  entries: [
    { key: "users", group: "platform", icon: "people", label: "users.title", to: (scope) => at(scope, "users"), permission: "identity.user:list", go: "u", aliases: ["USPA", "Identity", "Users", "用户", "身份"] },
    { key: "environments", group: "platform", icon: "environment", label: "environments.title", to: (scope) => at(scope, "environments"), permission: "identity.environment:list", go: "e", aliases: ["Environments", "环境"] },
    { key: "centers", group: "platform", icon: "center", label: "centers.title", to: (scope) => at(scope, "centers"), permission: "identity.center:list", aliases: ["Centers", "中心"] },
    { key: "tenants", group: "platform", icon: "tenant", label: "tenants.title", to: () => atPlatform("tenants"), permission: "identity.tenant:list", platform: true, go: "t", aliases: ["Tenants", "租户"] },
    { key: "platform-users", group: "platform", icon: "people", label: "users.platformTitle", to: () => atPlatform("users"), permission: "identity.user:list", platform: true, twin: true, go: "u", aliases: ["USPA", "Platform users", "平台用户"] },
  ],
  routes: [
    { path: "users", lazy: users },
    { path: "users/:user", lazy: user },
    { path: "environments", lazy: environments },
    { path: "centers", lazy: centers },
  ],
  platformRoutes: [
    { path: "tenants", lazy: tenants },
    { path: "users", lazy: users },
    { path: "users/:user", lazy: user },
  ],
  creations: [
    { key: "user", label: "users.new", permission: "identity.user:create", to: (scope) => `${at(scope, "users")}?new=1` },
    { key: "environment", label: "environments.new", permission: "identity.environment:create", to: (scope) => `${at(scope, "environments")}?new=1` },
    { key: "center", label: "centers.new", permission: "identity.center:create", to: (scope) => `${at(scope, "centers")}?new=1` },
    { key: "tenant", label: "tenants.new", permission: "identity.tenant:create", to: () => `${atPlatform("tenants")}?new=1`, platform: true },
  ],
  texts: { zh, en },
};
