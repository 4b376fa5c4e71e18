import type { ReactNode } from "react";
import { Link } from "react-router";
import { usePartWords, type PartWord } from "./parts.words";
import "./parts.css";

export type ReleaseKind = "past" | "current" | "gray" | "aborted" | "failed";

export interface Release {
  key: string;
  kind: ReleaseKind;
  /** Its revision, as "r128". */
  name: string;
  title: ReactNode;
  /** At the right: who, when, how many. */
  meta?: ReactNode;
  to?: string;
}

const words: Record<ReleaseKind, PartWord> = { past: "kindPast", current: "kindCurrent", gray: "kindGray", aborted: "kindAborted", failed: "kindFailed" };
const offLine = (kind: ReleaseKind): boolean => kind === "gray" || kind === "aborted";

/** Where the line goes at each release, newest first: above and below it. Those on a branch do not begin the line. */
export function linesOf(kinds: readonly ReleaseKind[]): { above: boolean; below: boolean }[] {
  const first = kinds.findIndex((kind) => !offLine(kind));
  return kinds.map((_, place) => ({ above: first >= 0 && place > first, below: first >= 0 && place >= first && place < kinds.length - 1 }));
}

/**
 * One place on the line, also for the first cell of a table's row: hollow past, double ring current, half disc on a dashed branch
 * for a canary, a cross for what was aborted or failed.
 */
export function ReleaseMark({ kind, selected = false, above = true, below = true }: { kind: ReleaseKind; selected?: boolean; above?: boolean; below?: boolean }): ReactNode {
  const say = usePartWords();
  return (
    <span className={`kp-release-lane${above ? " kp-release-above" : ""}${below ? " kp-release-below" : ""}`}>
      <svg width="28" height="28" viewBox="0 0 28 28" role="img" aria-label={say(words[kind])} className={`kp-release-${kind}`}>
        <title>{say(words[kind])}</title>
        {offLine(kind) && <path className="kp-release-branch" d="M7 28C7 20 9 14 14 13.4" />}
        {drawn(kind, selected)}
      </svg>
    </span>
  );
}

function drawn(kind: ReleaseKind, selected: boolean): ReactNode {
  switch (kind) {
    case "past":
      return <circle className={`kp-release-dot${selected ? " kp-release-chosen" : ""}`} cx="7" cy="14" r={selected ? 4.5 : 3.6} />;
    case "current":
      return (
        <>
          <circle className="kp-release-ring" cx="7" cy="14" r="6" />
          <circle className="kp-release-core" cx="7" cy="14" r="3.4" />
        </>
      );
    case "gray":
      return (
        <>
          <circle className="kp-release-ring" cx="19" cy="13" r="5" />
          <path className="kp-release-core" d="M19 8a5 5 0 0 1 0 10z" />
        </>
      );
    case "aborted":
      return (
        <>
          <circle className="kp-release-ground" cx="19" cy="13" r="6" />
          <path className="kp-release-cross" d="M15.5 9.5l7 7M22.5 9.5l-7 7" />
        </>
      );
    case "failed":
      return (
        <>
          <circle className="kp-release-ground" cx="7" cy="14" r="6" />
          <path className="kp-release-cross" d="M3.5 10.5l7 7M10.5 10.5l-7 7" />
        </>
      );
  }
}

/** What was released, newest first, along its line. */
export function ReleaseLine({ releases, selected, onSelect, label }: { releases: Release[]; selected?: string | undefined; onSelect?: (key: string) => void; label: string }): ReactNode {
  const lines = linesOf(releases.map((one) => one.kind));
  return (
    <ol className="kp-releases" aria-label={label}>
      {releases.map((one, place) => {
        const chosen = one.key === selected;
        return (
          <li key={one.key} className={chosen ? "kp-releases-chosen" : undefined} aria-current={chosen || undefined}>
            <ReleaseMark kind={one.kind} selected={chosen} {...lines[place]!} />
            {one.to ? (
              <Link className="k-mono kp-release-name" to={one.to}>{one.name}</Link>
            ) : onSelect ? (
              <button type="button" className="kp-link k-mono kp-release-name" onClick={() => onSelect(one.key)}>{one.name}</button>
            ) : (
              <span className="k-mono kp-release-name">{one.name}</span>
            )}
            <span className="kp-release-title">{one.title}</span>
            {one.meta && <span className="kp-release-meta">{one.meta}</span>}
          </li>
        );
      })}
    </ol>
  );
}
