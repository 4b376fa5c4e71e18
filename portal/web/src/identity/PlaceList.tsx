import type { ReactNode } from "react";
import type { Pages } from "../api";
import { ListPage, type Column } from "../kit";
import { useMay, usePage, useQueryStates, useText, type Where } from "../shell";
import { Failed } from "./Failed";

export interface PlaceListProps<T extends { name: string }> {
  /** Where its texts stand; permissions are of the one `kind`. */
  what: "tenants" | "environments" | "centers";
  kind: "tenant" | "environment" | "center";
  where: Where;
  found: Pages<T>;
  words: string;
  onWords: (words: string) => void;
  columns: Column<T>[];
  /** The commands that list them and make one, and the request that lists them. */
  cli: { list: string; create: string };
  api: string;
  /** Beside how many were found. */
  right?: ReactNode;
  /** The drawers of the one that is open and of a new one. */
  children: ReactNode;
}

/** What has a name and holds others, listed: the drawers that its rows and its button open are in the address. */
export function PlaceList<T extends { name: string }>(props: PlaceListProps<T>): ReactNode {
  const { what, kind, where, found, words, onWords, columns, cli, api, right, children } = props;
  const say = useText("identity");
  const may = useMay();
  const [query, change] = useQueryStates();
  const mayMake = may(`identity.${kind}:create`, where);
  const make = (): void => change({ new: "1", peek: "" });
  const title = say(`${what}.title`);
  usePage({
    title,
    cli: cli.list,
    api,
    readAt: found.readAt,
    actions: mayMake ? [{ key: "new", label: say(`${what}.new`), keys: "c", run: make }] : [],
  });
  return (
    <ListPage
      title={title}
      note={say(`${what}.note`)}
      create={{ label: say(`${what}.new`), allowed: mayMake, reason: say("needs", { permission: `identity.${kind}:create` }), onCreate: make }}
      words={words}
      onWords={onWords}
      filterLabel={say("estate.filter")}
      right={<>{found.rows && say("shown", { count: found.rows.length, more: found.more ? "+" : "" })}{right}</>}
      failed={found.error && !found.rows ? <Failed error={found.error} what={title} needs={`identity.${kind}:list`} again={found.again} /> : undefined}
      table={{
        name: what,
        rows: found.rows,
        rowKey: (row) => row.name,
        columns,
        onOpen: (row) => change({ peek: row.name }),
        openKey: found.rows?.find((row) => row.name === query.get("peek"))?.name,
        onMore: found.more,
        loadingMore: found.loadingMore,
      }}
      none={{ title: say(`${what}.none`, { tenant: where.tenant }), text: say(`${what}.noneText`), cli: cli.create }}
      noMatch={{ title: say(`${what}.noMatch`, { words }), text: say("estate.searched") }}
    >
      {children}
    </ListPage>
  );
}
