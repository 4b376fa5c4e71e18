/** The newest rows of a stream, so many of them and no more; who listens hears of them at most ten times a second. */
export interface TailEntry<T> {
  /** Rising by one for each row since the beginning. */
  place: number;
  row: T;
}

const OFTEN = 100;

export class Tail<T> {
  private readonly ring: TailEntry<T>[] = [];
  private count = 0;
  private version = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(readonly limit = 5000) {}

  /** How many rows ever came. */
  get total(): number {
    return this.count;
  }

  push(rows: readonly T[]): void {
    for (const row of rows) {
      const entry = { place: this.count, row };
      this.ring[this.count % this.limit] = entry;
      this.count++;
    }
    if (rows.length > 0) this.changed();
  }

  clear(): void {
    this.ring.length = 0;
    this.count = 0;
    this.changed();
  }

  /** What is kept, newest first. */
  newest(): TailEntry<T>[] {
    const kept = Math.min(this.count, this.limit);
    return Array.from({ length: kept }, (_, back) => this.ring[(this.count - 1 - back) % this.limit]!);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) {
        clearTimeout(this.timer);
        this.timer = undefined;
      }
    };
  };

  readonly snapshot = (): number => this.version;

  private changed(): void {
    if (this.timer !== undefined || this.listeners.size === 0) return void this.version++;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.version++;
      for (const listener of this.listeners) listener();
    }, OFTEN);
  }
}
