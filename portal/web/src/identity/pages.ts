import type { CapabilityPages } from "../shell";
import { at, atPlatform } from "../shell";
import en from "./en.json";
import zh from "./zh.json";

const users = async () => ({ Component: (await import("./Users")).Users });
const user = async () => ({ Component: (await import("./User")).User });

export const pages: CapabilityPages = {
  name: "identity",
  entries: [
    { key: "users", group: "platform", icon: "people", label: "users.title", to: (scope) => at(scope, "users"), permission: "identity.user:list", go: "u", aliases: ["USPA", "Identity", "Users", "用户", "身份"] },
    { key: "platform-users", group: "platform", icon: "people", label: "users.platformTitle", to: () => atPlatform("users"), permission: "identity.user:list", platform: true, twin: true, go: "u", aliases: ["USPA", "Platform users", "平台用户"] },
  ],
  routes: [
    { path: "users", lazy: users },
    { path: "users/:user", lazy: user },
  ],
  platformRoutes: [
    { path: "users", lazy: users },
    { path: "users/:user", lazy: user },
  ],
  creations: [
    { key: "user", label: "users.new", permission: "identity.user:create", to: (scope) => `${at(scope, "users")}?new=1` },
  ],
  texts: { zh, en },
};
