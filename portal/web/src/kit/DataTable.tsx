import { Table } from "antd";
import type { SortOrder } from "antd/es/table/interface";
import { useCallback, useEffect, useMemo, useRef, useState, type Key, type KeyboardEvent, type ReactNode } from "react";
import { Button } from "./Button";
import { Check, Choice } from "./Inputs";
import { Pop } from "./Menus";
import { Skeleton } from "./Page";
import { TextInput } from "./Texts";
import { useWords } from "./words";

/** Rows beyond which only what is seen is drawn: two hundred at once are one task of 200 ms. */
const VIRTUAL_OVER = 60;
/** From the end, in pixels: where what comes next is read. */
const NEAR_END = 600;
const ROW = { compact: 28, comfortable: 36 } as const;

export interface Column<T> {
  key: string;
  title: string;
  render: (row: T) => ReactNode;
  width?: number;
  align?: "right";
  /** Sorted by the server: the key goes into the address. */
  sortable?: boolean;
  /** Not shown until it is chosen. */
  optional?: boolean;
  /** The column that names the row: never hidden. */
  names?: boolean;
}

export interface DataTableProps<T extends object> {
  /** What is listed, for screen readers and for remembering the columns. */
  label: string;
  name: string;
  rows: T[] | undefined;
  rowKey: (row: T) => string;
  /** What a row is called, for its checkbox. */
  rowName?: (row: T) => string;
  columns: Column<T>[];
  /** In place of the rows where there are none. */
  empty: ReactNode;
  loading?: boolean;
  sort?: { key: string; descending: boolean } | undefined;
  onSort?: (key: string, descending: boolean) => void;
  /** A row was clicked or Enter pressed on it: usually opens its peek. */
  onOpen?: (row: T) => void;
  openKey?: string | undefined;
  /** Keys of the chosen rows, with what can be done to them. */
  selected?: string[];
  onSelect?: (keys: string[]) => void;
  bulk?: ReactNode;
  onMore?: (() => void) | undefined;
  loadingMore?: boolean;
  /** Rows tall enough for two lines. */
  comfortable?: boolean;
  /** Height of the scrolling part; needed by long lists. */
  height?: number;
  rowHue?: (row: T) => "bad" | "warn" | undefined;
  foot?: ReactNode;
}

/**
 * A list. Rows move with j and k or the arrows, open with Enter, are chosen with the space bar; of many rows only what is seen
 * is drawn, and what comes next is read on the way; columns are chosen by who looks and remembered.
 */
export function DataTable<T extends object>(props: DataTableProps<T>): ReactNode {
  const { label, name, rows, rowKey, columns, empty, loading = false, sort, onSort, onOpen, openKey, selected, onSelect } = props;
  const { bulk, onMore, loadingMore = false, comfortable = false, height, rowHue, rowName, foot } = props;
  const say = useWords();
  const [hidden, setHidden] = useHidden(name, columns);
  const shown = useMemo(() => columns.filter((column) => !hidden.has(column.key)), [columns, hidden]);
  const holder = useRef<HTMLDivElement>(null);
  const width = useWidth(holder);
  const room = useRoom(holder, height);
  const keys = useRowKeys(holder, rows, rowKey, { onOpen, selected, onSelect });
  const rowHeight = comfortable ? ROW.comfortable : ROW.compact;
  if (rows === undefined) return <Skeleton rows={8} />;
  if (rows.length === 0) return <>{empty}</>;
  const narrow = width > 0 && width < 560;
  const virtual = rows.length > VIRTUAL_OVER;
  const least = shown.reduce((total, column) => total + (column.width ?? 140), onSelect ? 40 : 0);
  return (
    <div ref={holder} className={`k-table${comfortable ? " k-comfortable" : ""}`} style={{ "--row": `${rowHeight}px` } as React.CSSProperties} onKeyDown={keys}>
      {narrow ? (
        <>
          {onSort && <SortChoice columns={columns} sort={sort} onSort={onSort} />}
          <NarrowRows {...props} rows={rows} shown={shown} />
        </>
      ) : (
        <Table<T>
          size="small"
          rowKey={rowKey}
          dataSource={rows}
          loading={loading}
          pagination={false}
          virtual={virtual}
          scroll={{ x: Math.max(width, least), ...(virtual ? { y: room } : {}) }}
          sticky={!virtual}
          onScroll={(event) => {
            const box = event.currentTarget;
            if (onMore && !loadingMore && box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END) onMore();
          }}
          tableLayout="fixed"
          aria-label={label}
          columns={shown.map((column) => ({
            key: column.key,
            title: column.title,
            ...(column.width ? { width: column.width } : {}),
            ...(column.align ? { align: column.align } : {}),
            ellipsis: { showTitle: false },
            sorter: column.sortable ?? false,
            showSorterTooltip: false,
            sortOrder: (sort?.key === column.key ? (sort.descending ? "descend" : "ascend") : null) as SortOrder,
            render: (_: unknown, row: T) => column.render(row),
          }))}
          onChange={(_pages, _filters, sorter) => {
            const one = Array.isArray(sorter) ? sorter[0] : sorter;
            if (one) onSort?.(one.order ? String(one.columnKey) : "", one.order === "descend");
          }}
          rowClassName={(row) => `${rowHue?.(row) ? `k-row-${rowHue(row)}` : ""}${openKey === rowKey(row) ? " k-row-open" : ""}`}
          onRow={(row) => ({
            tabIndex: 0,
            "data-row": rowKey(row),
            onClick: (event) => {
              const target = event.target as HTMLElement;
              if (!target.closest("a,button,input,label,[role=switch],.ant-select")) onOpen?.(row);
            },
          })}
          {...(onSelect
            ? {
                rowSelection: {
                  columnWidth: 40,
                  selectedRowKeys: selected ?? [],
                  onChange: (chosen: Key[]) => onSelect(chosen.map(String)),
                  columnTitle: (
                    <Check
                      label={say("all")}
                      checked={(selected?.length ?? 0) === rows.length}
                      some={(selected?.length ?? 0) > 0 && (selected?.length ?? 0) < rows.length}
                      onChange={(all) => onSelect(all ? rows.map(rowKey) : [])}
                    />
                  ),
                  getCheckboxProps: (row: T) => ({ "aria-label": say("selectRow", { name: rowName?.(row) ?? rowKey(row) }) }),
                },
              }
            : {})}
        />
      )}
      <div className="k-table-foot">
        {onMore && (
          <Button size="small" busy={loadingMore} onClick={onMore}>
            {say("more")}
          </Button>
        )}
        {foot}
        <span className="k-grow" />
        {columns.some((column) => !column.names) && !narrow && <ColumnChoice columns={columns} hidden={hidden} onChange={setHidden} />}
      </div>
      {bulk && selected && selected.length > 0 && (
        <div className="k-bulk" role="toolbar" aria-label={say("actions")}>
          <strong>{say("selected", { count: selected.length })}</strong>
          {bulk}
          <span className="k-grow" />
          <Button kind="quiet" size="small" icon="close" label={say("close")} onClick={() => onSelect?.([])} />
        </div>
      )}
    </div>
  );
}

