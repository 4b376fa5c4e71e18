import type { Change, StripPoint } from "../kit/parts";

/** What the gallery shows: made up, and the same each time. */
export const NOW = Date.UTC(2026, 10, 28, 2, 41, 7);

export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export const HOSTILE = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>';
export const LONG = "order.create.with.a.very.long.name.that.never.ends.and.has.no.place.to.break.in.any.of.its.parts.at.all.max_items";

export interface InstanceRow {
  key: string;
  address: string;
  zone: string;
  revision: string;
  took: number | null;
  state: "applied" | "refused" | "waiting";
  callback: string;
}

export const instances: InstanceRow[] = (() => {
  const next = chance(11);
  return Array.from({ length: 10_000 }, (_, place) => {
    const state = place === 0 ? "refused" : next() < 0.002 ? "waiting" : "applied";
    return {
      key: String(place),
      address: `10.${8 + (place >> 14)}.${(place >> 7) & 127}.${place & 127}:9020`,
      zone: ["hz-a", "hz-b", "sh-c"][place % 3]!,
      revision: state === "applied" ? "r129" : "r128",
      took: state === "applied" ? Math.round(12 * 10 ** (next() * 1.3)) : null,
      state,
      callback: state === "refused" ? "rebuild_stock_client" : `${1 + (place % 4)} callbacks`,
    } as InstanceRow;
  });
})();

export const BEFORE = `# order-service
order.create.timeout_ms=1500
order.id.worker_bits=10
order.trace.sample=0.05
order.kafka.acks=all
order.query.page_max=200
order.risk.enabled=true
order.cache.ttl=30s
order.cache.max=20000
order.notify.topic=trade.notify
order.create.retry=3
order.create.timeout_ms=1500
order.create.max_items=50
order.stock.reserve_mode=sync
order.pay.expire=30m
order.legacy.split_table=true
order.mysql.password=•••••• #a91f
redis.pool.max=64
redis.pool.min=4
redis.timeout=200ms
redis.retry=2
redis.cluster=10.8.1.21:6379,10.8.1.22:6379
log.level=INFO
log.json=true
log.sample=1.0
`;

export const AFTER = BEFORE.replace("max_items=50", "max_items=80")
  .replace("reserve_mode=sync", "reserve_mode=async")
  .replace("order.legacy.split_table=true\n", "")
  .replace("#a91f", "#03bc")
  .replace("log.json=true\n", 'log.json=true\nlog.fields=trace,span,"tenant"\n');

export const hugeBefore = Array.from({ length: 10_000 }, (_, place) => `key.${place}=${(place * 7919) % 1009}`).join("\n");
export const hugeAfter = Array.from({ length: 10_000 }, (_, place) => `key.${place}=${place % 997 === 0 ? "changed" : (place * 7919) % 1009}`).join("\n");

export const changes: Change[] = [
  { path: "order.retry.max_attempts", action: "change", before: 3, after: 5 },
  { path: "order.retry.backoff", action: "change", before: "exponential", after: "fixed" },
  { path: "order.mysql.password", action: "change", before: "hunter2", after: "correct horse", secret: true },
  { path: "order.split.shards", action: "add", after: 16 },
  { path: "order.legacy.split_table", action: "remove", before: true },
  { path: "order.retry.policy", action: "change", before: { max_attempts: 3, backoff: "exponential", initial_ms: 100 }, after: { max_attempts: 5, backoff: "exponential", initial_ms: 200 } },
];

export const schema = {
  $ref: "#/$defs/LimitRule",
  $defs: {
    LimitRule: {
      title: "LimitRule",
      type: "object",
      properties: {
        name: { type: "string", pattern: "^[a-z][a-z0-9.-]*$", maxLength: 40, description: "Lower-case letters, digits, dots, hyphens." },
        enabled: { type: "boolean", default: true },
        sample: { anyOf: [{ type: "number", minimum: 0, maximum: 1 }, { type: "null" }], default: null, description: "Share of calls that are traced." },
        mode: { $ref: "#/$defs/Mode", default: "reject" },
        kind: { anyOf: [{ $ref: "#/$defs/Bucket" }, { $ref: "#/$defs/Window" }], discriminator: { propertyName: "type" } },
        zones: { type: "array", items: { type: "string" }, default: [] },
        labels: { type: "object", additionalProperties: { type: "string" }, default: {} },
        window: { anyOf: [{ $ref: "#/$defs/Span" }, { type: "null" }], default: null },
      },
      required: ["name", "kind"],
    },
    Mode: { enum: ["reject", "queue", "observe"], title: "Mode" },
    Bucket: { title: "Bucket", type: "object", properties: { type: { const: "bucket" }, rate: { type: "integer", minimum: 1, maximum: 100000 }, burst: { type: "integer", default: 0 } }, required: ["type", "rate"] },
    Window: { title: "Window", type: "object", properties: { type: { const: "window" }, rate: { type: "integer", minimum: 1 }, seconds: { type: "number", default: 1 } }, required: ["type", "rate"] },
    Span: { title: "Span", type: "object", properties: { from: { type: "string" }, to: { type: "string" } }, required: ["from", "to"] },
  },
} as const;

export const rule = { name: "stock.reserve", sample: 0.05, kind: { type: "bucket", rate: 5200, burst: 60 }, zones: ["hz-a", "hz-b"], labels: { owner: "trade", "note <b>": HOSTILE } };

export const points: StripPoint[] = [
  ...[18, 29, 31, 42, 44, 58, 412].map((ms, place) => ({ key: `a${place}`, name: `10.8.3.${17 + place}:9020`, row: "hz-a", ms })),
  ...[25, 32, 44, 51, 64].map((ms, place) => ({ key: `b${place}`, name: `10.8.4.${22 + place}:9020`, row: "hz-b", ms })),
  { key: "never", name: "10.8.4.19:9020", row: "hz-b", ms: null },
  ...[28, 38, 54, 66].map((ms, place) => ({ key: `c${place}`, name: `10.8.6.${11 + place}:9020`, row: "sh-c", ms })),
];

export const times = Array.from({ length: 121 }, (_, place) => NOW - (120 - place) * 30_000);
const wave = (seed: number, base: number, rough: number): number[] => {
  const next = chance(seed);
  let at = base;
  return times.map(() => (at += (base - at) * 0.2 + (next() - 0.5) * rough));
};
export const inRate = wave(3, 1850, 160).map((value, place) => (place > 40 && place < 46 ? null : value));
export const outRate = wave(5, 1880, 160).map((value, place) => (place > 74 ? value - 460 : value));
export const lag = times.map((_, place) => (place < 74 ? 900 + 60 * Math.sin(place / 4) : 900 + (place - 74) * 255));
