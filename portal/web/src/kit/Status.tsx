import type { ReactNode } from "react";
import { Icon } from "./Icon";
import { useWords } from "./words";

export type Hue = "ok" | "warn" | "bad" | "info" | "idle";

/** Five shapes, so that a status is told without its colour: tick, triangle, cross, dashed ring, bar; running is a half disc. */
export function Glyph({ hue, running = false, size = 14 }: { hue: Hue; running?: boolean; size?: number }): ReactNode {
  return (
    <svg className={`k-glyph k-${hue}`} width={size} height={size} viewBox="0 0 14 14" aria-hidden="true" focusable="false">
      {shape(hue, running)}
    </svg>
  );
}

function shape(hue: Hue, running: boolean): ReactNode {
  if (running) {
    return (
      <>
        <circle cx="7" cy="7" r="5.4" fill="none" stroke="currentColor" strokeWidth="1.4" />
        <path d="M7 1.6a5.4 5.4 0 0 1 0 10.8z" fill="currentColor" />
      </>
    );
  }
  switch (hue) {
    case "ok":
      return (
        <>
          <circle cx="7" cy="7" r="6" fill="currentColor" />
          <path d="M4.2 7.2l2 2 3.6-4" fill="none" stroke="var(--surface)" strokeWidth="1.5" />
        </>
      );
    case "warn":
      return (
        <>
          <path d="M7 1.3 13.2 12.4H.8z" fill="currentColor" />
          <path d="M7 5v3.6M7 10.2v.9" stroke="var(--surface)" strokeWidth="1.4" />
        </>
      );
    case "bad":
      return (
        <>
          <path d="M4.4 1h5.2L13 4.4v5.2L9.6 13H4.4L1 9.6V4.4z" fill="currentColor" />
          <path d="M4.8 4.8l4.4 4.4M9.2 4.8 4.8 9.2" stroke="var(--surface)" strokeWidth="1.5" />
        </>
      );
    case "info":
      return (
        <>
          <circle cx="7" cy="7" r="5.4" fill="none" stroke="currentColor" strokeWidth="1.4" strokeDasharray="2.2 1.6" />
          <circle cx="7" cy="7" r="1.8" fill="currentColor" />
        </>
      );
    case "idle":
      return (
        <>
          <circle cx="7" cy="7" r="5.4" fill="none" stroke="currentColor" strokeWidth="1.4" />
          <path d="M4.4 7h5.2" stroke="currentColor" strokeWidth="1.4" />
        </>
      );
  }
}

/** A status: glyph and word, always both. Boxed in headers, bare in tables. */
export function StatusTag(props: { hue: Hue; children: ReactNode; running?: boolean; boxed?: boolean; title?: string }): ReactNode {
  const { hue, children, running = false, boxed = false, title } = props;
  return (
    <span className={`k-status k-${hue}${boxed ? " k-boxed" : ""}`} title={title}>
      <Glyph hue={hue} running={running} />
      <span className="k-status-word">{children}</span>
    </span>
  );
}

/** The environment of a row: a quiet shield for production, an outline for the rest. */
export function EnvTag({ name, protected_ = false }: { name: string; protected_?: boolean }): ReactNode {
  if (!protected_) return <span className="k-env">{name}</span>;
  return (
    <span className="k-env k-env-prod">
      <Icon name="shield" size={11} />
      {name}
    </span>
  );
}

export type MarkKind = "add" | "change" | "remove";

/** What became of a row: a letter in a square at its left edge. */
export function Mark({ kind }: { kind: MarkKind }): ReactNode {
  const language = useWords();
  const chinese = language("yes") === "是";
  const letters = chinese ? { add: "增", change: "改", remove: "删" } : { add: "A", change: "M", remove: "D" };
  const titles = chinese
    ? { add: "新增", change: "改动", remove: "删除" }
    : { add: "added", change: "modified", remove: "deleted" };
  return (
    <abbr className={`k-mark k-mark-${kind}`} title={titles[kind]}>
      {letters[kind]}
    </abbr>
  );
}

/** A person: initials in a disc, and the name. */
export function Person({ name, bare = false }: { name: string; bare?: boolean }): ReactNode {
  if (!name) return <span className="k-quiet">—</span>;
  const initials = /[\u4e00-\u9fff]/.test(name) ? name.slice(-1) : name.replace(/[^\p{L}\p{N}]+/gu, " ").trim().split(" ").map((part) => part[0] ?? "").join("").slice(0, 2).toUpperCase();
  return (
    <span className="k-person">
      <span className="k-avatar" aria-hidden="true">{initials || "?"}</span>
      {bare ? <span className="k-hidden">{name}</span> : <span className="k-ellipsis">{name}</span>}
    </span>
  );
}

/** How many of something; a number that is not known is said so, never 0. */
export function Count({ value }: { value: number | undefined }): ReactNode {
  return <>{value === undefined ? "—" : value.toLocaleString("en-US")}</>;
}
