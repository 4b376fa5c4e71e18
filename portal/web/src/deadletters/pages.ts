import { lazy } from "react";
import type { CapabilityPages } from "../shell";
import en from "./en.json";
import meanings from "./meanings.zh.json";
import { READ } from "./operations";
import zh from "./zh.json";

export const pages: CapabilityPages = {
  name: "deadletters",
  entries: [],
  tabs: [{ key: "dead", label: "title", order: 50, permission: READ, deep: true, Component: lazy(() => import("./Tab")) }],
  texts: { zh, en },
  meanings,
};
