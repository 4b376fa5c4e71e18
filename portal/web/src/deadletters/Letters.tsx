import { useState, type ReactNode } from "react";
import { asCurl, usePages, type DeadLetterView, type DeadOutcomeView } from "../api";
import { Button, DataTable, Note, Time, useWidthBelow, type Column } from "../kit";
import { useMay, usePage, useScope, useText } from "../shell";
import { DeleteLetters, ResendLetters } from "./Acts";
import { Letter } from "./Letter";
import { EXECUTE, LETTERS, MOST } from "./operations";
import { cliOf, Filters, Nothing, Unread, useFilter } from "./Parts";

/** Dead letters, the newest first: opened one by one, or chosen and sent again or deleted together. */
export function Letters(): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const may = useMay();
  const { filter, filtered, clear, change, query } = useFilter();
  const args = { path: scope, query: { ...filter, limit: 100 } };
  const found = usePages(LETTERS, args);
  const columns = useColumns();
  const [chosen, setChosen] = useState<string[]>([]);
  const [outcomes, setOutcomes] = useState<DeadOutcomeView[]>([]);
  const open = Number(query.get("letter") ?? 0);
  const act = query.get("do") ?? "";
  const there = new Set(found.rows?.map((row) => String(row.number)));
  const selected = chosen.filter((one) => there.has(one));
  usePage({ title: `${scope.application} · ${say("title")}`, cli: cliOf("list", filter), api: asCurl(LETTERS, args), readAt: found.readAt });
  const mayAct = may(EXECUTE, scope);
  const tooMany = selected.length > MOST;
  const reason = mayAct ? say("tooMany", { most: MOST }) : say("needs", { permission: EXECUTE });
  const done = (some: DeadOutcomeView[]): void => {
    setChosen([]);
    setOutcomes(some);
    change({ do: "", letter: "" });
  };
  if (found.error && !found.rows) return <>{filtered && <Filters />}<Unread error={found.error} onRetry={found.again} /></>;
  return (
    <>
      <Filters right={found.rows && <span>{say("lettersFound", { count: found.rows.length })}{found.more ? "+" : ""}</span>} />
      <Outcomes outcomes={outcomes} onClose={() => setOutcomes([])} />
      <DataTable
        label={say("pages.letters")}
        name="dead-letters"
        rows={found.rows}
        rowKey={(row) => String(row.number)}
        rowName={(row) => say("one", { number: row.number })}
        columns={columns}
        onOpen={(row) => change({ letter: String(row.number), do: "" })}
        openKey={open ? String(open) : undefined}
        selected={selected}
        onSelect={setChosen}
        bulk={
          <>
            <Button size="small" icon="refresh" disabled={!mayAct || tooMany} reason={reason} onClick={() => change({ do: "resend-many" })}>{say("resend.verb")}</Button>
            <Button size="small" kind="danger" disabled={!mayAct || tooMany} reason={reason} onClick={() => change({ do: "delete-many" })}>{say("delete.verb")}</Button>
          </>
        }
        onMore={found.more}
        loadingMore={found.loadingMore}
        empty={<Nothing filtered={filtered} clear={clear} what="none" command="list" />}
      />
      {open > 0 && <Letter key={open} number={open} act={act} change={change} onDone={done} />}
      {act === "resend-many" && selected.length > 0 && <ResendLetters numbers={selected.map(Number)} onClose={() => change({ do: "" })} onDone={done} />}
      {act === "delete-many" && selected.length > 0 && <DeleteLetters numbers={selected.map(Number)} onClose={() => change({ do: "" })} onDone={done} />}
    </>
  );
}

function useColumns(): Column<DeadLetterView>[] {
  const say = useText("deadletters");
  const narrow = useWidthBelow(768);
  return [
    { key: "error", title: say("columns.error"), names: true, render: (row) => <span className="k-mono d-clip" title={row.error}>{row.error || say("noError")}</span> },
    { key: "group", title: say("columns.group"), width: 140, render: (row) => <code className="k-ellipsis" title={row.group}>{row.group}</code> },
    { key: "topic", title: say("columns.topic"), width: 160, render: (row) => <code className="k-ellipsis" title={row.topic}>{row.topic || "—"}</code> },
    { key: "key", title: say("columns.key"), width: 140, render: (row) => <code className="k-ellipsis" title={row.key}>{row.key || "—"}</code> },
    { key: "id", title: say("columns.id"), width: 150, optional: true, render: (row) => <code className="k-ellipsis" title={row.id}>{row.id}</code> },
    { key: "attempts", title: say("columns.attempts"), width: 90, align: "right", render: (row) => (narrow ? say("attempts", { count: row.attempts }) : row.attempts) },
    { key: "number", title: say("columns.number"), width: 90, align: "right", render: (row) => <span className="k-mono">{narrow ? `#${row.number}` : row.number}</span> },
    { key: "died", title: say("columns.died"), width: 120, align: "right", render: (row) => <Time at={row.died_at} /> },
  ];
}

/** What became of those that were chosen, said until somebody has read it. */
function Outcomes({ outcomes, onClose }: { outcomes: DeadOutcomeView[]; onClose: () => void }): ReactNode {
  const say = useText("deadletters");
  if (outcomes.length === 0) return null;
  const failed = outcomes.filter((one) => !one.done);
  return (
    <div className="d-said" role="status">
      <Note hue={failed.length ? "bad" : "ok"} title={say("outcome", { done: outcomes.length - failed.length, count: outcomes.length })} actions={<Button kind="quiet" size="small" icon="close" label={say("close")} onClick={onClose} />}>
        {failed.length > 0 && (
          <ul>
            {failed.slice(0, 10).map((one) => <li key={one.number}>{say("one", { number: one.number })}: <code>{one.code}</code> {one.detail}</li>)}
            {failed.length > 10 && <li>{say("andMore", { count: failed.length - 10 })}</li>}
          </ul>
        )}
      </Note>
    </div>
  );
}
