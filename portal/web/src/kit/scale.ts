/** A logarithmic scale of milliseconds, its ticks, and quantiles. */
export interface LogScale {
  min: number;
  max: number;
  /** The place of a value, from 0 to `width`; values beyond the ends are kept at them. */
  at: (value: number) => number;
  ticks: number[];
}

/** Round outwards to 1 or 3 of a power of ten, so that the ends are ticks. */
function down(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return value / power >= 3 ? 3 * power : power;
}

function up(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const share = value / power;
  return share <= 1 + 1e-9 ? power : share <= 3 + 1e-9 ? 3 * power : 10 * power;
}

export function logScale(values: readonly number[], width: number): LogScale {
  const known = values.filter((value) => Number.isFinite(value) && value > 0);
  let low = down(known.length > 0 ? Math.min(...known) : 1);
  let high = up(known.length > 0 ? Math.max(...known) : 1000);
  low = Math.max(low, 0.01);
  if (high <= low * 3) high = up(low * 5);
  const from = Math.log10(low);
  const span = Math.log10(high) - from;
  const ticks: number[] = [];
  for (let tick = low; tick <= high * 1.001; tick = up(tick * 1.5)) ticks.push(Number(tick.toPrecision(6)));
  const at = (value: number): number => Math.min(1, Math.max(0, (Math.log10(Math.max(value, 1e-9)) - from) / span)) * width;
  return { min: low, max: high, at, ticks };
}

/** The quantile of values by the nearest rank; undefined where there are none. */
export function quantile(values: readonly number[], share: number): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

/** A tick as short as an axis wants it: 30, 300, 1 s, 1 min. */
export function shortMs(ms: number): string {
  if (ms < 1000) return String(ms);
  if (ms < 60_000) return `${Number((ms / 1000).toPrecision(2))} s`;
  return `${Number((ms / 60_000).toPrecision(2))} min`;
}

/** Where dots of one row stand so that they do not hide one another: offsets from the row's middle, in steps. */
export function spread(places: readonly number[], apart: number, most = 3): number[] {
  const taken: { at: number; level: number }[] = [];
  return places.map((at) => {
    const near = taken.filter((one) => Math.abs(one.at - at) < apart).map((one) => one.level);
    let level = 0;
    for (let step = 0; step <= most * 2 && near.includes(level); step++) level = level > 0 ? -level : -level + 1;
    taken.push({ at, level });
    return level;
  });
}
