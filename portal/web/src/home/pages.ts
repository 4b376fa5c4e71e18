import { at, type CapabilityPages } from "../shell";
import en from "./en.json";
import zh from "./zh.json";

export const pages: CapabilityPages = {
  name: "home",
  entries: [
    {
      key: "home",
      group: "home",
      icon: "home",
      label: "title",
      to: (scope) => at(scope, "home"),
      go: "h",
      aliases: ["My work", "我的工作"],
      count: (counts) => (counts.drafts === undefined ? undefined : (counts.drafts ?? 0) + (counts.approvals ?? 0)),
      failing: (counts) => counts.failing,
    },
  ],
  routes: [{ path: "home", lazy: async () => ({ Component: (await import("./Home")).Home }) }],
  texts: { zh, en },
};
