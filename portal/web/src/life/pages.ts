import type { CapabilityPages } from "../shell";
import en from "./en.json";
import zh from "./zh.json";

/** The one life of every governed thing has texts of its own and no entry: capabilities show its pages as theirs. */
export const pages: CapabilityPages = { name: "life", entries: [], texts: { zh, en } };
