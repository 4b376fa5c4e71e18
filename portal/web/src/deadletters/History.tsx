import { useState, type ReactNode } from "react";
import { asCurl, call, failureOf, useDo, usePages, useRead, type DeadActionMessages, type DeadActionView } from "../api";
import { Button, DataTable, ErrorState, Facts, Peek, Person, Reading, Section, StatusTag, Time, useWidthBelow, type Column } from "../kit";
import { TextDiff } from "../kit/parts";
import { useMay, usePage, useScope, useText } from "../shell";
import { Message } from "./Message";
import { ACTION, ACTION_MESSAGES, HISTORY, REVEAL } from "./operations";
import { cliOf, Filters, Nothing, Refused, Unread, useFilter } from "./Parts";

/** What was done with dead letters, by whom and why, the newest first. */
export function History(): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const narrow = useWidthBelow(768);
  const { filter, filtered, clear, change, query } = useFilter();
  const args = { path: scope, query: { ...filter, limit: 100 } };
  const found = usePages(HISTORY, args);
  const open = Number(query.get("action") ?? 0);
  usePage({ title: `${scope.application} · ${say("title")}`, cli: cliOf("history", filter), api: asCurl(HISTORY, args), readAt: found.readAt });
  if (found.error && !found.rows) return <>{filtered && <Filters />}<Unread error={found.error} onRetry={found.again} /></>;
  const columns: Column<DeadActionView>[] = [
    { key: "what", title: say("columns.what"), names: true, width: 150, render: (row) => <What action={row} /> },
    { key: "by", title: say("columns.by"), width: 130, render: (row) => <Person name={row.by} /> },
    { key: "reason", title: say("reason"), render: (row) => <span className="d-clip" title={row.reason}>{row.reason || "—"}</span> },
    { key: "changed", title: say("columns.changed"), width: 150, render: (row) => row.changed.map((one) => say(`change.${one}`)).join(say("comma")) || "—" },
    { key: "group", title: say("columns.group"), width: 140, render: (row) => <code className="k-ellipsis" title={row.letter.group}>{row.letter.group}</code> },
    { key: "topic", title: say("columns.topic"), width: 160, render: (row) => <code className="k-ellipsis" title={row.letter.topic}>{row.letter.topic || "—"}</code> },
    { key: "letter", title: say("columns.letter"), width: 80, align: "right", render: (row) => <span className="k-mono">{narrow ? `#${row.letter.number}` : row.letter.number}</span> },
    { key: "at", title: say("columns.at"), width: 120, align: "right", render: (row) => <Time at={row.at} /> },
  ];
  return (
    <>
      <Filters right={found.rows && <span>{say("actionsFound", { count: found.rows.length })}{found.more ? "+" : ""}</span>} />
      <DataTable
        label={say("pages.history")}
        name="dead-history"
        rows={found.rows}
        rowKey={(row) => String(row.number)}
        rowName={(row) => say("one", { number: row.letter.number })}
        columns={columns}
        onOpen={(row) => change({ action: String(row.number) })}
        openKey={open ? String(open) : undefined}
        onMore={found.more}
        loadingMore={found.loadingMore}
        empty={<Nothing filtered={filtered} clear={clear} what="noHistory" command="history" />}
      />
      {open > 0 && <Action key={open} number={open} onClose={() => change({ action: "" })} />}
    </>
  );
}

function What({ action }: { action: DeadActionView }): ReactNode {
  const say = useText("deadletters");
  return <StatusTag hue={action.what === "resent" ? "ok" : "idle"}>{say(`what.${action.what}`)}</StatusTag>;
}

function Action({ number, onClose }: { number: number; onClose: () => void }): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const may = useMay();
  const found = useRead(ACTION, { path: { ...scope, number } });
  const [messages, setMessages] = useState<DeadActionMessages>();
  const reveal = useDo(() => call(ACTION_MESSAGES, { path: { ...scope, number } }), []);
  const action = found.data;
  const mayReveal = may(REVEAL, scope);
  return (
    <Peek open onClose={onClose} width={680} title={action ? say("one", { number: action.letter.number }) : say("pages.history")}>
      {found.error && !action && <ErrorState failure={failureOf(found.error, say("unreadableOne"))} onRetry={() => void found.refetch()} />}
      {!found.error && !action && <Reading />}
      {action && (
        <div className="d-letter">
          <Facts
            items={[
              [say("columns.what"), <What key="w" action={action} />],
              [say("columns.by"), <Person key="b" name={action.by} />],
              [say("columns.at"), <Time key="t" at={action.at} exact />],
              [say("reason"), <span key="r" className="d-value">{action.reason || "—"}</span>],
              [say("columns.changed"), action.changed.map((one) => say(`change.${one}`)).join(say("comma")) || "—"],
              [say("columns.group"), <code key="g">{action.letter.group}</code>],
              [say("columns.topic"), <code key="o">{action.letter.topic || "—"}</code>],
              [say("columns.id"), <code key="i">{action.letter.id}</code>],
              [say("columns.died"), <Time key="d" at={action.letter.died_at} exact />],
              [say("columns.error"), <span key="e" className="k-mono d-value">{action.letter.error || say("noError")}</span>],
            ]}
          />
          <Section title={say("message")}>
            <Refused error={reveal.error} />
            {messages ? (
              <Both messages={messages} />
            ) : (
              <div className="d-hidden">
                <Button icon="eye" busy={reveal.isPending} disabled={!mayReveal} reason={say("needs", { permission: REVEAL })} onClick={() => reveal.mutate(undefined, { onSuccess: setMessages })}>{say("reveal")}</Button>
                <span className="k-quiet">{mayReveal ? say("audited") : say("needs", { permission: REVEAL })}</span>
              </div>
            )}
          </Section>
        </div>
      )}
    </Peek>
  );
}

/** The message as it died and as it went out; where the bodies differ, side by side. */
function Both({ messages }: { messages: DeadActionMessages }): ReactNode {
  const say = useText("deadletters");
  const { died, sent } = messages;
  if (!sent || (sent.body === died.body && JSON.stringify(sent.headers) === JSON.stringify(died.headers))) return <Message message={sent ?? died} />;
  return (
    <div className="k-stack">
      {sent.body !== died.body && <TextDiff before={died.body} after={sent.body} beforeTitle={say("before")} afterTitle={say("after")} mode="inline" label={say("body")} />}
      <Message message={sent} bodyShown={sent.body !== died.body} />
    </div>
  );
}
