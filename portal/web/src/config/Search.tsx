import type { ReactNode } from "react";
import { asCurl, failureOf, quoted, usePages, type SearchHit } from "../api";
import { DataTable, Empty, EnvTag, ErrorState, FilterBar, NoMatch, PageHead, Ref, SearchInput, type Column } from "../kit";
import { at, atApplication, Marked, useLate, usePage, useProtected, useQueryState, useScope, useText, type Scope } from "../shell";
import { toNamespace } from "./place";
import "../life/life.css";

const FIND = "GET /api/v1/config/search/{tenant}";

function placeOf(bundle: string): Scope {
  const [tenant = "", environment = "", center = "", application = ""] = bundle.slice(0, bundle.lastIndexOf(":")).split("/");
  return { tenant, environment, center, application };
}

/** Published keys and values that hold the words, in all that one may read. */
export function Search(): ReactNode {
  const say = useText("config");
  const scope = useScope();
  const protects = useProtected();
  const [words, setWords] = useQueryState("words");
  const late = useLate(words.trim(), 200);
  const args = { path: { tenant: scope.tenant }, query: { words: late, limit: 100 } };
  const enough = late.length >= 2;
  const found = usePages(FIND, args, { enabled: enough });
  usePage({
    title: say("search.title"),
    cli: `qiantang config search -t ${scope.tenant} ${late ? quoted(late) : "WORDS"}`,
    api: asCurl(FIND, args),
    readAt: enough ? found.readAt : undefined,
  });
  // the environment in scope narrows what was found: the search itself is over the tenant
  const rows = enough ? found.rows?.filter((hit) => !scope.environment || placeOf(hit.bundle).environment === scope.environment) : [];
  const columns: Column<SearchHit>[] = [
    { key: "key", title: say("columns.key"), names: true, width: 300, render: (hit) => <Ref mono title={hit.key} name={hit.key ? <Marked text={hit.key} words={late} /> : say("search.whole")} to={toNamespace(placeOf(hit.bundle), hit.namespace, hit.key)} /> },
    { key: "value", title: say("columns.value"), render: (hit) => <span className="k-mono l-clip" title={hit.value}><Marked text={hit.value} words={late} /></span> },
    { key: "namespace", title: say("columns.namespace"), width: 180, render: (hit) => <code className="l-clip l-clip-short">{hit.namespace}</code> },
    { key: "application", title: say("columns.application"), width: 220, render: (hit) => <Ref mono name={placeOf(hit.bundle).application} kind={placeOf(hit.bundle).center} to={atApplication(placeOf(hit.bundle), "config")} /> },
    ...(scope.environment ? [] : [{ key: "environment", title: say("columns.environment"), width: 110, render: (hit: SearchHit) => <EnvTag name={placeOf(hit.bundle).environment} protected_={protects(placeOf(hit.bundle).environment)} /> }]),
  ];
  return (
    <>
      <PageHead crumbs={[{ label: say("title"), to: at(scope, "config") }]} title={say("search.title")} note={say("search.note")} />
      <FilterBar right={rows && enough ? <span>{say("search.found", { count: rows.length })}{found.more ? "+" : ""}</span> : undefined}>
        <SearchInput value={words} onChange={setWords} label={say("search.label")} width={420} />
      </FilterBar>
      {found.error && !found.rows ? (
        <ErrorState failure={failureOf(found.error, say("search.failed"))} onRetry={found.again} />
      ) : (
        <DataTable
          label={say("search.title")}
          name="config-search"
          rows={rows}
          rowKey={(hit) => `${hit.bundle} ${hit.namespace} ${hit.key}`}
          columns={columns}
          onMore={enough ? found.more : undefined}
          loadingMore={found.loadingMore}
          empty={
            enough ? (
              <NoMatch title={say("search.none", { words: late })} onClear={() => setWords("")}>{say("search.noneText")}</NoMatch>
            ) : (
              <Empty title={say("search.begin")} cli={`qiantang config search -t ${scope.tenant} WORDS`}>{say("search.beginText")}</Empty>
            )
          }
        />
      )}
    </>
  );
}
