import { useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { Icon, Mark, useWidthBelow, type MarkKind } from "../kit";
import { Marked, useText } from "../shell";
import { isSealed, maskOf, type Item, type KeyRow, type OriginPlace } from "./body";

const OVER = 8;
const MARKS: Partial<Record<KeyRow["state"], MarkKind>> = { add: "add", change: "change", remove: "remove" };

export interface KeyTableProps {
  rows: KeyRow[];
  words: string;
  selected: string;
  editing: boolean;
  origins: Map<string, OriginPlace>;
  bad: Set<string>;
  own: { center: string; application: string };
  onSelect: (key: string) => void;
  onEdit: (key: string) => void;
  editor: ReactNode;
}

/** The keys of a namespace as rows; the one being edited is open where it stands. However many there are, only what is seen is drawn. */
export function KeyTable(props: KeyTableProps): ReactNode {
  const { rows, words, selected, editing, origins, bad, own, onSelect, onEdit, editor } = props;
  const say = useText("config");
  const narrow = useWidthBelow(768);
  const height = narrow ? 48 : 28;
  const holder = useRef<HTMLDivElement>(null);
  const opened = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [room, setRoom] = useState(600);
  const [extra, setExtra] = useState(0);
  const at = rows.findIndex((row) => row.key === selected);
  const open = editing ? at : -1;

  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return;
    const watch = new ResizeObserver(() => setRoom(element.clientHeight));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = opened.current;
    if (open < 0 || !element) return setExtra(0);
    const watch = new ResizeObserver(() => setExtra(element.offsetHeight));
    watch.observe(element);
    return () => watch.disconnect();
  }, [open]);
  const shownOnce = useRef("");
  useEffect(() => {
    const element = holder.current;
    if (!element || at < 0 || shownOnce.current === selected) return;
    shownOnce.current = selected;
    const y = at * height;
    if (y < element.scrollTop || y > element.scrollTop + element.clientHeight - height * 2) element.scrollTop = Math.max(0, y - element.clientHeight / 3);
  }, [at, selected, height]);

  // never past the end: a filter may have left fewer rows than were scrolled over
  const first = Math.max(0, Math.min(rows.length - Math.ceil(room / height) - OVER, Math.floor((open >= 0 && top > open * height ? Math.max(open * height, top - extra) : top) / height) - OVER));
  const last = Math.min(rows.length, first + Math.ceil(room / height) + 2 * OVER);
  const shown = useMemo(() => rows.slice(first, last), [rows, first, last]);

  const keys = (event: KeyboardEvent): void => {
    if ((event.target as HTMLElement).closest("input,textarea,.cm-editor,[role=combobox],button")) return;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 20, PageUp: -20 }[event.key];
    if (step !== undefined && !event.metaKey && !event.ctrlKey) {
      const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
      if (next) onSelect(next.key);
      event.preventDefault();
      event.stopPropagation();
      window.requestAnimationFrame(() => holder.current?.querySelector<HTMLElement>("[data-selected=true]")?.focus());
    } else if (event.key === "Enter" && at >= 0) {
      onEdit(selected);
      event.preventDefault();
    }
  };

  return (
    <div ref={holder} className="c-keys" onScroll={(event) => setTop(event.currentTarget.scrollTop)} onKeyDown={keys} tabIndex={-1}>
      <div role="table" aria-label={say("keys.label")} aria-rowcount={rows.length + 1}>
        <div className="c-key-row c-key-head" role="row" aria-rowindex={1}>
          <span role="columnheader"><span className="k-hidden">{say("keys.state")}</span></span>
          <span role="columnheader">{say("columns.key")}</span>
          <span role="columnheader">{say("columns.value")}</span>
          <span role="columnheader">{say("columns.type")}</span>
          <span role="columnheader">{say("columns.origin")}</span>
        </div>
        <div style={{ height: first * height + (open >= 0 && open < first ? extra : 0) }} />
        {shown.map((row, place) => {
          const index = first + place;
          const mark = MARKS[row.state];
          return (
            <div key={row.key} role="rowgroup">
              <div
                className={`c-key-row c-key-${row.state}${bad.has(row.key) ? " c-key-bad" : ""}`}
                role="row"
                aria-rowindex={index + 2}
                aria-selected={index === at}
                data-selected={index === at}
                data-key={row.key}
                tabIndex={index === at || (at < 0 && index === 0) ? 0 : -1}
                style={{ height }}
                onClick={() => onSelect(row.key)}
                onDoubleClick={() => onEdit(row.key)}
              >
                <span role="cell">{mark && <Mark kind={mark} />}</span>
                <span role="cell" className="k-mono k-ellipsis" title={row.key}><Marked text={row.key} words={words} /></span>
                <span role="cell" className="k-mono c-value"><Value row={row} words={words} /></span>
                <span role="cell" className="k-quiet k-ellipsis">{say(`types.${typeOf(row)}`)}</span>
                <span role="cell" className="k-quiet k-ellipsis" title={row.covers ? say("origins.covers") : undefined}><Where row={row} origin={origins.get(row.key)} own={own} /></span>
              </div>
              {index === open && <div ref={opened} className="c-key-editor" role="row"><div role="cell">{editor}</div></div>}
            </div>
          );
        })}
        <div style={{ height: Math.max(0, rows.length - last) * height + (open >= last ? extra : 0) }} />
      </div>
    </div>
  );
}

function typeOf(row: KeyRow): string {
  const item = row.item ?? row.before;
  if (row.inherited) return row.inherited.secret ? "secret" : kindOf(row.inherited.value);
  if (item && isSealed(item.value)) return "secret";
  return item?.type ?? "string";
}

function kindOf(value: unknown): string {
  return typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : typeof value === "string" ? "string" : "json";
}

function Where({ row, origin, own }: { row: KeyRow; origin: OriginPlace | undefined; own: { center: string; application: string } }): ReactNode {
  const say = useText("config");
  if (row.state === "add") return <>{say("origins.draft")}</>;
  if (!origin) return <>—</>;
  const inherited = origin.application !== own.application || origin.center !== own.center;
  return (
    <>
      {inherited ? `${say("origins.public")} ${origin.application}/${origin.namespace}` : origin.cluster ? `${say("origins.cluster")} ${origin.cluster}` : say("origins.application")}
      {row.covers && <span className="c-tag">{say("origins.covers")}</span>}
    </>
  );
}

/** What a value looks like on one line. */
export function plainOf(item: Item | undefined): string {
  if (!item) return "";
  return isSealed(item.value) ? `•••••• ${maskOf(item.value) ? `#${maskOf(item.value)}` : ""}` : item.value;
}

function Value({ row, words }: { row: KeyRow; words: string }): ReactNode {
  if (row.inherited) {
    const value = row.inherited.value;
    return <span className="k-ellipsis k-quiet">{typeof value === "string" ? value : JSON.stringify(value)}</span>;
  }
  const sealed = isSealed((row.item ?? row.before)?.value);
  const now = plainOf(row.item);
  const was = plainOf(row.before);
  return (
    <>
      {sealed && <Icon name="lock" size={12} />}
      {row.state === "remove" && <del className="k-ellipsis">{was}</del>}
      {row.state === "change" && was !== now && (
        <>
          <del className="k-ellipsis c-was">{was}</del>
          <span className="k-quiet" aria-hidden="true">→</span>
        </>
      )}
      {row.state !== "remove" && <span className="k-ellipsis" title={sealed ? undefined : now.slice(0, 400)}><Marked text={now.slice(0, 400)} words={words} /></span>}
    </>
  );
}
