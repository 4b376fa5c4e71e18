import { lazy } from "react";
import { at, type CapabilityPages } from "../shell";
import en from "./en.json";
import meanings from "./meanings.zh.json";
import { LIST_NODES } from "./operations";
import zh from "./zh.json";

export const pages: CapabilityPages = {
  name: "registry",
  entries: [
    {
      key: "services",
      group: "govern",
      icon: "instance",
      label: "title",
      to: (scope) => at(scope, "services"),
      permission: LIST_NODES,
      go: "v",
      aliases: ["Services", "服务", "microservices", "微服务", "registry"],
    },
  ],
  routes: [{ path: "services", lazy: async () => ({ Component: (await import("./Microservices")).Microservices }) }],
  tabs: [{ key: "services", label: "title", order: 30, permission: LIST_NODES, deep: true, Component: lazy(() => import("./Tab")) }],
  texts: { zh, en },
  meanings,
};
