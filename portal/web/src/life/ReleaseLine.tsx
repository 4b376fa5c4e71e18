import type { ReactNode } from "react";
import type { Release } from "../api";

/** One knot of the line of releases: hollow past, double ring current, half disc on a dashed branch for gray, a cross where it was taken back. */
export function Line({ release, current, gray, chosen }: { release: Release; current: number; gray: number; chosen: boolean }): ReactNode {
  const isGray = release.action === "gray" || release.action === "gray_change";
  const back = release.action === "abort";
  const x = isGray ? 26 : 12;
  const now = release.revision === current;
  return (
    <svg className={`l-line${chosen ? " l-line-chosen" : ""}`} width="36" height="28" viewBox="0 0 36 28" aria-hidden="true" focusable="false">
      <path d="M12 0v28" className="l-line-way" />
      {isGray && <path d="M12 28C12 20 26 22 26 14" className="l-line-branch" />}
      {back ? (
        <path d="M8.5 10.5l7 7M15.5 10.5l-7 7" className="l-line-cross" />
      ) : isGray ? (
        <>
          <circle cx={x} cy="14" r="5" className="l-line-gray" />
          {release.revision === gray && <path d={`M${x} 9a5 5 0 0 1 0 10z`} className="l-line-half" />}
        </>
      ) : (
        <>
          <circle cx={x} cy="14" r={now ? 6 : 3.5} className={now ? "l-line-now" : "l-line-past"} />
          {now && <circle cx={x} cy="14" r="3" className="l-line-dot" />}
        </>
      )}
    </svg>
  );
}