/** On a narrow screen a row is two lines: its name, and the rest. Of many rows the first are drawn, and more when asked for. */
function NarrowRows<T extends object>(props: DataTableProps<T> & { rows: T[]; shown: Column<T>[] }): ReactNode {
  const { rows, shown, rowKey, rowName, onOpen, label, rowHue } = props;
  const say = useWords();
  const [most, setMost] = useState(VIRTUAL_OVER);
  const naming = shown.find((column) => column.names) ?? shown[0];
  return (
    <ul className="k-rows" aria-label={label}>
      {rows.slice(0, most).map((row) => (
        <li
          key={rowKey(row)}
          data-row={rowKey(row)}
          className={rowHue?.(row) ? `k-row-${rowHue(row)}` : undefined}
          onClick={(event) => !(event.target as HTMLElement).closest("a,button") && onOpen?.(row)}
        >
          <div className="k-rows-name">{naming?.render(row)}</div>
          <div className="k-rows-rest">
            {shown.filter((column) => column !== naming).map((column) => (
              <span key={column.key}>{column.render(row)}</span>
            ))}
          </div>
          {onOpen && <Button kind="quiet" size="small" icon="right" label={rowName?.(row) ?? rowKey(row)} onClick={() => onOpen(row)} />}
        </li>
      ))}
      {rows.length > most && (
        <li>
          <Button size="small" onClick={() => setMost(most + VIRTUAL_OVER)}>{say("more")}</Button>
        </li>
      )}
    </ul>
  );
}

/** What the heads of a table do, where a narrow screen has no room for them. */
function SortChoice<T extends object>({ columns, sort, onSort }: { columns: Column<T>[] } & Required<Pick<DataTableProps<T>, "onSort">> & Pick<DataTableProps<T>, "sort">): ReactNode {
  const say = useWords();
  const options = columns.filter((column) => column.sortable).flatMap(({ key, title }) => [
    { value: key, label: `${title} ↑` },
    { value: `-${key}`, label: `${title} ↓` },
  ]);
  return (
    <div className="k-rows-sort">
      <Choice
        aria-label={say("sort")}
        width="auto"
        value={sort ? `${sort.descending ? "-" : ""}${sort.key}` : ""}
        onChange={(chosen) => onSort(chosen.replace(/^-/, ""), chosen.startsWith("-"))}
        options={[{ value: "", label: say("ownOrder") }, ...options]}
      />
    </div>
  );
}

