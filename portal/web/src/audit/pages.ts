import { at, atPlatform, type CapabilityPages } from "../shell";
import en from "./en.json";
import meanings from "./meanings.zh.json";
import zh from "./zh.json";

const audit = async () => ({ Component: (await import("./Audit")).Audit });

export const pages: CapabilityPages = {
  name: "audit",
  entries: [
    { key: "audit", group: "platform", icon: "audit", label: "title", to: (scope) => at(scope, "audit"), permission: "audit.record:list", go: "l", aliases: ["Audit", "审计"] },
    { key: "platform-audit", group: "platform", icon: "audit", label: "platformTitle", to: () => atPlatform("audit"), permission: "audit.record:list", platform: true, twin: true, go: "l", aliases: ["Platform audit", "平台审计"] },
  ],
  routes: [{ path: "audit", lazy: audit }],
  platformRoutes: [{ path: "audit", lazy: audit }],
  texts: { zh, en },
  meanings,
};
