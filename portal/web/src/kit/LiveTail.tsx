import { useEffect, useId, useImperativeHandle, useMemo, useRef, useState, useSyncExternalStore, type KeyboardEvent, type ReactNode, type Ref } from "react";
import { Button, Kbd } from "./Button";
import { Icon } from "./Icon";
import { usePartWords } from "./parts.words";
import { copyText } from "./clipboard";
import { Glyph, StatusTag, type Hue } from "./Status";
import type { Tail, TailEntry } from "./tail";
import { SearchInput } from "./Texts";
import "./parts.css";

export interface TailColumn<T> {
  key: string;
  render: (row: T) => ReactNode;
  /** Pixels; the ones without share what is left. */
  width?: number;
  quiet?: boolean;
}

export interface TailHandle {
  follow: () => void;
  pause: () => void;
}

export interface LiveTailProps<T> {
  tail: Tail<T>;
  columns: TailColumn<T>[];
  /** The text of a row: what the filter looks in, and its name for screen readers. */
  textOf: (row: T) => string;
  hueOf?: (row: T) => { hue: Hue; word: string } | undefined;
  label: string;
  title?: ReactNode;
  state?: "live" | "lost" | "closed";
  /** Rows a second that are let through. */
  budget?: number;
  /** The share that is let through, in percent, while there are more. */
  sampled?: number | undefined;
  /** With `onFilter` the server filters; else what is kept is filtered here. */
  filter?: string;
  onFilter?: (words: string) => void;
  filterLabel?: string;
  /** What is copied of a row; the row itself unless said. */
  toJson?: (row: T) => unknown;
  /** Below, for the row that was selected. */
  body?: (row: T) => ReactNode;
  height?: number;
  fill?: boolean;
  onPause?: (paused: boolean) => void;
  empty?: ReactNode;
  actions?: ReactNode;
  ref?: Ref<TailHandle>;
}

const ROW = 20;
const BEYOND = 6;

