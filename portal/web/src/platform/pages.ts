import { atPlatform, type CapabilityPages } from "../shell";
import en from "./en.json";
import meanings from "./meanings.zh.json";
import zh from "./zh.json";

export const pages: CapabilityPages = {
  name: "platform",
  entries: [
    { key: "nodes", group: "platform", icon: "node", label: "nodes.title", to: () => atPlatform("nodes"), permission: "platform.node:list", platform: true, go: "n", aliases: ["Nodes", "节点"] },
    { key: "settings", group: "platform", icon: "settings", label: "settings.title", to: () => atPlatform("settings"), permission: "platform.setting:list", platform: true, go: "s", aliases: ["Settings", "设置"] },
  ],
  platformRoutes: [
    { path: "nodes", lazy: async () => ({ Component: (await import("./Nodes")).Nodes }) },
    { path: "settings", lazy: async () => ({ Component: (await import("./Settings")).Settings }) },
  ],
  texts: { zh, en },
  meanings,
};
