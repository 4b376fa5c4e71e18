import { useCallback } from "react";
import { usePreferences } from "./preferences";
import { useRegistry, type CapabilityPages } from "./registry";

/** Give what explains something of the server's in the language in force: its own English where none of the pages says it otherwise. */
export function useMeaning(pages?: CapabilityPages[]): (name: string, english: string) => string {
  const { language } = usePreferences();
  const registry = useRegistry();
  const all = pages ?? registry;
  return useCallback((name, english) => (language === "zh" ? (all.find((pages) => pages.meanings?.[name])?.meanings?.[name] ?? english) : english), [language, all]);
}
