/** Events: the browser's one stream, read where it runs: in the shared worker, or in the page where there is none. */
export interface StreamEvent {
  event: "hello" | "changed" | "refused" | "reset";
  data: { topic?: string; reason?: string; node?: string; version?: string; position?: [epoch: number, revision: number] | null };
}

export interface Health {
  state: "connecting" | "live" | "lost";
  delay?: number;
  heard: number;
}

export interface Line {
  event: string;
  id: string;
  data: string;
}

/** Cut a stream of server-sent events into events; comments come as an empty event. Pure: feed it text, take what is whole. */
export class Cutter {
  private rest = "";

  feed(text: string): Line[] {
    this.rest += text.replaceAll("\r\n", "\n");
    const found: Line[] = [];
    for (let end = this.rest.indexOf("\n\n"); end >= 0; end = this.rest.indexOf("\n\n")) {
      found.push(parsed(this.rest.slice(0, end)));
      this.rest = this.rest.slice(end + 2);
    }
    return found;
  }
}

function parsed(block: string): Line {
  const line: Line = { event: "", id: "", data: "" };
  for (const one of block.split("\n")) {
    const [name = "", ...value] = one.split(":");
    const text = value.join(":").replace(/^ /, "");
    if (name === "event") line.event = text;
    else if (name === "id") line.id = text;
    else if (name === "data") line.data += text;
  }
  return line;
}

const SILENT_MS = 40_000;
/** Says that nobody is there: a stream that stays open is no use of a session. */
export const AWAY_HEADER = "X-Qiantang-Away";
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;

/** Keeps one stream open for the topics that are wanted; says every event and how it stands. */
export class Events {
  private topics: string[] = [];
  private abort: AbortController | null = null;
  private last = "";
  private wait = FIRST_WAIT;
  private changeTimer: ReturnType<typeof setTimeout> | undefined;
  private health: Health = { state: "connecting", heard: 0 };

  constructor(
    private readonly url: string,
    private readonly onEvent: (event: StreamEvent) => void,
    private readonly onHealth: (health: Health) => void,
  ) {}

  /** Follow these topics from now on. */
  follow(topics: string[]): void {
    const wanted = [...new Set(topics)].sort().slice(0, 50);
    if (wanted.join() === this.topics.join() && (this.abort || wanted.length === 0)) return;
    this.topics = wanted;
    clearTimeout(this.changeTimer);
    this.changeTimer = setTimeout(() => void this.open(), 80);
  }

  get now(): Health {
    return this.health;
  }

  private say(change: Partial<Health>): void {
    this.health = { ...this.health, ...change };
    this.onHealth(this.health);
  }

  private async open(): Promise<void> {
    this.abort?.abort();
    if (this.topics.length === 0) {
      this.abort = null;
      return;
    }
    const abort = new AbortController();
    this.abort = abort;
    const began = performance.now();
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream", [AWAY_HEADER]: "1" };
      if (this.last) headers["Last-Event-ID"] = this.last;
      const url = `${this.url}?topics=${encodeURIComponent(this.topics.join(","))}`;
      const response = await fetch(url, { headers, signal: abort.signal, credentials: "same-origin", cache: "no-store" });
      if (!response.ok || !response.body) throw new Error(`${response.status}`);
      this.wait = FIRST_WAIT;
      this.say({ state: "live", heard: Date.now(), delay: Math.round(performance.now() - began) });
      await this.read(response.body, abort);
    } catch {
      if (abort.signal.aborted && this.abort !== abort) return;
    }
    if (this.abort !== abort) return;
    this.say({ state: "lost" });
    const wait = this.wait * (0.75 + Math.random() / 2);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (this.abort === abort) await this.open();
  }

  private async read(body: ReadableStream<Uint8Array>, abort: AbortController): Promise<void> {
    const reader = body.getReader();
    const text = new TextDecoder();
    const cutter = new Cutter();
    let silent: ReturnType<typeof setTimeout> | undefined;
    try {
      for (;;) {
        silent = setTimeout(() => abort.abort(), SILENT_MS);
        const { done, value } = await reader.read();
        clearTimeout(silent);
        if (done) return;
        this.say({ heard: Date.now() });
        for (const line of cutter.feed(text.decode(value, { stream: true }))) this.take(line);
      }
    } finally {
      clearTimeout(silent);
    }
  }

  private take(line: Line): void {
    if (line.id) this.last = line.id;
    if (!line.event) return;
    try {
      this.onEvent({ event: line.event as StreamEvent["event"], data: JSON.parse(line.data || "{}") as StreamEvent["data"] });
    } catch {
      // an event that cannot be read tells nothing; the next one will
    }
  }
}
