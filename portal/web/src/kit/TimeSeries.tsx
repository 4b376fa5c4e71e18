import { lazy, Suspense, useMemo, useRef, useState, type KeyboardEvent, type ReactNode, type Ref } from "react";
import { usePartWords } from "./parts.words";
import { useElementWidth } from "./size";
import type { Hue } from "./Status";
import { absolute } from "./Time";
import { useLanguage } from "./words";
import "./parts.css";

export interface Series {
  key: string;
  label: string;
  /** One for each time; null where nothing is known, which is drawn as a gap. */
  values: (number | null)[];
  dashed?: boolean;
  /** A status hue, only where the series is a status; else c1 to c8 in order. */
  hue?: Hue;
}

export interface TimeMark {
  /** Milliseconds since 1970 UTC. */
  at: number;
  /** As the revision, "r129". */
  label: string;
  hue?: Hue;
}

export interface TimeSeriesProps {
  /** Milliseconds since 1970 UTC, rising. */
  times: number[];
  series: Series[];
  label: string;
  title?: ReactNode;
  note?: ReactNode;
  height?: number;
  format?: (value: number) => string;
  /** Charts with the same key move their crosshairs together. */
  sync?: string;
  /** Publishes: dashed verticals with a flag. */
  marks?: TimeMark[];
  threshold?: { value: number; label: string };
  /** From zero, as rates and counts are; on unless said. */
  zero?: boolean;
  /** Fill below the line; only for a single series. */
  area?: boolean;
  from?: number;
  to?: number;
  onPick?: (at: number) => void;
}

export interface PlotHandle {
  move: (place: number) => void;
}

export interface PlotProps extends TimeSeriesProps {
  width: number;
  height: number;
  format: (value: number) => string;
  onCursor: (place: number | null) => void;
  handle: Ref<PlotHandle>;
}

const Plot = lazy(() => import("./uplot"));
const MOST_TABLE = 24;

const short = (value: number): string => {
  const size = Math.abs(value);
  if (size >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))}M`;
  if (size >= 10_000) return `${Number((value / 1000).toPrecision(3))}k`;
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
};

/** On an axis thousands are short, so that all its labels are alike. */
const shortAxis = (value: number): string => (Math.abs(value) >= 1000 && Math.abs(value) < 1_000_000 ? `${Number((value / 1000).toPrecision(3))}k` : short(value));

/** Numbers over time. Values stand in the head, at the crosshair or the last ones; a table holds them for who does not see lines. */
export function TimeSeries(props: TimeSeriesProps): ReactNode {
  const { times, series, label, title, note, height = 160, format = short, marks = [], threshold } = props;
  const say = usePartWords();
  const language = useLanguage();
  const [holder, width] = useElementWidth<HTMLDivElement>(480);
  const [at, setAt] = useState<number | null>(null);
  const handle = useRef<PlotHandle>(null);
  const last = times.length - 1;
  const empty = times.length === 0 || series.every((one) => one.values.every((value) => value === null));
  const clock = (time: number): string => new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(time);
  const shown = at !== null && at <= last ? at : null;
  const valueAt = (one: Series): number | null | undefined => (shown === null ? one.values.findLast((value) => value !== null) : one.values[shown]);
  const keys = (event: KeyboardEvent): void => {
    const now = shown ?? last;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, PageUp: now + 10, PageDown: now - 10 }[event.key];
    if (to === undefined || event.metaKey || event.ctrlKey || event.altKey || last < 0) return;
    event.preventDefault();
    const place = Math.min(last, Math.max(0, to));
    setAt(place);
    handle.current?.move(place);
  };
  const told = shown === null ? "" : `${clock(times[shown]!)}: ${series.map((one) => `${one.label} ${one.values[shown] == null ? say("unset") : format(one.values[shown]!)}`).join(", ")}`;
  const sentence = empty ? `${label}: ${say("noPoints")}` : say("seriesSentence", { label, count: times.length, from: absolute(times[0]!, language), to: absolute(times[last]!, language) });
  return (
    <figure className="kp-series">
      <figcaption className="kp-series-head">
        {title && <h3>{title}</h3>}
        {note && <span className="k-quiet">{note}</span>}
        <span className="k-grow" />
        {!empty &&
          series.map((one, place) => {
            const value = valueAt(one);
            return (
              <span key={one.key} className="kp-series-value">
                <svg width="14" height="4" aria-hidden="true" className={one.hue ? `k-${one.hue} kp-spark-hue` : `kp-c${(place % 8) + 1}`}>
                  <path d="M0 2h14" className="kp-series-swatch" strokeDasharray={one.dashed ? "4 3" : undefined} />
                </svg>
                {one.label} <strong>{value === null || value === undefined ? "—" : format(value)}</strong>
              </span>
            );
          })}
        {!empty && <span className="kp-series-time">{clock(times[shown ?? last]!)}</span>}
      </figcaption>
      <div ref={holder} className="kp-series-plot" style={{ height }} role="img" aria-label={`${sentence}. ${say("chartKeys")}`} tabIndex={empty ? -1 : 0} onKeyDown={keys} onBlur={() => setAt(null)}>
        {empty ? (
          <p className="k-quiet kp-series-none">{say("noPoints")}</p>
        ) : (
          <Suspense fallback={<span className="kp-series-waiting" />}>
            <Plot {...props} height={height} format={props.format ?? shortAxis} width={width} onCursor={setAt} handle={handle} />
          </Suspense>
        )}
      </div>
      <span className="k-hidden" role="status">{told}</span>
      <SeriesTable times={times} series={series} label={label} format={format} marks={marks} threshold={threshold} />
    </figure>
  );
}

/** The same in a table, thinned to what can be listened to. */
function SeriesTable({ times, series, label, format, marks, threshold }: Pick<TimeSeriesProps, "times" | "series" | "label" | "threshold"> & { marks: TimeMark[]; format: (value: number) => string }): ReactNode {
  const say = usePartWords();
  const language = useLanguage();
  const rows = useMemo(() => {
    const step = Math.max(1, Math.ceil(times.length / MOST_TABLE));
    return times.map((_, place) => place).filter((place) => place % step === 0 || place === times.length - 1);
  }, [times]);
  return (
    <table className="k-hidden">
      <caption>
        {label}. {marks.map((mark) => `${say("published", { name: mark.label })} ${absolute(mark.at, language)}. `)}
        {threshold && `${threshold.label} ${format(threshold.value)}.`}
      </caption>
      <thead>
        <tr>
          <th scope="col">{say("time")}</th>
          {series.map((one) => <th key={one.key} scope="col">{one.label}</th>)}
        </tr>
      </thead>
      <tbody>
        {rows.map((place) => (
          <tr key={place}>
            <th scope="row">{absolute(times[place]!, language)}</th>
            {series.map((one) => <td key={one.key}>{one.values[place] == null ? "—" : format(one.values[place]!)}</td>)}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
