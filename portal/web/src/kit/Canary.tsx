import { useRef, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { usePartWords } from "./parts.words";
import "./parts.css";

export interface CanaryProps {
  /** How many instances there are. */
  total: number;
  /** The share that has it now, in percent. */
  live: number;
  /** The share that would have it next. */
  next: number;
  onChange?: (next: number) => void;
  /** The least that can be chosen: what is live, unless said. */
  least?: number;
  stops?: number[];
  title?: ReactNode;
  /** How instances are chosen, as "sticky by user id". */
  note?: ReactNode;
  label: string;
  disabled?: boolean;
  /** How many instances a share is; rounded up unless the server says otherwise. */
  instancesAt?: (percent: number) => number;
}

/** The share of a canary: what is live is solid, what is next is hatched, and both are told in instances. */
export function Canary(props: CanaryProps): ReactNode {
  const { total, live, next, onChange, least = live, stops = [0, 10, 25, 50, 100], title, note, label, disabled = false } = props;
  const say = usePartWords();
  const track = useRef<HTMLDivElement>(null);
  const count = (percent: number): number => props.instancesAt?.(percent) ?? Math.min(total, Math.ceil((total * percent) / 100 - 1e-9));
  const fixed = disabled || !onChange;
  const choose = (percent: number): void => {
    const kept = Math.min(100, Math.max(least, Math.round(percent)));
    if (kept !== next) onChange?.(kept);
  };
  const keys = (event: KeyboardEvent): void => {
    const above = stops.find((stop) => stop > next) ?? 100;
    const below = [...stops].reverse().find((stop) => stop < next) ?? 0;
    const to = { ArrowRight: next + 1, ArrowUp: next + 1, ArrowLeft: next - 1, ArrowDown: next - 1, PageUp: above, PageDown: below, Home: least, End: 100 }[event.key];
    if (to === undefined || fixed) return;
    event.preventDefault();
    choose(to);
  };
  const point = (event: PointerEvent): void => {
    const box = track.current?.getBoundingClientRect();
    if (!box || fixed || box.width === 0) return;
    const percent = ((event.clientX - box.left) / box.width) * 100;
    const near = stops.find((stop) => Math.abs(stop - percent) < 2.5);
    choose(near ?? percent);
  };
  const instances = count(next);
  const told = next === live ? say("stays", { count: instances }) : say(instances === 1 ? "nextOne" : "next", { percent: next, count: instances });
  return (
    <div className="kp-canary">
      <div className="kp-canary-head">
        {title && <h3>{title}</h3>}
        {note && <span className="k-quiet">{note}</span>}
        <span className="k-grow" />
        <span className="kp-canary-told">
          {say("live", { percent: live })} <span aria-hidden="true">→</span> <strong>{told}</strong>
        </span>
      </div>
      <div
        className={`kp-canary-track${fixed ? " kp-canary-fixed" : ""}`}
        ref={track}
        onPointerDown={(event) => {
          if (fixed) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          point(event);
        }}
        onPointerMove={(event) => event.currentTarget.hasPointerCapture(event.pointerId) && point(event)}
      >
        <span className="kp-canary-rail" />
        <span className="kp-canary-next" style={{ left: `${Math.min(live, next)}%`, width: `${Math.abs(next - live)}%` }} />
        <span className="kp-canary-live" style={{ width: `${Math.min(live, next)}%` }} />
        {live > 0 && live !== next && <span className="kp-canary-now" style={{ left: `${live}%` }} />}
        <span
          className="kp-canary-handle"
          style={{ left: `${next}%` }}
          role="slider"
          tabIndex={fixed ? -1 : 0}
          aria-label={label}
          aria-valuemin={least}
          aria-valuemax={100}
          aria-valuenow={next}
          aria-valuetext={say("percentOf", { percent: next, count: instances, total })}
          aria-disabled={fixed || undefined}
          onKeyDown={keys}
        />
      </div>
      <div className="kp-canary-ticks">
        {stops.map((stop) => (
          <button
            key={stop}
            type="button"
            className={stop === next ? "kp-canary-chosen" : undefined}
            style={{ left: `${stop}%` }}
            disabled={fixed || stop < least}
            tabIndex={-1}
            title={say("percentOf", { percent: stop, count: count(stop), total })}
            onClick={() => choose(stop)}
          >
            {stop === 100 ? say("everyone") : `${stop} %`}
          </button>
        ))}
      </div>
    </div>
  );
}
