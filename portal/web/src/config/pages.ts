import type { CapabilityPages } from "../shell";
import en from "./en.json";
import zh from "./zh.json";

export const pages: CapabilityPages = { name: "config", entries: [], texts: { zh, en } };
