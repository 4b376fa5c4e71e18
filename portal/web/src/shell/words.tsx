import { useEffect, useState, type ReactNode } from "react";

/** A text with the words that were found in it made bold. */
export function Marked({ text, words }: { text: string; words: string }): ReactNode {
  const wanted = words.trim().split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (wanted.length === 0) return text;
  const parts = text.split(new RegExp(`(${wanted.join("|")})`, "gi"));
  return parts.map((part, index) => (index % 2 ? <b key={index}>{part}</b> : part));
}

/** A value as it was when it has been quiet for a while. */
export function useLate<T>(value: T, ms: number): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setLate(value), ms);
    return () => window.clearTimeout(timer);
  }, [value, ms]);
  return late;
}
