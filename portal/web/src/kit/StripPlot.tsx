import type { ReactNode } from "react";
import { usePartWords } from "./parts.words";
import { logScale, quantile, shortMs, spread } from "./scale";
import { useElementWidth } from "./size";
import { duration } from "./Time";
import "./parts.css";

export interface StripPoint {
  key: string;
  name: string;
  /** The zone or cluster it stands in. */
  row: string;
  /** Milliseconds; null where it never answered. */
  ms: number | null;
}

export interface StripPlotProps {
  points: StripPoint[];
  /** Rows in their order; those that occur, by name, unless said. */
  rows?: string[];
  label: string;
  selected?: string | undefined;
  onSelect?: (key: string) => void;
}

const ROW = 40;
const TOP = 34;
/** Room for the words of a quantile, in pixels. */
const WORD = 88;
const MOST_NAMED = 6;

/** How long each took, a dot for each on a logarithmic axis; those that never answered stand past its end and are named. */
export function StripPlot({ points, rows, label, selected, onSelect }: StripPlotProps): ReactNode {
  const say = usePartWords();
  const [holder, width] = useElementWidth<HTMLDivElement>(360);
  const names = rows ?? [...new Set(points.map((point) => point.row))].sort();
  const known = points.flatMap((point) => (point.ms === null ? [] : [point.ms]));
  const never = points.filter((point) => point.ms === null);
  const left = Math.min(96, 12 + Math.max(0, ...names.map((name) => name.length)) * 7);
  const right = never.length > 0 ? 48 : 16;
  const inner = Math.max(80, width - left - right);
  const scale = logScale(known, inner);
  const bottom = TOP + names.length * ROW;
  const p50 = quantile(known, 0.5);
  const p99 = quantile(known, 0.99);
  const marks = [["p50", p50], ["p99", p99]].filter((one): one is [string, number] => one[1] !== undefined);
  const near = p50 !== undefined && p99 !== undefined && scale.at(p99) - scale.at(p50) < WORD;
  // words that would touch stand beside each other, and none leaves the picture
  const wordAt = (at: number, place: number): number => {
    const pair = near ? (place === 0 ? [WORD / 2, WORD * 1.5] : [WORD * 1.5, WORD / 2]) : [WORD / 2, WORD / 2];
    const wanted = near ? left + scale.at(p50 ?? 0) + (place === 0 ? -WORD / 2 : WORD / 2) : at;
    return Math.min(width - (pair[1] ?? 0), Math.max(pair[0] ?? 0, wanted));
  };
  const sentence = say("stripSentence", { count: points.length, p50: p50 === undefined ? "—" : duration(p50), p99: p99 === undefined ? "—" : duration(p99), never: never.length });
  const every = Math.max(1, Math.ceil((scale.ticks.length * 34) / inner));
  return (
    <div className="kp-strip-plot" ref={holder}>
      <svg width={width} height={bottom + 24} role="img" aria-label={`${label}: ${sentence}`}>
        {scale.ticks.map((tick, place) => (
          <g key={tick}>
            <line className="kp-grid" x1={left + scale.at(tick)} x2={left + scale.at(tick)} y1={TOP} y2={bottom} />
            {place % every === 0 && <text className="kp-axis" x={left + scale.at(tick)} y={bottom + 16} textAnchor="middle">{shortMs(tick)}</text>}
          </g>
        ))}
        {names.map((name, place) => (
          <StripRow key={name} name={name} y={TOP + (place + 0.5) * ROW} left={left} inner={inner} points={points.filter((point) => point.row === name)} at={scale.at} selected={selected} onSelect={onSelect} first={never.find((one) => one.row === name) !== undefined && names.findIndex((row) => never.some((one) => one.row === row)) === place} />
        ))}
        {marks.map(([word, ms], place) => (
          <g key={word}>
            <line className="kp-quantile" x1={left + scale.at(ms)} x2={left + scale.at(ms)} y1={TOP - 12} y2={bottom} />
            <text className="kp-quantile-word" x={wordAt(left + scale.at(ms), place)} y={TOP - 18} textAnchor="middle">
              {word} {duration(ms)}
            </text>
          </g>
        ))}
      </svg>
      {never.length > 0 && (
        <p className="kp-never">
          {say("neverNamed")}
          <span className="k-mono">{never.slice(0, MOST_NAMED).map((point) => point.name).join(", ")}</span>
          {never.length > MOST_NAMED && ` ${say("andMore", { count: never.length - MOST_NAMED })}`}
        </p>
      )}
      <table className="k-hidden">
        <caption>{label}</caption>
        <thead><tr><th scope="col">{say("row")}</th><th scope="col">{say("count")}</th><th scope="col">p50</th><th scope="col">p99</th><th scope="col">{say("never")}</th></tr></thead>
        <tbody>
          {names.map((name) => {
            const mine = points.filter((point) => point.row === name);
            const took = mine.flatMap((point) => (point.ms === null ? [] : [point.ms]));
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{mine.length}</td>
                <td>{took.length > 0 ? duration(quantile(took, 0.5)!) : "—"}</td>
                <td>{took.length > 0 ? duration(quantile(took, 0.99)!) : "—"}</td>
                <td>{mine.length - took.length}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function StripRow(props: {
  name: string;
  y: number;
  left: number;
  inner: number;
  points: StripPoint[];
  at: (ms: number) => number;
  selected: string | undefined;
  onSelect: ((key: string) => void) | undefined;
  first: boolean;
}): ReactNode {
  const { name, y, left, inner, points, at, selected, onSelect, first } = props;
  const say = usePartWords();
  const answered = points.filter((point) => point.ms !== null).sort((one, other) => one.ms! - other.ms!);
  const silent = points.filter((point) => point.ms === null);
  const levels = spread(answered.map((point) => at(point.ms!)), 5, 2);
  const end = left + inner + 26;
  return (
    <g>
      <text className="kp-axis" x={left - 10} y={y + 4} textAnchor="end">{name.length > 12 ? `${name.slice(0, 11)}…` : name}<title>{name}</title></text>
      <line className="kp-strip-line" x1={left} x2={left + inner} y1={y} y2={y} />
      {answered.map((point, place) => (
        <circle key={point.key} className={`kp-dot${point.key === selected ? " kp-dot-chosen" : ""}${onSelect ? " kp-pick" : ""}`} cx={left + at(point.ms!)} cy={y + levels[place]! * 5} r={point.key === selected ? 4.5 : 3} onClick={onSelect && (() => onSelect(point.key))}>
          <title>{`${point.name} · ${duration(point.ms!)}`}</title>
        </circle>
      ))}
      {first && <text className="kp-never-word" x={end} y={y - 10} textAnchor="middle">{say("never")}</text>}
      {silent.slice(0, 1).map((point) => (
        <g key={point.key} className={onSelect ? "kp-pick" : undefined} onClick={onSelect && (() => onSelect(point.key))}>
          <title>{silent.map((one) => one.name).join(", ")}</title>
          <path className="kp-never-cross" d={`M${end - 4.5} ${y - 4.5}l9 9M${end + 4.5} ${y - 4.5}l-9 9`} />
          {silent.length > 1 && <text className="kp-never-word" x={end} y={y + 18} textAnchor="middle">×{silent.length}</text>}
        </g>
      ))}
    </g>
  );
}
