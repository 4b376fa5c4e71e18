/** Geometry of the ring: angles in radians from twelve o'clock, clockwise. */
export interface Arc {
  from: number;
  to: number;
}

export const MOST_SEGMENTS = 100;
const TURN = Math.PI * 2;

/** Even segments around a ring with gaps between them; the gap shrinks so that a segment is at least as wide as its gap. */
export function segmentsOf(count: number, gap = 0.06): Arc[] {
  if (count <= 0) return [];
  if (count === 1) return [{ from: 0, to: TURN }];
  const each = TURN / count;
  const between = Math.min(gap, each / 2.5);
  return Array.from({ length: count }, (_, place) => ({ from: place * each + between / 2, to: (place + 1) * each - between / 2 }));
}

/** Arcs in proportion to counts; what is not zero stays visible, and the whole stays one turn. */
export function sharesOf(counts: number[], gap = 0.03, least = 0.05): Arc[] {
  const total = counts.reduce((sum, one) => sum + one, 0);
  if (total <= 0) return counts.map(() => ({ from: 0, to: 0 }));
  const some = counts.filter((one) => one > 0).length;
  if (some === 1) return counts.map((one) => (one > 0 ? { from: 0, to: TURN } : { from: 0, to: 0 }));
  const wide = counts.map((one) => (one > 0 ? Math.max(least + gap, (one / total) * TURN) : 0));
  const scale = TURN / wide.reduce((sum, one) => sum + one, 0);
  let at = 0;
  return wide.map((width) => {
    const from = at;
    at += width * scale;
    return width > 0 ? { from: from + gap / 2, to: at - gap / 2 } : { from, to: from };
  });
}

const point = (center: number, radius: number, angle: number): string => `${(center + radius * Math.sin(angle)).toFixed(2)} ${(center - radius * Math.cos(angle)).toFixed(2)}`;

/** The outline of a piece of the ring between two radii. */
export function arcPath(center: number, inner: number, outer: number, arc: Arc): string {
  const whole = arc.to - arc.from >= TURN - 1e-6;
  if (whole) {
    const half = arc.from + Math.PI;
    const circle = (radius: number, sweep: 0 | 1): string =>
      `M${point(center, radius, arc.from)}A${radius} ${radius} 0 0 ${sweep} ${point(center, radius, half)}A${radius} ${radius} 0 0 ${sweep} ${point(center, radius, arc.from)}Z`;
    return circle(outer, 1) + circle(inner, 0);
  }
  const large = arc.to - arc.from > Math.PI ? 1 : 0;
  return `M${point(center, outer, arc.from)}A${outer} ${outer} 0 ${large} 1 ${point(center, outer, arc.to)}L${point(center, inner, arc.to)}A${inner} ${inner} 0 ${large} 0 ${point(center, inner, arc.from)}Z`;
}

/** The middle of a piece of the ring. */
export function middleOf(center: number, radius: number, arc: Arc): { x: number; y: number } {
  const angle = (arc.from + arc.to) / 2;
  return { x: center + radius * Math.sin(angle), y: center - radius * Math.cos(angle) };
}
