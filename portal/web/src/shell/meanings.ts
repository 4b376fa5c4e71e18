import { usePreferences } from "./preferences";
import { useRegistry } from "./registry";

/** Give what explains something of the server's in the language in force: its own English where no capability says it otherwise. */
export function useMeaning(): (name: string, english: string) => string {
  const { language } = usePreferences();
  const all = useRegistry();
  return (name, english) => (language === "zh" ? (all.find((pages) => pages.meanings?.[name])?.meanings?.[name] ?? english) : english);
}
