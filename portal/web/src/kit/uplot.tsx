import { useEffect, useImperativeHandle, useRef, type ReactNode } from "react";
import Chart from "uplot";
import "uplot/dist/uPlot.min.css";
import { useTheme } from "./theme";
import type { PlotProps } from "./TimeSeries";
import { fonts, tokens, type Token, type Tokens } from "./tokens";

const SERIES = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"] as const satisfies Token[];
const FLAG = 14;

export default function Plot(props: PlotProps): ReactNode {
  const theme = useTheme();
  const holder = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart>(null);
  const latest = useRef(props);
  latest.current = props;
  const { times, series, width, height, marks, threshold, handle } = props;
  const look = JSON.stringify([series.map((one) => [one.key, one.dashed, one.hue]), props.zero, props.area, props.sync, props.from, props.to]);

  useEffect(() => {
    const made = new Chart(optionsOf(latest, tokens[theme]), [latest.current.times, ...latest.current.series.map((one) => one.values)], holder.current!);
    chart.current = made;
    return () => {
      chart.current = null;
      made.destroy();
    };
  }, [look, theme]);

  useEffect(() => chart.current?.setData([times, ...series.map((one) => one.values)]), [times, series]);
  useEffect(() => chart.current?.setSize({ width, height }), [width, height]);
  useEffect(() => chart.current?.redraw(false), [marks, threshold]);

  useImperativeHandle(handle, () => ({
    move: (place) => {
      const at = latest.current.times[place];
      if (chart.current && at !== undefined) chart.current.setCursor({ left: chart.current.valToPos(at, "x"), top: 0 });
    },
  }));

  return <div ref={holder} className="kp-uplot" />;
}

function optionsOf(latest: { current: PlotProps }, t: Tokens): Chart.Options {
  const { series, width, height, zero = true, area = false, sync, from, to } = latest.current;
  const colour = (place: number): string => {
    const hue = series[place]?.hue;
    return t[hue ?? SERIES[place % SERIES.length]!];
  };
  const font = `11px ${fonts.text}`;
  return {
    width,
    height,
    ms: 1,
    padding: [FLAG + 4, 10, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 6, width: 1.25, stroke: (_: Chart, place: number) => colour(place - 1), fill: () => t.surface },
      ...(sync ? { sync: { key: sync, setSeries: false, scales: ["x", null] as Chart.Cursor.Sync["scales"] } } : {}),
    },
    scales: {
      x: { time: true, ...(from !== undefined && to !== undefined ? { range: [from, to] as Chart.Range.MinMax } : {}) },
      y: {
        range: (_, low, high) => {
          const least = latest.current.threshold ? Math.max(high ?? 0, latest.current.threshold.value) : (high ?? 0);
          if (zero) return [Math.min(0, low ?? 0), least > 0 ? least * 1.12 : 1];
          const span = least - (low ?? 0) || Math.abs(least) || 1;
          return [(low ?? 0) - span * 0.08, least + span * 0.08];
        },
      },
    },
    axes: [
      {
        font,
        stroke: t["text-2"],
        size: 22,
        gap: 4,
        space: 64,
        grid: { show: false },
        ticks: { show: false },
        values: (chart, splits) => {
          const span = (chart.scales.x?.max ?? 0) - (chart.scales.x?.min ?? 0);
          return splits.map((at) => timeText(at, span));
        },
      },
      {
        font,
        stroke: t["text-2"],
        gap: 6,
        space: Math.max(32, Math.floor((height - 40) / 4)),
        size: (chart, values) => {
          if (!values) return 32;
          chart.ctx.save();
          chart.ctx.font = `${11 * devicePixelRatio}px ${fonts.text}`;
          const widest = Math.max(...values.map((one) => chart.ctx.measureText(one).width / devicePixelRatio));
          chart.ctx.restore();
          return Math.ceil(widest) + 14;
        },
        grid: { stroke: t.grid, width: 1 },
        ticks: { show: false },
        values: (_, splits) => splits.map((value) => latest.current.format(value)),
      },
    ],
    series: [
      {},
      ...series.map((one, place) => ({
        label: one.label,
        stroke: colour(place),
        width: 1.25,
        points: { show: false },
        spanGaps: false,
        ...(one.dashed ? { dash: [5, 3] } : {}),
        ...(area && series.length === 1 ? { fill: `${colour(place)}1a` } : {}),
      })),
    ],
    hooks: {
      setCursor: [(chart) => latest.current.onCursor(chart.cursor.left !== undefined && chart.cursor.left >= 0 ? (chart.cursor.idx ?? null) : null)],
      draw: [(chart) => drawOver(chart, latest.current, t)],
      ready: [
        (chart) => {
          chart.over.addEventListener("click", () => {
            const at = chart.cursor.idx === null || chart.cursor.idx === undefined ? undefined : latest.current.times[chart.cursor.idx];
            if (at !== undefined) latest.current.onPick?.(at);
          });
        },
      ],
    },
  };
}

function timeText(at: number, span: number): string {
  const time = new Date(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (span > 2 * 86_400_000) return `${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const minutes = `${two(time.getHours())}:${two(time.getMinutes())}`;
  return span < 10 * 60_000 ? `${minutes}:${two(time.getSeconds())}` : minutes;
}

/** Publishes and the threshold over the lines. */
function drawOver(chart: Chart, props: PlotProps, t: Tokens): void {
  const { ctx, bbox } = chart;
  const dots = devicePixelRatio;
  const right = bbox.left + bbox.width;
  ctx.save();
  ctx.lineWidth = dots;
  ctx.font = `${11 * dots}px ${fonts.text}`;
  if (props.threshold) {
    const y = chart.valToPos(props.threshold.value, "y", true);
    ctx.strokeStyle = t.warn;
    ctx.fillStyle = t["warn-text"];
    ctx.setLineDash([5 * dots, 3 * dots]);
    line(ctx, bbox.left, y, right, y);
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    ctx.fillText(props.threshold.label, bbox.left + 4 * dots, y - 2 * dots);
  }
  let free = Number.NEGATIVE_INFINITY;
  for (const mark of [...(props.marks ?? [])].sort((one, other) => one.at - other.at)) {
    const x = chart.valToPos(mark.at, "x", true);
    if (x < bbox.left - 1 || x > right + 1) continue;
    const stroke = mark.hue ? t[mark.hue] : t["text-2"];
    ctx.strokeStyle = stroke;
    ctx.setLineDash([2 * dots, 2 * dots]);
    line(ctx, x, bbox.top, x, bbox.top + bbox.height);
    ctx.setLineDash([]);
    ctx.fillStyle = stroke;
    ctx.beginPath();
    ctx.moveTo(x - 4 * dots, bbox.top - 5 * dots);
    ctx.lineTo(x + 4 * dots, bbox.top - 5 * dots);
    ctx.lineTo(x, bbox.top);
    ctx.fill();
    const wide = ctx.measureText(mark.label).width;
    const leftward = x + wide + 8 * dots > right;
    const start = leftward ? x - wide - 6 * dots : x + 6 * dots;
    if (start < free) continue;
    free = start + wide + 4 * dots;
    ctx.fillStyle = mark.hue ? t[`${mark.hue}-text`] : t["text-2"];
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    ctx.fillText(mark.label, start, bbox.top - 2 * dots);
  }
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number): void {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}