function ColumnChoice<T>(props: { columns: Column<T>[]; hidden: Set<string>; onChange: (hidden: Set<string>) => void }): ReactNode {
  const { columns, hidden, onChange } = props;
  const say = useWords();
  const change = (key: string, on: boolean): void => {
    const next = new Set(hidden);
    if (on) next.delete(key);
    else next.add(key);
    onChange(next);
  };
  const content = (
    <div className="k-column-choice">
      {columns.filter((column) => !column.names).map((column) => (
        <Check key={column.key} checked={!hidden.has(column.key)} onChange={(on) => change(column.key, on)}>
          {column.title}
        </Check>
      ))}
    </div>
  );
  return (
    <Pop content={content}>
      <Button kind="quiet" size="small" icon="table">{say("columns")}</Button>
    </Pop>
  );
}

function useHidden<T>(name: string, columns: Column<T>[]): [Set<string>, (hidden: Set<string>) => void] {
  const place = `columns:${name}`;
  const [hidden, setHidden] = useState<Set<string>>(() => {
    const kept = localStorage.getItem(place);
    return new Set(kept === null ? columns.filter((column) => column.optional).map((column) => column.key) : kept.split(" "));
  });
  const keep = useCallback(
    (next: Set<string>) => {
      localStorage.setItem(place, [...next].join(" "));
      setHidden(next);
    },
    [place],
  );
  return [hidden, keep];
}

function useWidth(holder: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(() => (window.innerWidth < 768 ? window.innerWidth : 0));
  const there = holder.current !== null;
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const watch = new ResizeObserver(([entry]) => entry && setWidth(Math.round(entry.contentRect.width)));
    watch.observe(element);
    return () => watch.disconnect();
  }, [holder, there]);
  return width;
}

/** The height left for rows: what is below the table's top in the window, unless it was said. */
function useRoom(holder: React.RefObject<HTMLElement | null>, height: number | undefined): number {
  const [room, setRoom] = useState(height ?? 480);
  useEffect(() => {
    if (height !== undefined) return setRoom(height);
    const measure = (): void => {
      const top = holder.current?.getBoundingClientRect().top ?? 200;
      setRoom(Math.max(200, window.innerHeight - top - 28 - 28 - 36));
    };
    measure();
    window.addEventListener("resize", measure);
    return () => window.removeEventListener("resize", measure);
  }, [height, holder]);
  return room;
}

function useRowKeys<T>(
  holder: React.RefObject<HTMLElement | null>,
  rows: T[] | undefined,
  rowKey: (row: T) => string,
  act: { onOpen?: ((row: T) => void) | undefined; selected?: string[] | undefined; onSelect?: ((keys: string[]) => void) | undefined },
): (event: KeyboardEvent) => void {
  return (event) => {
    const target = event.target as HTMLElement;
    if (target.closest("input,textarea,[contenteditable=true],[role=combobox]")) return;
    const at = target.closest<HTMLElement>("[data-row]");
    const all = [...(holder.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
    const place = at ? all.indexOf(at) : -1;
    const step = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
    if (step !== undefined && !event.metaKey && !event.ctrlKey) {
      all[Math.min(all.length - 1, Math.max(0, place + step))]?.focus();
      event.preventDefault();
      return;
    }
    const row = at && rows?.find((one) => rowKey(one) === at.dataset.row);
    if (!row || target !== at) return;
    if (event.key === "Enter") act.onOpen?.(row);
    else if (event.key === " " && act.onSelect) {
      const key = rowKey(row);
      const chosen = act.selected ?? [];
      act.onSelect(chosen.includes(key) ? chosen.filter((one) => one !== key) : [...chosen, key]);
    } else return;
    event.preventDefault();
  };
}

/** Views of a list that were saved: a name for a query string. */
export function SavedViews({ name, query, onOpen }: { name: string; query: string; onOpen: (query: string) => void }): ReactNode {
  const say = useWords();
  const place = `views:${name}`;
  const [views, setViews] = useState<[string, string][]>(() => JSON.parse(localStorage.getItem(place) ?? "[]") as [string, string][]);
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const keep = (next: [string, string][]): void => {
    localStorage.setItem(place, JSON.stringify(next));
    setViews(next);
  };
  const save = (): void => {
    if (!text.trim()) return;
    keep([...views.filter(([one]) => one !== text.trim()), [text.trim(), query]]);
    setText("");
  };
  const content = (
    <div className="k-column-choice">
      {views.map(([title, saved]) => (
        <span key={title} className="k-row">
          <Button kind="quiet" size="small" onClick={() => { setOpen(false); onOpen(saved); }}>{title}</Button>
          <span className="k-grow" />
          <Button kind="quiet" size="small" icon="close" label={`${say("remove")} ${title}`} onClick={() => keep(views.filter(([one]) => one !== title))} />
        </span>
      ))}
      <span className="k-row">
        <TextInput value={text} onChange={setText} placeholder={say("viewName")} aria-label={say("viewName")} onEnter={save} />
        <Button size="small" onClick={save}>{say("saveView")}</Button>
      </span>
    </div>
  );
  return (
    <Pop content={content} open={open} onOpenChange={setOpen}>
      <Button kind="quiet" icon="pin">{say("views")}</Button>
    </Pop>
  );
}
