import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, failureOf, usePages, type MicroserviceView } from "../api";
import { Button, Count, DataTable, Empty, EnvTag, ErrorState, FilterBar, Forbidden, NoMatch, PageHead, Ref, SearchInput, StatusTag, Time, useWidthBelow, type Column } from "../kit";
import { at, atApplication, GoOn, Marked, useEnvironments, useLate, useMay, usePage, useProtected, useQueryState, useScope, useText } from "../shell";
import { isDown } from "./changes";
import { LIST_NODES, MICROSERVICES, OFTEN } from "./operations";
import { FirstService, NodeStates } from "./Parts";
import "./registry.css";

/** The microservices of an environment: how many nodes of each are there, and how they stand. */
export function Microservices(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const environments = useEnvironments(scope.tenant);
  if (scope.environment) return <Listed />;
  if (environments?.[0]) return <GoOn to={at({ ...scope, environment: environments[0].name }, "services")} />;
  return <><PageHead title={say("title")} />{environments && <Empty title={say("noEnvironment")} actions={<Button to={at(scope, "environments")}>{say("toEnvironments")}</Button>} />}</>;
}

function Listed(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const may = useMay();
  const protects = useProtected();
  const navigate = useNavigate();
  const narrow = useWidthBelow(768);
  const [words, setWords] = useQueryState("words");
  const late = useLate(words, 200);
  const args = { path: { tenant: scope.tenant, environment: scope.environment }, query: { words: late, limit: 100 } };
  const allowed = may(LIST_NODES, { tenant: scope.tenant, environment: scope.environment });
  const found = usePages(MICROSERVICES, args, { every: OFTEN, enabled: allowed });
  usePage({ title: say("title"), api: asCurl(MICROSERVICES, args), readAt: found.readAt });
  const to = (row: MicroserviceView): string => atApplication({ ...scope, center: row.center, application: row.name }, "services");
  const columns: Column<MicroserviceView>[] = [
    { key: "name", title: say("columns.microservice"), names: true, width: 260, render: (row) => <Ref mono title={row.name} name={<Marked text={row.name} words={late} />} to={to(row)} /> },
    { key: "center", title: say("columns.center"), width: 160, render: (row) => <code className="k-ellipsis" title={row.center}>{row.center}</code> },
    { key: "nodes", title: say("columns.nodes"), width: 300, render: (row) => <NodeStates nodes={row.nodes} /> },
    { key: "services", title: say("columns.services"), width: 90, align: "right", render: (row) => (narrow ? say("services.count", { count: row.services }) : <Count value={row.services} />) },
    { key: "overridden", title: say("columns.overridden"), width: 180, render: (row) => (row.overridden ? <StatusTag hue="warn">{say("overridden", { count: row.overridden })}</StatusTag> : <span className="k-quiet">—</span>) },
    { key: "changed", title: say("columns.changed"), width: 120, align: "right", render: (row) => <Time at={row.changed_at} /> },
  ];
  const forbidden = !allowed || found.error?.status === 403 || found.error?.status === 404;
  if (forbidden) return <Forbidden title={say("forbidden")}>{say("needs", { permission: LIST_NODES })}</Forbidden>;
  return (
    <>
      <PageHead title={say("title")} tags={<EnvTag name={scope.environment} protected_={protects(scope.environment)} />} note={say("note")} />
      <FilterBar right={found.rows && <span>{say("microservices", { count: found.rows.length })}{found.more ? "+" : ""}</span>}>
        <SearchInput value={words} onChange={setWords} label={say("filter")} />
      </FilterBar>
      {found.error && !found.rows ? (
        <ErrorState failure={failureOf(found.error, say("unreadable"))} onRetry={found.again} />
      ) : (
        <DataTable
          label={say("title")}
          name="microservices"
          rows={found.rows}
          rowKey={(row) => row.name}
          columns={columns}
          onOpen={(row) => void navigate(to(row))}
          rowHue={(row) => (isDown(row) ? "warn" : undefined)}
          onMore={found.more}
          loadingMore={found.loadingMore}
          empty={late ? <NoMatch title={say("noMatch", { words: late })} onClear={() => setWords("")}>{say("noMatchText")}</NoMatch> : <FirstService title={say("none", { environment: scope.environment })} />}
        />
      )}
    </>
  );
}
