import type { ReactNode } from "react";
import { Link } from "react-router";
import { useScrolls } from "./scrolls";
import { useWords } from "./words";

export interface Crumb {
  label: ReactNode;
  to?: string;
}

/** The head of a page: crumb, title, at most two status tags, actions at the right, the main one last. */
export function PageHead(props: { crumbs?: Crumb[]; title: ReactNode; mono?: boolean; tags?: ReactNode; note?: ReactNode; actions?: ReactNode }): ReactNode {
  const { crumbs = [], title, mono = false, tags, note, actions } = props;
  return (
    <header className="k-head">
      <div className="k-head-text">
        {crumbs.length > 0 && (
          <nav className="k-crumbs" aria-label="breadcrumb">
            {crumbs.map((crumb, place) => (
              <span key={place}>{crumb.to ? <Link to={crumb.to}>{crumb.label}</Link> : crumb.label}</span>
            ))}
          </nav>
        )}
        <div className="k-title">
          <h1 className={mono ? "k-mono" : undefined}>{title}</h1>
          {tags}
        </div>
        {note && <p className="k-note">{note}</p>}
      </div>
      {actions && <div className="k-actions">{actions}</div>}
    </header>
  );
}

export interface TabItem {
  key: string;
  label: ReactNode;
  to: string;
  count?: number | undefined;
  bad?: number | undefined;
}

/** Tabs of a hub: real links, so that each is an address. */
export function Tabs({ items, active, label }: { items: TabItem[]; active: string; label: string }): ReactNode {
  return (
    <nav className="k-tabs" aria-label={label}>
      {items.map((item) => (
        <Link key={item.key} to={item.to} className="k-tab" aria-current={item.key === active ? "page" : undefined}>
          {item.label}
          {item.count !== undefined && <span className="k-count">{item.count.toLocaleString("en-US")}</span>}
        </Link>
      ))}
    </nav>
  );
}

/** The pages below a tab: real links as well, smaller than tabs. */
export function SubPages({ items, active, label }: { items: TabItem[]; active: string; label: string }): ReactNode {
  return (
    <nav className="k-pages" aria-label={label}>
      {items.map((item) => (
        <Link key={item.key} to={item.to} aria-current={item.key === active ? "page" : undefined}>
          {item.label}
          {item.count ? <span className="k-count">{item.count.toLocaleString("en-US")}</span> : null}
        </Link>
      ))}
    </nav>
  );
}

/** Panes side by side, parted by hairlines. The main one grows; `side` panes keep their width and become pages when narrow. */
export function Panes({ children, stack = false }: { children: ReactNode; stack?: boolean }): ReactNode {
  return <div className={`k-panes${stack ? " k-panes-stack" : ""}`}>{children}</div>;
}

export interface PaneProps {
  title?: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
  foot?: ReactNode;
  side?: "left" | "right";
  width?: number;
  padded?: boolean;
  label?: string;
  grow?: boolean;
}

function Scrolls({ className, children }: { className: string; children: ReactNode }): ReactNode {
  return (
    <div className={className} {...useScrolls<HTMLDivElement>()}>
      {children}
    </div>
  );
}

export function Pane(props: PaneProps): ReactNode {
  const { title, note, actions, children, foot, side, width, padded = false, label, grow = !side } = props;
  return (
    <section
      className={`k-pane${side ? ` k-pane-${side}` : ""}${grow ? " k-pane-grow" : ""}`}
      style={width ? { flexBasis: width, width } : undefined}
      aria-label={label ?? (typeof title === "string" ? title : undefined)}
    >
      {(title !== undefined || actions) && (
        <div className="k-pane-head">
          <h2>{title}</h2>
          {note && <span className="k-pane-note">{note}</span>}
          {actions && <span className="k-pane-actions">{actions}</span>}
        </div>
      )}
      <Scrolls className={`k-pane-body${padded ? " k-padded" : ""}`}>{children}</Scrolls>
      {foot && <div className="k-foot-bar">{foot}</div>}
    </section>
  );
}

/** The filter bar of a list: search first, facets, and at the right what it found and what can be made. */
export function FilterBar({ children, right }: { children: ReactNode; right?: ReactNode }): ReactNode {
  return (
    <div className="k-filters" role="search">
      <div className="k-filters-left">{children}</div>
      {right && <div className="k-filters-right">{right}</div>}
    </div>
  );
}

export interface Figure {
  key: string;
  label: ReactNode;
  value: ReactNode;
  unit?: ReactNode;
  status?: ReactNode;
  to?: string;
}

/** A strip of figures: label, number, what it means. */
export function Strip({ figures, label }: { figures: Figure[]; label: string }): ReactNode {
  return (
    <ul className="k-strip" aria-label={label} {...useScrolls<HTMLUListElement>()}>
      {figures.map((figure) => (
        <li key={figure.key}>
          <span className="k-strip-label">{figure.to ? <Link to={figure.to}>{figure.label}</Link> : figure.label}</span>
          <span className="k-strip-value">
            {figure.value}
            {figure.unit && <small>{figure.unit}</small>}
          </span>
          {figure.status && <span className="k-strip-status">{figure.status}</span>}
        </li>
      ))}
    </ul>
  );
}

/** Names and values under one another. */
export function Facts({ items }: { items: [ReactNode, ReactNode][] }): ReactNode {
  return (
    <dl className="k-facts">
      {items.map(([name, value], place) => (
        <div key={place}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A heading inside a pane with what follows it. */
export function Section({ title, note, actions, children }: { title: ReactNode; note?: ReactNode; actions?: ReactNode; children: ReactNode }): ReactNode {
  return (
    <section className="k-section">
      <div className="k-section-head">
        <h3>{title}</h3>
        {note && <span className="k-pane-note">{note}</span>}
        {actions && <span className="k-pane-actions">{actions}</span>}
      </div>
      {children}
    </section>
  );
}

/** A name with what kind of thing it is, linked to it; the id only for copying. */
export function Ref(props: { name: ReactNode; kind?: ReactNode; to?: string; mono?: boolean; title?: string }): ReactNode {
  const { name, kind, to, mono = false, title } = props;
  const shown = <span className={mono ? "k-mono" : "k-name"}>{name}</span>;
  return (
    <span className="k-ref" title={title}>
      {to ? <Link to={to}>{shown}</Link> : shown}
      {kind && <span className="k-ref-kind">{kind}</span>}
    </span>
  );
}

/** A note in a pane: what happened and what it means. */
export function Note({ hue, title, children, actions }: { hue: "ok" | "warn" | "bad" | "info" | "idle"; title?: ReactNode; children?: ReactNode; actions?: ReactNode }): ReactNode {
  return (
    <div className={`k-notice k-${hue}`} role={hue === "bad" ? "alert" : "note"}>
      <div>
        {title && <strong>{title}</strong>} {children}
      </div>
      {actions && <div className="k-notice-actions">{actions}</div>}
    </div>
  );
}

export function Reading({ what }: { what?: string }): ReactNode {
  const say = useWords();
  return (
    <p className="k-reading" role="status">
      <span className="k-spinner" aria-hidden="true" /> {what ?? say("reading")}
    </p>
  );
}

/** Rows that are not there yet. */
export function Skeleton({ rows = 3 }: { rows?: number }): ReactNode {
  const say = useWords();
  return (
    <div className="k-skeleton" role="status" aria-label={say("reading")}>
      {Array.from({ length: rows }, (_, place) => (
        <span key={place} style={{ width: `${92 - ((place * 17) % 40)}%` }} />
      ))}
    </div>
  );
}
