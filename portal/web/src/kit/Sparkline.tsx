import type { ReactNode } from "react";
import { usePartWords } from "./parts.words";
import type { Hue } from "./Status";
import "./parts.css";

export interface SparklineProps {
  /** Null where nothing is known: the line has a gap there. */
  values: (number | null)[];
  label: string;
  width?: number;
  height?: number;
  /** A status hue where the line says one; the first series' colour else. */
  hue?: Hue;
  format?: (value: number) => string;
  /** From zero, as rates and counts are; else from the least value. */
  zero?: boolean;
}

/** The way of a number in a line of text. */
export function Sparkline({ values, label, width = 72, height = 18, hue, format = String, zero = true }: SparklineProps): ReactNode {
  const say = usePartWords();
  const known = values.filter((value): value is number => value !== null);
  if (known.length === 0) return <span className="k-quiet" title={label}>—</span>;
  const least = Math.min(...known);
  const most = Math.max(...known);
  const low = zero ? Math.min(0, least) : least;
  const span = most - low || 1;
  const step = values.length > 1 ? (width - 2) / (values.length - 1) : 0;
  const runs: [number, number][][] = [[]];
  values.forEach((value, place) => {
    if (value === null) runs.push([]);
    else runs.at(-1)!.push([1 + place * step, 1 + (height - 2) * (1 - (value - low) / span)]);
  });
  const drawn = runs.filter((run) => run.length > 0);
  const line = (run: [number, number][]): string => `M${run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}${run.length === 1 ? "h1" : ""}`;
  const sentence = say("sparkSentence", { label, first: format(known[0]!), last: format(known.at(-1)!), min: format(least), max: format(most) });
  return (
    <svg className={`kp-spark${hue ? ` k-${hue} kp-spark-hue` : ""}`} width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={sentence}>
      {drawn.map((run, place) => (
        <g key={place}>
          <path className="kp-spark-area" d={`${line(run)}L${run.at(-1)![0].toFixed(1)} ${height}L${run[0]![0].toFixed(1)} ${height}Z`} />
          <path className="kp-spark-line" d={line(run)} />
        </g>
      ))}
    </svg>
  );
}
