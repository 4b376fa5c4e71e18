import type { ReactNode } from "react";
import { asCurl, call, failureOf, useDo, usePages, useRead, type Center } from "../api";
import { Button, Confirm, ErrorState, Facts, Peek, Ref, Section, Time, type Column } from "../kit";
import { at, Marked, useLate, useMay, useQueryState, useQueryStates, useScope, useText } from "../shell";
import { Named, Titled } from "./Estate";
import { counted } from "./operations";
import { PlaceList } from "./PlaceList";
import "./identity.css";

const LIST = "GET /api/v1/identity/tenants/{tenant}/centers";

/** The business centers of a tenant, which applications belong to. */
export function Centers(): ReactNode {
  const say = useText("identity");
  const scope = useScope();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const late = useLate(words, 200);
  const args = { path: { tenant: scope.tenant }, query: { words: late, limit: 200 } };
  const found = usePages(LIST, args);
  const open = found.rows?.find((row) => row.name === query.get("peek"));
  const applications = (name: string): string => `${at(scope, "apps")}?center=${encodeURIComponent(name)}`;
  const columns: Column<Center>[] = [
    { key: "name", title: say("estate.name"), names: true, width: 240, render: (row) => <Ref mono name={<Marked text={row.name} words={late} />} title={row.name} to={applications(row.name)} /> },
    { key: "title", title: say("estate.titleLabel"), width: 360, render: (row) => <bdi className="k-ellipsis" title={row.title}>{row.title ? <Marked text={row.title} words={late} /> : "—"}</bdi> },
    { key: "made", title: say("made"), width: 140, align: "right", render: (row) => <Time at={row.created_at} /> },
  ];
  return (
    <PlaceList
      what="centers"
      kind="center"
      where={{ tenant: scope.tenant }}
      found={found}
      words={words}
      onWords={setWords}
      columns={columns}
      cli={{ list: `qiantang center list -t ${scope.tenant}`, create: `qiantang center create ${scope.tenant}/NAME` }}
      api={asCurl(LIST, args)}
    >
      <Peek open={open !== undefined} onClose={() => change({ peek: "", do: "" })} title={<span className="k-mono">{open?.name}</span>} foot={open && <Button kind="primary" to={applications(open.name)}>{say("centers.open")}</Button>}>
        {open && <Details center={open} />}
      </Peek>
      <Peek open={query.get("new") === "1"} onClose={() => change({ new: "" })} title={say("centers.new")}>
        <Named
          make={(name, title) => call("POST /api/v1/identity/tenants/{tenant}/centers", { path: { tenant: scope.tenant }, body: { name, title } })}
          onMade={(name) => change({ new: "", peek: name })}
          action={say("centers.make")}
          failed={say("centers.failed")}
          nameHint={say("centers.nameHint")}
        />
      </Peek>
    </PlaceList>
  );
}

function Details({ center }: { center: Center }): ReactNode {
  const say = useText("identity");
  const may = useMay();
  const [query, change] = useQueryStates();
  const path = { tenant: center.tenant, center: center.name };
  const applications = useRead("GET /api/v1/identity/tenants/{tenant}/applications", { path: { tenant: center.tenant }, query: { center: center.name, limit: 500 } });
  const remove = useDo(async () => {
    await call("DELETE /api/v1/identity/tenants/{tenant}/centers/{center}", { path });
    change({ do: "", peek: "" });
  });
  const mayDelete = may("identity.center:delete", path);
  const holds = (applications.data?.items.length ?? 0) > 0;
  const reason = holds ? say("centers.firstEmpty", { count: counted(applications.data) }) : say("needs", { permission: "identity.center:delete" });
  return (
    <div className="k-stack i-peek">
      <Facts items={[[say("tenants.applications"), counted(applications.data)], [say("made"), <Time key="made" at={center.created_at} exact />]]} />
      {may("identity.center:update", path) && <Titled key={center.title} before={center.title} save={(title) => call("PATCH /api/v1/identity/tenants/{tenant}/centers/{center}", { path, body: { title } })} onDone={() => {}} />}
      <Section title={say("centers.delete")}>
        <div className="k-stack">
          {holds && <p>{reason}</p>}
          <span><Button kind="danger" disabled={!mayDelete || holds} reason={reason} onClick={() => change({ do: "delete" })}>{say("centers.deleteName", { name: center.name })}</Button></span>
        </div>
      </Section>
      <Confirm
        open={query.get("do") === "delete" && mayDelete}
        onClose={() => change({ do: "" })}
        onConfirm={() => remove.mutate(undefined)}
        title={say("centers.deleteName", { name: center.name })}
        consequence={<strong>{say("centers.deleteConsequence", { name: center.name })}</strong>}
        action={say("centers.deleteName", { name: center.name })}
        typed={center.name}
        busy={remove.isPending}
        error={remove.error && <ErrorState failure={failureOf(remove.error, say("estate.notDeleted"))} />}
      />
    </div>
  );
}
