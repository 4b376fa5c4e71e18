import type { CapabilityPages } from "../shell";
import en from "./en.json";
import { useMore } from "./kinds";
import meanings from "./meanings.zh.json";
import zh from "./zh.json";

/** Every kind of resource that has no pages of its own has these, out of its schema. */
export const pages: CapabilityPages = {
  name: "resources",
  entries: [],
  routes: [{ path: "kinds/:capability", lazy: async () => ({ Component: (await import("./List")).List }) }],
  useMore,
  texts: { zh, en },
  meanings,
};
