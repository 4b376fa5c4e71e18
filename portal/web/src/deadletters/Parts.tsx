import type { ReactNode } from "react";
import { failureOf, quoted, type ApiError } from "../api";
import { Begin, Button, Empty, ErrorState, FilterBar, Forbidden, NoMatch, Note, SearchInput, TextInput } from "../kit";
import { atApplication, useLate, useMay, useQueryStates, useScope, useText, type Scope } from "../shell";
import { FILTERS, isWithoutStore, READ } from "./operations";

/** The line that does the same where the application runs: which bus, only who wrote it knows. */
export const cliOf = (command: string, query: Partial<Record<string, string>> = {}): string => {
  const flags = FILTERS.filter((name) => query[name]).map((name) => ` --${name} ${quoted(query[name] ?? "")}`);
  return `qiantang dead ${command}${flags.join("")} --app MODULE:BUS`;
};

export type Filter = Partial<Record<(typeof FILTERS)[number], string>>;

/** What the address narrows a list by; words as they are once somebody has stopped typing. */
export function useFilter(): { filter: Filter; filtered: boolean; clear: () => void; change: (change: Record<string, string>) => void; query: URLSearchParams } {
  const [query, change] = useQueryStates();
  const words = useLate(query.get("words") ?? "", 250);
  const filter: Filter = {};
  for (const name of FILTERS) {
    const value = name === "words" ? words : query.get(name);
    if (value) filter[name] = value;
  }
  const clear = (): void => change(Object.fromEntries(FILTERS.map((name) => [name, ""])));
  return { filter, filtered: Object.keys(filter).length > 0, clear, change, query };
}

/** The filter of a list: words of the error, the group and the topic; a cause is chosen elsewhere and taken away here. */
export function Filters({ right }: { right?: ReactNode }): ReactNode {
  const say = useText("deadletters");
  const { query, change } = useFilter();
  const cause = query.get("cause") ?? "";
  return (
    <FilterBar right={right}>
      <SearchInput value={query.get("words") ?? ""} onChange={(words) => change({ words })} label={say("filter.words")} width={220} />
      <span className="d-narrow"><TextInput aria-label={say("columns.group")} placeholder={say("columns.group")} mono value={query.get("group") ?? ""} onChange={(group) => change({ group })} maxLength={100} /></span>
      <span className="d-narrow"><TextInput aria-label={say("columns.topic")} placeholder={say("columns.topic")} mono value={query.get("topic") ?? ""} onChange={(topic) => change({ topic })} maxLength={100} /></span>
      {cause && <Button size="small" icon="close" onClick={() => change({ cause: "" })}>{say("filter.cause", { cause: cause.slice(0, 8) })}</Button>}
    </FilterBar>
  );
}

/** A list could not be read: nothing keeps dead letters yet, they are not for this reader, or something is away. */
export function Unread({ error, onRetry }: { error: ApiError; onRetry: () => void }): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  if (isWithoutStore(error)) return <WithoutStore scope={scope} />;
  if (error.status === 403 || (error.status === 404 && error.code === "not_found")) return <Forbidden title={say("forbidden")}>{say("needs", { permission: READ })}</Forbidden>;
  const away = error.code === "messaging.dead_letters_away";
  const refused = error.code === "messaging.not_reachable";
  const actions = (away || refused) && <Button to={atApplication(scope, "messaging")}>{say("toPolicy")}</Button>;
  return <ErrorState failure={failureOf(error, say(away ? "away" : refused ? "notReachable" : "unreadable"))} onRetry={refused ? undefined : onRetry} actions={actions} />;
}

function WithoutStore({ scope }: { scope: Scope }): ReactNode {
  const say = useText("deadletters");
  const may = useMay();
  const mayEdit = may("messaging.policy:update", scope);
  return (
    <Begin
      title={say("noStore", { name: scope.application })}
      actions={
        <Button kind="primary" to={atApplication(scope, "messaging")} disabled={!mayEdit} reason={say("needs", { permission: "messaging.policy:update" })}>{say("toPolicy")}</Button>
      }
      label={say("example")}
      code={EXAMPLE}
    >
      {say("noStoreText")}
    </Begin>
  );
}

const EXAMPLE = `{
  "store": {
    "url": { "$secret": { "value": "postgresql://user:password@host/messages" } }
  },
  "dead_letters": { "keep_days": 90, "history_days": 365 }
}`;

/** No letter, or none that fits. */
export function Nothing({ filtered, clear, what, command }: { filtered: boolean; clear: () => void; what: "none" | "noHistory"; command: string }): ReactNode {
  const say = useText("deadletters");
  if (filtered) return <NoMatch title={say("noMatch")} onClear={clear}>{say("noMatchText")}</NoMatch>;
  return <Empty title={say(what)} cli={cliOf(command)}>{say(`${what}Text`)}</Empty>;
}

/** What was refused, in the place where it was asked for. */
export function Refused({ error }: { error: ApiError | null }): ReactNode {
  if (!error) return null;
  return (
    <Note hue="bad" title={error.message}>
      <code>{error.code}</code>
      {error.problems.map((problem, place) => <p key={place}><code>{problem.path}</code> {problem.message}</p>)}
    </Note>
  );
}
