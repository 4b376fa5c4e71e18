import { address } from "./client";
import { Events, type Health, type StreamEvent } from "./events";

/** Stream: what a page follows of the browser's one stream. */
const wanted = new Map<string, number>();
const eventListeners = new Set<(event: StreamEvent) => void>();
const healthListeners = new Set<(health: Health) => void>();
let health: Health = { state: "connecting", heard: 0 };
let send: ((topics: string[]) => void) | undefined;

const onEvent = (event: StreamEvent): void => eventListeners.forEach((listener) => listener(event));
const onHealth = (now: Health): void => {
  health = now;
  healthListeners.forEach((listener) => listener(now));
};

function start(): void {
  if (send) return;
  const url = new URL(address("api/v1/stream"), window.location.href).toString();
  try {
    const worker = new SharedWorker(new URL("./stream.worker.ts", import.meta.url), { type: "module", name: url });
    worker.port.onmessage = (message: MessageEvent<{ event?: StreamEvent; health?: Health }>) => {
      if (message.data.event) onEvent(message.data.event);
      if (message.data.health) onHealth(message.data.health);
    };
    worker.port.start();
    send = (topics) => worker.port.postMessage({ topics });
    window.addEventListener("pagehide", () => worker.port.postMessage({ gone: true }));
    window.addEventListener("pageshow", () => say());
    window.setInterval(say, 20_000);
  } catch {
    const events = new Events(url, onEvent, onHealth);
    send = (topics) => events.follow(topics);
  }
}

const say = (): void => send?.([...wanted.keys()]);

/** Follow topics; gives what ends it. */
export function follow(topics: string[]): () => void {
  start();
  for (const topic of topics) wanted.set(topic, (wanted.get(topic) ?? 0) + 1);
  say();
  return () => {
    for (const topic of topics) {
      const left = (wanted.get(topic) ?? 1) - 1;
      if (left > 0) wanted.set(topic, left);
      else wanted.delete(topic);
    }
    say();
  };
}

export function onStream(listener: (event: StreamEvent) => void): () => void {
  eventListeners.add(listener);
  return () => void eventListeners.delete(listener);
}

export function onStreamHealth(listener: (health: Health) => void): () => void {
  healthListeners.add(listener);
  listener(health);
  return () => void healthListeners.delete(listener);
}

export const topics = {
  work: (tenant: string): string => `work:${tenant}`,
  bundles: (tenant: string): string => `bundles:${tenant}`,
  bundle: (scope: { tenant: string; environment: string; center: string; application: string }, capability: string): string =>
    `bundle:${scope.tenant}/${scope.environment}/${scope.center}/${scope.application}/${capability}`,
};
