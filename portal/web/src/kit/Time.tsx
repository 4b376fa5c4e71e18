import { useEffect, useState, type ReactNode } from "react";
import { useLanguage, useWords } from "./words";

const STEPS: [number, Intl.RelativeTimeFormatUnit, number][] = [
  [60_000, "second", 1000],
  [3_600_000, "minute", 60_000],
  [86_400_000, "hour", 3_600_000],
  [30 * 86_400_000, "day", 86_400_000],
  [365 * 86_400_000, "month", 30 * 86_400_000],
  [Number.POSITIVE_INFINITY, "year", 365 * 86_400_000],
];

/** Give a moment relative to another, as "3 min ago". */
export function relative(at: number, now: number, language: string): string {
  const distance = at - now;
  for (const [limit, unit, size] of STEPS) {
    if (Math.abs(distance) < limit) {
      const style = { numeric: "auto", style: "short" } as const;
      return new Intl.RelativeTimeFormat(language === "zh" ? "zh-CN" : "en", style).format(Math.trunc(distance / size), unit);
    }
  }
  return "";
}

export function absolute(at: number, language: string): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "medium" };
  return new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", options).format(at);
}

/** A moment (milliseconds since 1970 UTC): relative, the absolute one on hover. 0 stands for never. */
export function Time({ at, exact = false }: { at: number; exact?: boolean }): ReactNode {
  const language = useLanguage();
  const say = useWords();
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = window.setInterval(() => tick((count) => count + 1), Math.abs(Date.now() - at) < 120_000 ? 5_000 : 30_000);
    return () => window.clearInterval(timer);
  }, [at]);
  if (!at) return <span className="k-quiet">{say("never")}</span>;
  const now = Date.now();
  const full = absolute(at, language);
  const shown = exact ? full : Math.abs(at - now) < 5_000 ? say("now") : relative(at, now, language);
  return (
    <time dateTime={new Date(at).toISOString()} title={full}>
      {shown}
    </time>
  );
}

/** Milliseconds as people say them: 412 ms, 6.8 s, 14 min. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${(ms / 3_600_000).toFixed(1)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1024 / 1024).toFixed(1)} MiB`;
}
