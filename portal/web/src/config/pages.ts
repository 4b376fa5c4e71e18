import { lazy } from "react";
import { at, type CapabilityPages } from "../shell";
import en from "./en.json";
import meanings from "./meanings.zh.json";
import zh from "./zh.json";

const READ = "config.namespace:read";

export const pages: CapabilityPages = {
  name: "config",
  entries: [
    {
      key: "config",
      group: "govern",
      icon: "config",
      label: "title",
      to: (scope) => at(scope, "config"),
      permission: READ,
      go: "c",
      aliases: ["Amber", "Apollo", "Nacos"],
      count: (counts) => counts.bundles,
    },
  ],
  routes: [
    { path: "config", lazy: async () => ({ Component: (await import("./List")).List }) },
    { path: "config/search", lazy: async () => ({ Component: (await import("./Search")).Search }) },
  ],
  tabs: [
    { key: "instances", label: "instances", order: 10, permission: READ, Component: lazy(() => import("./Instances")) },
    { key: "config", label: "title", order: 20, permission: READ, deep: true, Component: lazy(() => import("./Tab")) },
  ],
  texts: { zh, en },
  meanings,
};
