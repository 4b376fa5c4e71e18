import type { CapabilityPages } from "../shell";
import meanings from "./meanings.zh.json";

export const pages: CapabilityPages = {
  name: "registry",
  entries: [],
  texts: { zh: {}, en: {} },
  meanings,
};
