import type { ReactNode } from "react";
import { asCurl, failureOf, usePages, type OfferView } from "../api";
import { bytes, Button, Count, DataTable, ErrorState, Note, Ref, StatusTag, Time, useWidthBelow, type Column, type Hue } from "../kit";
import { atApplication, flagsOf, useMay, usePage, useQueryStates, useScope, useText } from "../shell";
import { Definition } from "./Definition";
import { DEFINITIONS, LIST_DEFINITIONS, OFFERS, OFTEN, READ_OFFERS } from "./operations";
import { FirstService } from "./Parts";
import { joined, type Service } from "./offered";

const HUES: Record<OfferView["state"], Hue> = { registered: "info", online: "ok", offline: "idle" };

/** What a microservice offers: as its programs say it, and as the catalog publishes it. */
export function Services(): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const may = useMay();
  const [query, address] = useQueryStates();
  const narrow = useWidthBelow(768);
  const args = { path: scope, query: { limit: 200 } };
  const [tells, reads] = [may(LIST_DEFINITIONS, scope), may(READ_OFFERS, scope)];
  const told = usePages(DEFINITIONS, args, { every: OFTEN, enabled: tells });
  const offered = usePages(OFFERS, args, { every: OFTEN, enabled: reads });
  usePage({ title: `${scope.application} · ${say("pages.services")}`, cli: `qiantang service list ${flagsOf(scope)}`, api: asCurl(DEFINITIONS, args), readAt: told.readAt });
  const failed = told.error ?? offered.error;
  const waits = (tells && !told.rows) || (reads && !offered.rows);
  const rows = waits ? undefined : joined(told.rows ?? [], offered.rows ?? []);
  const open = rows?.find((row) => row.name === query.get("service"));
  const columns: Column<Service>[] = [
    { key: "name", title: say("columns.service"), names: true, width: 280, render: (row) => <Ref mono title={row.name} name={row.name} to={`?service=${encodeURIComponent(row.name)}`} /> },
    { key: "version", title: say("columns.version"), width: 110, render: (row) => <code>{row.offer?.version ?? "—"}</code> },
    { key: "offer", title: say("columns.offer"), width: 150, render: (row) => <OfferState offer={row.offer} known={reads} /> },
    { key: "access", title: say("columns.access"), width: 160, render: (row) => (row.offer ? say(`access.${row.offer.access}`, { count: row.offer.subscribers.length }) : <span className="k-quiet">—</span>) },
    { key: "methods", title: say("columns.methods"), width: 90, align: "right", render: (row) => (narrow && row.offer ? say("methods", { count: row.offer.methods }) : <Count value={row.offer?.methods} />) },
    { key: "digest", title: say("columns.digest"), width: 130, render: (row) => <code title={row.offer?.digest}>{row.offer?.digest.slice(0, 12) ?? "—"}</code> },
    { key: "size", title: say("columns.size"), width: 90, align: "right", optional: true, render: (row) => (row.told ? bytes(row.told.size) : <span className="k-quiet">—</span>) },
    { key: "at", title: say("columns.told"), width: 120, align: "right", render: (row) => (row.told ? <Time at={row.told.published_at} /> : <span className="k-quiet">{say("notTold")}</span>) },
  ];
  if (failed && waits) return <ErrorState failure={failureOf(failed, say("unreadableServices"))} onRetry={() => { told.again(); offered.again(); }} />;
  return (
    <>
      {failed && <Note hue="warn" title={say("partial")}>{failed.message}</Note>}
      <DataTable
        label={say("pages.services")}
        name="service-definitions"
        rows={rows}
        rowKey={(row) => row.name}
        columns={columns}
        onOpen={(row) => address({ service: row.name })}
        openKey={open?.name}
        onMore={told.more ?? offered.more}
        loadingMore={told.loadingMore || offered.loadingMore}
        empty={<FirstService title={say("noServices", { name: scope.application })} />}
        foot={reads && <Button kind="quiet" size="small" to={atApplication(scope, "catalog")}>{say("toCatalog")}</Button>}
      />
      <Definition service={open} onClose={() => address({ service: "" })} />
    </>
  );
}

function OfferState({ offer, known }: { offer: OfferView | undefined; known: boolean }): ReactNode {
  const say = useText("registry");
  if (offer) return <StatusTag hue={HUES[offer.state]}>{say(`offer.${offer.state}`)}</StatusTag>;
  return <span className="k-quiet">{say(known ? "offer.none" : "unknown")}</span>;
}

