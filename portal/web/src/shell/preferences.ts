import { useSyncExternalStore } from "react";
import type { Language, Theme } from "../kit";

/** Language and theme, shared with the pages that the server writes itself: they are in cookies, which hold nothing else. */
export type ThemeChoice = Theme | "system";

export interface Preferences {
  language: Language;
  theme: ThemeChoice;
  rail: boolean;
}

const listeners = new Set<() => void>();
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function cookie(name: string): string {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? found.slice(name.length + 1) : "";
}

function read(): Preferences {
  const query = new URLSearchParams(window.location.search);
  const language = query.get("lang") ?? cookie("qiantang-lang");
  const theme = query.get("theme") ?? cookie("qiantang-theme");
  return {
    language: language === "zh" || language === "en" ? language : navigator.language.startsWith("zh") ? "zh" : "en",
    theme: theme === "light" || theme === "dark" ? theme : "system",
    rail: localStorage.getItem("rail") !== "closed",
  };
}

let current = read();

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change };
  const year = 365 * 24 * 3600;
  const secure = window.location.protocol === "https:" ? "; Secure" : "";
  if (change.language) document.cookie = `qiantang-lang=${change.language}; path=/; max-age=${year}; SameSite=Lax${secure}`;
  if (change.theme) document.cookie = `qiantang-theme=${change.theme}; path=/; max-age=${year}; SameSite=Lax${secure}`;
  if (change.rail !== undefined) localStorage.setItem("rail", change.rail ? "open" : "closed");
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  dark.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    dark.removeEventListener("change", listener);
  };
};

/** The preferences in force, outside of components. */
export const preferencesNow = (): Preferences => current;

export const usePreferences = (): Preferences => useSyncExternalStore(subscribe, () => current);

/** The theme in force: the system's, unless one was chosen. */
export function useThemeInForce(): Theme {
  const { theme } = usePreferences();
  const system = useSyncExternalStore(subscribe, () => dark.matches);
  return theme === "system" ? (system ? "dark" : "light") : theme;
}

/** The tenant that was looked at last: where who may see several begins. */
export const lastTenant = (): string => localStorage.getItem("tenant") ?? "";

export const keepLastTenant = (tenant: string): void => localStorage.setItem("tenant", tenant);