/** A stream of rows, newest first. It stops where one scrolls or pauses, says how many came since, and goes on with f. */
export function LiveTail<T>(props: LiveTailProps<T>): ReactNode {
  const { tail, columns, textOf, hueOf, label, title, state = "live", budget, sampled, filter, onFilter, filterLabel, toJson, body, height = 360, fill = false, onPause, empty, actions, ref } = props;
  const say = usePartWords();
  const version = useSyncExternalStore(tail.subscribe, tail.snapshot);
  const [own, setOwn] = useState("");
  const words = filter ?? own;
  const [stopped, setStopped] = useState<TailEntry<T>[]>();
  const [chosen, setChosen] = useState<TailEntry<T>>();
  const [top, setTop] = useState(0);
  const [room, setRoom] = useState(height);
  const [copied, setCopied] = useState(false);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const needle = onFilter ? "" : words.trim().toLowerCase();
  const matches = (entry: TailEntry<T>): boolean => needle === "" || textOf(entry.row).toLowerCase().includes(needle);
  const kept = useMemo(() => stopped ?? tail.newest(), [stopped, tail, version]);
  const rows = useMemo(() => (needle === "" ? kept : kept.filter(matches)), [kept, needle]);
  const since = stopped ? (stopped[0]?.place ?? -1) + 1 : 0;
  const fresh = useMemo(() => {
    if (!stopped) return 0;
    if (needle === "") return tail.total - since;
    return tail.newest().filter((entry) => entry.place >= since && matches(entry)).length;
  }, [stopped, tail, version, needle]);

  const pause = (): void => {
    if (stopped) return;
    setStopped(tail.newest());
    onPause?.(true);
  };
  const follow = (): void => {
    if (list.current) list.current.scrollTop = 0;
    setTop(0);
    setStopped(undefined);
    if (stopped) onPause?.(false);
  };
  useImperativeHandle(ref, () => ({ follow, pause }));
  useEffect(() => {
    const element = list.current;
    if (!element || typeof ResizeObserver === "undefined") return;
    const watch = new ResizeObserver(([entry]) => entry && setRoom(entry.contentRect.height));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);

  const at = chosen ? rows.findIndex((entry) => entry.place === chosen.place) : -1;
  const choose = (place: number): void => {
    const entry = rows[Math.min(rows.length - 1, Math.max(0, place))];
    if (!entry) return;
    pause();
    setChosen(entry);
    const y = rows.indexOf(entry) * ROW;
    const element = list.current;
    if (!element) return;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + ROW > element.scrollTop + element.clientHeight) element.scrollTop = y + ROW - element.clientHeight;
  };
  const page = Math.max(1, Math.floor(room / ROW) - 1);
  const keys = (event: KeyboardEvent): void => {
    if (event.metaKey || event.ctrlKey || event.altKey || (event.target as HTMLElement).closest("input,textarea,[contenteditable=true]")) return;
    const inList = event.target === list.current;
    const step = inList ? { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length }[event.key] : undefined;
    if (step !== undefined) choose(at < 0 ? (step > 1 ? step : 0) : at + step);
    else if (event.key === "f") follow();
    else if (event.key === " " && inList) (stopped ? follow : pause)();
    else if (event.key === "Escape" && chosen) setChosen(undefined);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const copy = (): void => {
    const text = rows.map((entry) => JSON.stringify(toJson ? toJson(entry.row) : entry.row)).join("\n");
    void copyText(text).then(() => {
      setCopied(true);
      window.setTimeout(() => setCopied(false), 1500);
    });
  };
  const first = Math.max(0, Math.floor(top / ROW) - BEYOND);
  const shown = rows.slice(first, first + Math.ceil(room / ROW) + BEYOND * 2);
  const standing =
    state === "lost" ? <StatusTag hue="warn">{say("tailLost")}</StatusTag> : state === "closed" ? <StatusTag hue="idle">{say("tailClosed")}</StatusTag> : stopped ? <StatusTag hue="idle">{say("tailPaused")}</StatusTag> : <StatusTag hue="info" running>{say("tailLive")}</StatusTag>;
  return (
    <section className={`kp-tail${fill ? " kp-tail-fill" : ""}`} style={fill ? undefined : { height }} aria-label={label} onKeyDown={keys}>
      <div className="kp-tail-head">
        {title && <h3>{title}</h3>}
        {standing}
        <span className="k-grow" />
        {actions}
        <Button size="small" kind="quiet" icon={copied ? "check" : "copy"} disabled={rows.length === 0} onClick={copy}>{say(copied ? "copied" : "copyRows")}</Button>
        {stopped ? <Button size="small" icon="play" keys="F" onClick={follow}>{say("follow")}</Button> : <Button size="small" icon="pause" onClick={pause}>{say("pause")}</Button>}
      </div>
      <div className="kp-tail-filter">
        <SearchInput value={words} onChange={onFilter ?? setOwn} label={filterLabel ?? say("filterRows")} width={220} />
        <span className="kp-tail-budget">
          {budget !== undefined && say("budget", { count: budget.toLocaleString("en-US") })}
          {sampled !== undefined && sampled < 100 && <StatusTag hue="warn">{say("sampling", { percent: sampled })}</StatusTag>}
          <span>{say("kept", { count: tail.limit.toLocaleString("en-US") })}</span>
        </span>
      </div>
      <div className="kp-tail-rows">
        {stopped && fresh > 0 && (
          <button type="button" className="kp-tail-pill" onClick={follow}>
            <Icon name="up" size={12} /> {say("stopped", { count: fresh.toLocaleString("en-US") })} <Kbd keys="F" />
          </button>
        )}
        {rows.length === 0 ? (
          <div className="kp-tail-none">
            {words && kept.length > 0 ? (
              <>
                <p>{say("noMatch", { words })}</p>
                <Button size="small" onClick={() => (onFilter ?? setOwn)("")}>{say("clear")}</Button>
              </>
            ) : (
              (empty ?? (<><p>{say("noRows")}</p><p className="k-quiet">{say("noRowsDetail")}</p></>))
            )}
          </div>
        ) : null}
        <div
          ref={list}
          className="kp-tail-list"
          role="listbox"
          aria-label={label}
          tabIndex={rows.length === 0 ? -1 : 0}
          hidden={rows.length === 0}
          aria-activedescendant={at >= first && at < first + shown.length ? `${id}-${chosen!.place}` : undefined}
          onScroll={(event) => {
            const y = event.currentTarget.scrollTop;
            setTop(y);
            if (y > 2) pause();
          }}
        >
          <div role="presentation" style={{ height: first * ROW }} />
          {shown.map((entry, place) => {
            const told = hueOf?.(entry.row);
            return (
              <div
                key={entry.place}
                id={`${id}-${entry.place}`}
                role="option"
                aria-selected={entry.place === chosen?.place}
                aria-posinset={first + place + 1}
                aria-setsize={rows.length}
                className={`kp-tail-row${entry.place === chosen?.place ? " kp-tail-chosen" : ""}`}
                onClick={() => choose(first + place)}
              >
                {columns.map((column) => (
                  <span key={column.key} className={column.quiet ? "kp-tail-quiet" : undefined} style={column.width ? { flex: `0 0 ${column.width}px` } : { flex: "1 1 0" }}>{column.render(entry.row)}</span>
                ))}
                {told && <span className="kp-tail-sign"><Glyph hue={told.hue} size={12} /><span className="k-hidden">{told.word}</span></span>}
              </div>
            );
          })}
          <div role="presentation" style={{ height: Math.max(0, rows.length - first - shown.length) * ROW }} />
        </div>
      </div>
      {chosen && body && (
        <div className="kp-tail-body" role="region" aria-label={say("selectedRow")} tabIndex={0}>
          <span className="kp-tail-close"><Button kind="quiet" size="small" icon="close" label={say("close")} onClick={() => setChosen(undefined)} /></span>
          {body(chosen.row)}
        </div>
      )}
      <span className="k-hidden" role="status">{stopped ? say("stoppedAt", { count: rows.length }) : ""}</span>
    </section>
  );
}
