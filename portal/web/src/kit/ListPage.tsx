import type { ReactNode } from "react";
import { Button } from "./Button";
import { DataTable, type DataTableProps } from "./DataTable";
import { FilterBar, PageHead } from "./Page";
import { Empty, NoMatch } from "./States";
import { SearchInput } from "./Texts";

export interface ListPageProps<T extends object> {
  title: string;
  note?: ReactNode;
  /** What is listed can be made here: by whom it may not, the reason is said. */
  create: { label: string; allowed: boolean; reason: string; onCreate: () => void };
  words: string;
  onWords: (words: string) => void;
  filterLabel: string;
  /** At the right of the filter: how many were found, saved views. */
  right?: ReactNode;
  /** In place of the list, where it could not be read. */
  failed: ReactNode | undefined;
  table: Omit<DataTableProps<T>, "empty" | "label">;
  /** There is nothing yet. */
  none: { title: ReactNode; text: ReactNode; cli: string };
  /** Nothing holds the words. */
  noMatch: { title: ReactNode; text: ReactNode };
  /** Drawers of the page. */
  children?: ReactNode;
}

/** The list archetype: head with what can be made, filter as typed, rows, and its three kinds of nothing. */
export function ListPage<T extends object>(props: ListPageProps<T>): ReactNode {
  const { title, note, create, words, onWords, filterLabel, right, failed, table, none, noMatch, children } = props;
  const button = (keys?: string): ReactNode => (
    <Button kind="primary" icon="plus" {...(keys ? { keys } : {})} disabled={!create.allowed} reason={create.reason} onClick={create.onCreate}>
      {create.label}
    </Button>
  );
  const empty = words ? (
    <NoMatch title={noMatch.title} onClear={() => onWords("")}>{noMatch.text}</NoMatch>
  ) : (
    <Empty title={none.title} actions={button()} cli={none.cli}>{none.text}</Empty>
  );
  return (
    <>
      <PageHead title={title} note={note} actions={button("C")} />
      <FilterBar right={right}>
        <SearchInput value={words} onChange={onWords} label={filterLabel} />
      </FilterBar>
      {failed ?? <DataTable {...table} label={title} empty={empty} />}
      {children}
    </>
  );
}
