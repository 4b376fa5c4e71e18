import { lazy } from "react";
import { at, type CapabilityPages } from "../shell";
import en from "./en.json";
import zh from "./zh.json";

export const pages: CapabilityPages = {
  name: "applications",
  entries: [
    {
      key: "applications",
      group: "home",
      icon: "apps",
      label: "title",
      to: (scope) => at(scope, "apps"),
      permission: "identity.application:list",
      go: "a",
      aliases: ["Applications", "应用"],
    },
  ],
  routes: [
    { path: "apps", lazy: async () => ({ Component: (await import("./Applications")).Applications }) },
    {
      path: "apps/:center/:application",
      lazy: async () => ({ Component: (await import("./Hub")).Hub }),
      children: [{ path: "*", lazy: async () => ({ Component: (await import("./Tab")).Tab }) }],
    },
  ],
  tabs: [{ key: "overview", label: "overview.tab", order: 0, permission: "identity.application:read", Component: lazy(() => import("./Overview")) }],
  creations: [{ key: "application", label: "new", permission: "identity.application:create", to: (scope) => `${at(scope, "apps")}?new=1` }],
  texts: { zh, en },
};
