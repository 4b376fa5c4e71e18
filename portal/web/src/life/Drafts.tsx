import { useMemo, useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, useDo, type CheckResult, type Difference, type PendingChange } from "../api";
import { Button, Confirm, Empty, Pane, Panes, Reading, StatusTag } from "../kit";
import { usePage, useText } from "../shell";
import { LifeBar, type BarPage } from "./Bar";
import { ChangeSet, useView } from "./Changes";
import { lifeCall, useLife, useLifeRead } from "./life";
import { Can, extent, Refused, Unread, useReason } from "./Parts";

export interface LifePageProps {
  bar: { first: BarPage; last?: BarPage[] };
}

/** What was edited and not published: what it would change, and throwing it away. */
export function Drafts({ bar }: LifePageProps): ReactNode {
  const say = useText("life");
  const life = useLife();
  const navigate = useNavigate();
  const found = useLifeRead<Difference>("/drafts");
  const pending = found.data?.pending;
  const check = useLifeRead<CheckResult>("/check", {}, { method: "POST", enabled: (pending?.length ?? 0) > 0 });
  const [view, picker] = useView();
  const [left, setLeft] = useState<Set<string>>(new Set());
  const [discarding, setDiscarding] = useState<PendingChange | null>(null);
  const reason = useReason("update");
  const drop = useDo((one: PendingChange) => lifeCall<void>(life, "DELETE", `${life.pathOf(one.kind)}/draft`, { path: { name: one.name }, version: one.version }));
  const chosen = useMemo(() => new Set((pending ?? []).map((one) => one.name).filter((name) => !left.has(name))), [pending, left]);
  const only = left.size > 0 ? `?only=${[...chosen].map(encodeURIComponent).join(",")}` : "";
  usePage({
    title: `${say("diff.title")} · ${life.scope.application}`,
    cli: life.cli("diff") ?? "",
    api: asCurl(life.operation("GET", "/drafts"), { path: life.scope }),
    readAt: found.dataUpdatedAt,
    actions: [{ key: "publish", label: say("publish.title"), keys: "p", run: () => void navigate(life.to("publish") + only) }],
  });
  return (
    <>
      <LifeBar active="diff" {...bar} />
      {found.error && !pending ? (
        <Unread error={found.error} title={say("diff.unreadable")} onRetry={() => void found.refetch()} />
      ) : !pending ? (
        <Reading />
      ) : pending.length === 0 ? (
        <Empty title={say("diff.none")} actions={<Button kind="primary" to={bar.first.to}>{bar.first.label}</Button>}>{say("diff.noneText")}</Empty>
      ) : (
        <Panes>
          <Pane
            title={say("diff.changes")}
            note={say("diff.note", { revision: found.data?.revision ?? 0, ...extent(pending, say) })}
            actions={picker}
            foot={
              <>
                {check.data && (check.data.ok ? <StatusTag hue="ok">{say("check.ok")}</StatusTag> : <StatusTag hue="bad">{say("check.bad", { count: check.data.problems.length })}</StatusTag>)}
                <span className="k-grow" />
                <Can verb="publish" kind={life.protected_ ? "production" : "primary"} icon="publish" keys="P" to={life.to("publish") + only} disabled={chosen.size === 0} reason={say("diff.chooseOne")}>
                  {left.size > 0 ? say("diff.publishChosen", { count: chosen.size }) : say("publish.title")}
                </Can>
              </>
            }
          >
            <ChangeSet
              changes={pending}
              view={view}
              from="draft"
              chosen={chosen}
              onChoose={(name, on) => setLeft((before) => { const after = new Set(before); if (on) after.delete(name); else after.add(name); return after; })}
              actions={(one) => <Button size="small" kind="quiet" icon="undo" label={say("diff.discard", { name: one.name })} disabled={reason !== undefined} {...(reason ? { reason } : {})} onClick={() => setDiscarding(one)} />}
            />
          </Pane>
        </Panes>
      )}
      <Confirm
        open={discarding !== null}
        onClose={() => setDiscarding(null)}
        title={say("diff.discard", { name: discarding?.name ?? "" })}
        consequence={say("diff.discardNumbers", { count: discarding?.changes.length ?? 0, author: discarding?.author ?? "" })}
        action={say("diff.discardAction")}
        busy={drop.isPending}
        error={<Refused error={drop.error} />}
        onConfirm={() => { if (discarding) void drop.mutateAsync(discarding).then(() => setDiscarding(null), () => undefined); }}
      />
    </>
  );
}
