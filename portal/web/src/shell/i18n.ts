import i18next from "i18next";
import { initReactI18next, useTranslation } from "react-i18next";
import type { Language } from "../kit";

/** Texts of a capability, under its name: the same keys in both languages (a test holds them to it). */
export interface Texts {
  zh: Record<string, unknown>;
  en: Record<string, unknown>;
}

export function startTexts(language: Language, texts: Record<string, Texts>): void {
  const of = (one: Language): Record<string, Record<string, unknown>> =>
    Object.fromEntries(Object.entries(texts).map(([name, both]) => [name, both[one]]));
  void i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: "en",
    resources: { zh: of("zh"), en: of("en") },
    interpolation: { escapeValue: false },
    returnNull: false,
  });
}

export const setLanguage = (language: Language): void => void i18next.changeLanguage(language);

export type Say = (key: string, values?: Record<string, unknown>) => string;

/** Give what says a text of a capability in the language in force. */
export function useText(name: string): Say {
  const { t } = useTranslation(name);
  return t as unknown as Say;
}

/** Add texts of a capability that only the server can name. */
export function addTexts(name: string, texts: Texts): void {
  i18next.addResourceBundle("zh", name, texts.zh, true, true);
  i18next.addResourceBundle("en", name, texts.en, true, true);
}

/** Say a text of any capability by "name:key", outside of components. */
export const sayNow: Say = (key, values) => i18next.t(key, values ?? {}) as unknown as string;
