import { useState, type ReactNode } from "react";
import { Link, useNavigate } from "react-router";
import type { Change, PendingChange, ReleaseDetail, ResourceDetail } from "../api";
import { Button, Check, Mark, Person, Pick, Skeleton, Time, type MarkKind } from "../kit";
import { ChangeList, type Change as Shown } from "../kit/parts";
import { useQueryState, useText } from "../shell";
import { useLife, useLifeRead } from "./life";
import { Lines } from "./Lines";

const MANY = 60;

export const kindOfChange = (change: Change): MarkKind => (change.before === null || change.before === undefined ? "add" : change.after === null || change.after === undefined ? "remove" : "change");

export function countsOf(changes: Change[]): { added: number; removed: number } {
  return {
    added: changes.filter((one) => kindOfChange(one) !== "remove").length,
    removed: changes.filter((one) => kindOfChange(one) !== "add").length,
  };
}

const sealedMark = (value: unknown): string | undefined => (typeof value === "object" && value !== null && "$secret" in value ? ((value as { $secret: { mask?: string } }).$secret.mask ?? "") : undefined);

/** The changes of one resource, a bounded number of them at first. */
function Keys({ changes, onOpen }: { changes: Change[]; onOpen: (path: string) => void }): ReactNode {
  const say = useText("life");
  const [all, setAll] = useState(false);
  const rows = (all ? changes : changes.slice(0, MANY)).map((one): Shown => {
    const before = sealedMark(one.before);
    const after = sealedMark(one.after);
    const secret = before !== undefined || after !== undefined;
    return {
      path: one.path || say("wholeBody"),
      action: kindOfChange(one),
      secret,
      ...(secret ? { ...(before === undefined ? {} : { beforeHash: before }), ...(after === undefined ? {} : { afterHash: after }) } : { before: one.before ?? undefined, after: one.after ?? undefined }),
    };
  });
  return (
    <>
      <ChangeList changes={rows} onOpen={(one) => onOpen(one.path)} />
      {!all && changes.length > MANY && <p className="l-none"><Button size="small" kind="quiet" onClick={() => setAll(true)}>{say("moreChanges", { count: changes.length - MANY })}</Button></p>}
    </>
  );
}

type View = "list" | "split" | "inline";

/** How changes are shown: in the address, so that a link shows the same. */
export function useView(): [View, ReactNode] {
  const say = useText("life");
  const [view, setView] = useQueryState("view", "list");
  const now: View = view === "split" || view === "inline" ? view : "list";
  return [now, <Pick key="view" label={say("view.label")} value={now} onChange={setView} options={(["list", "split", "inline"] as const).map((one) => ({ value: one, label: say(`view.${one}`) }))} />];
}

export interface ChangeSetProps {
  changes: PendingChange[];
  view: View;
  /** Where the two texts of a resource come from: its draft, or two revisions. */
  from: "draft" | { before: number; after: number };
  chosen?: Set<string>;
  onChoose?: (name: string, on: boolean) => void;
  actions?: (change: PendingChange) => ReactNode;
}

/** What changes, resource by resource. */
export function ChangeSet(props: ChangeSetProps): ReactNode {
  const { changes, view, from, chosen, onChoose, actions } = props;
  return (
    <div className="l-set">
      {changes.map((one) => (
        <OneResource key={`${one.kind}/${one.name}`} change={one} view={view} from={from} {...(onChoose ? { chosen: chosen?.has(one.name) ?? false, onChoose: (on: boolean) => onChoose(one.name, on) } : {})} actions={actions?.(one)} />
      ))}
    </div>
  );
}

const KINDS: Record<PendingChange["action"], MarkKind> = { add: "add", change: "change", remove: "remove" };

function OneResource(props: { change: PendingChange; view: View; from: ChangeSetProps["from"]; chosen?: boolean; onChoose?: (on: boolean) => void; actions: ReactNode }): ReactNode {
  const { change, view, from, chosen, onChoose, actions } = props;
  const say = useText("life");
  const life = useLife();
  const navigate = useNavigate();
  const [open, setOpen] = useState(true);
  const { added, removed } = countsOf(change.changes);
  return (
    <section aria-label={change.name}>
      <div className="k-group-head l-change-head">
        {onChoose && <Check checked={chosen ?? false} onChange={onChoose} label={say("include", { name: change.name })} />}
        <Button kind="quiet" size="small" icon={open ? "down" : "right"} expanded={open} label={say(open ? "fold" : "unfold", { name: change.name })} onClick={() => setOpen(!open)} />
        <Mark kind={KINDS[change.action]} />
        <Link to={life.toResource(change.kind, change.name)} className="k-mono k-ellipsis" title={change.name}>{change.name}</Link>
        <span className="k-count">{say("keyCount", { count: change.changes.length })}</span>
        {change.author && <span className="k-row k-quiet l-by"><Person name={change.author} /> <Time at={change.edited_at} /></span>}
        <span className="k-row">
          <span className="l-plus">+{added}</span>
          <span className="l-minus">−{removed}</span>
          {actions}
        </span>
      </div>
      {open && (view === "list" ? change.changes.length > 0 ? <Keys changes={change.changes} onOpen={(path) => void navigate(life.toResource(change.kind, change.name, path.replace(/#\w+$/, "")))} /> : <p className="l-none k-quiet">{say("noKeyChanges")}</p> : from === "draft" ? <DraftText change={change} view={view} /> : <RevisionText change={change} view={view} {...from} />)}
    </section>
  );
}

function DraftText({ change, view }: { change: PendingChange; view: View }): ReactNode {
  const life = useLife();
  const found = useLifeRead<ResourceDetail>(life.pathOf(change.kind), { path: { name: change.name } });
  if (!found.data) return <Skeleton rows={4} />;
  const { published, draft } = found.data;
  return <Lines before={life.textOf(change.kind, published)} after={change.action === "remove" ? "" : life.textOf(change.kind, draft ?? published)} view={view === "inline" ? "inline" : "split"} name={change.name} />;
}

function RevisionText({ change, view, before, after }: { change: PendingChange; view: View; before: number; after: number }): ReactNode {
  const life = useLife();
  const old = useLifeRead<ReleaseDetail>("/releases/{revision}", { path: { revision: before } }, { topics: [], enabled: before > 0 });
  const now = useLifeRead<ReleaseDetail>("/releases/{revision}", { path: { revision: after } }, { topics: [] });
  if ((before > 0 && !old.data) || !now.data) return <Skeleton rows={4} />;
  const body = (detail: ReleaseDetail | undefined): unknown => detail?.resources.find((one) => one.name === change.name && one.kind === change.kind)?.body;
  return <Lines before={life.textOf(change.kind, body(old.data))} after={life.textOf(change.kind, body(now.data))} view={view === "inline" ? "inline" : "split"} name={change.name} />;
}
