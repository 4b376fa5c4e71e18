import { useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, call, failureOf, useDo, usePages, useRead, type Environment } from "../api";
import { Button, Check, Confirm, EnvTag, ErrorState, Facts, Field, Peek, Ref, Section, StatusTag, Time, type Column } from "../kit";
import { at, useLate, useMay, useQueryState, useQueryStates, useScope, useText } from "../shell";
import { Named, Titled } from "./Estate";
import { counted } from "./operations";
import { PlaceList } from "./PlaceList";
import "./identity.css";

const LIST = "GET /api/v1/identity/tenants/{tenant}/environments";
const CHANGE = "PATCH /api/v1/identity/tenants/{tenant}/environments/{environment}";

/** The stages of a tenant; in a protected one a second person approves each publish. */
export function Environments(): ReactNode {
  const say = useText("identity");
  const scope = useScope();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const [guarded, setGuarded] = useState(false);
  const late = useLate(words, 200);
  const args = { path: { tenant: scope.tenant }, query: { words: late, limit: 200 } };
  const found = usePages(LIST, args);
  const open = found.rows?.find((row) => row.name === query.get("peek"));
  const columns: Column<Environment>[] = [
    { key: "name", title: say("estate.name"), names: true, width: 220, render: (row) => <Ref mono name={row.name} title={row.name} to={at({ tenant: scope.tenant, environment: row.name }, "home")} /> },
    { key: "title", title: say("estate.titleLabel"), width: 280, render: (row) => <bdi className="k-ellipsis" title={row.title}>{row.title || "—"}</bdi> },
    { key: "protected", title: say("environments.publishing"), width: 280, render: (row) => (row.protected ? <span className="k-row"><EnvTag name={say("environments.protected")} protected_ />{say("environments.second")}</span> : <span className="k-quiet">{say("environments.atOnce")}</span>) },
    { key: "made", title: say("made"), width: 140, align: "right", render: (row) => <Time at={row.created_at} /> },
  ];
  return (
    <PlaceList
      what="environments"
      kind="environment"
      where={{ tenant: scope.tenant }}
      found={found}
      words={words}
      onWords={setWords}
      columns={columns}
      cli={{ list: `qiantang environment list -t ${scope.tenant}`, create: `qiantang environment create ${scope.tenant}/dev` }}
      api={asCurl(LIST, args)}
    >
      <Peek open={open !== undefined} onClose={() => change({ peek: "", do: "" })} title={open && <EnvTag name={open.name} protected_={open.protected} />} foot={open && <Button kind="primary" to={at({ tenant: scope.tenant, environment: open.name }, "home")}>{say("environments.open")}</Button>}>
        {open && <Details environment={open} />}
      </Peek>
      <Peek open={query.get("new") === "1"} onClose={() => change({ new: "" })} title={say("environments.new")}>
        <Named
          make={(name, title) => call("POST /api/v1/identity/tenants/{tenant}/environments", { path: { tenant: scope.tenant }, body: { name, title, protected: guarded } })}
          onMade={(name) => { change({ new: "", peek: name }); void navigate(`${at(scope, "environments")}?peek=${encodeURIComponent(name)}`); }}
          action={say("environments.make")}
          failed={say("environments.failed")}
          nameHint={say("environments.nameHint")}
        >
          <Field label={say("environments.publishing")} hint={say("environments.protectHint")}>
            {() => <Check checked={guarded} onChange={setGuarded}>{say("environments.protect")}</Check>}
          </Field>
        </Named>
      </Peek>
    </PlaceList>
  );
}

function Details({ environment }: { environment: Environment }): ReactNode {
  const say = useText("identity");
  const may = useMay();
  const [query, change] = useQueryStates();
  const path = { tenant: environment.tenant, environment: environment.name };
  const applications = useRead("GET /api/v1/identity/tenants/{tenant}/applications", { path: { tenant: environment.tenant }, query: { limit: 500 } });
  const work = useRead("GET /api/v1/work/{tenant}", { path: { tenant: environment.tenant }, query: { environment: environment.name, limit: 1 } });
  const known = work.data?.counts;
  const numbers = { applications: counted(applications.data), instances: known ? known.instances.toLocaleString("en-US") : say("unknown"), requests: known ? known.asked : say("unknown") };
  const protect = useDo(() => call(CHANGE, { path, body: { protected: !environment.protected } }));
  const remove = useDo(async () => {
    await call("DELETE /api/v1/identity/tenants/{tenant}/environments/{environment}", { path });
    change({ do: "", peek: "" });
  });
  const mayChange = may("identity.environment:update", path);
  const mayDelete = may("identity.environment:delete", path);
  const done = (): void => change({ do: "" });
  const deletable = mayDelete && !environment.protected;
  return (
    <div className="k-stack i-peek">
      <Facts
        items={[
          [say("environments.publishing"), say(environment.protected ? "environments.second" : "environments.atOnce")],
          [say("tenants.applications"), numbers.applications],
          [say("environments.instances"), numbers.instances],
          [say("made"), <Time key="made" at={environment.created_at} exact />],
        ]}
      />
      {mayChange && <Titled key={environment.title} before={environment.title} save={(title) => call(CHANGE, { path, body: { title } })} onDone={() => {}} />}
      <Section title={say("environments.protection")}>
        <div className="k-stack">
          <p>{say(environment.protected ? "environments.isProtected" : "environments.isOpen")}</p>
          <span><Button icon={environment.protected ? "unlock" : "shield"} kind={environment.protected ? "danger" : "default"} disabled={!mayChange} reason={say("needs", { permission: "identity.environment:update" })} onClick={() => change({ do: "protect" })}>{say(environment.protected ? "environments.unprotect" : "environments.protectName", { name: environment.name })}</Button></span>
        </div>
      </Section>
      <Section title={say("environments.delete")}>
        <div className="k-stack">
          {environment.protected && <StatusTag hue="idle">{say("environments.firstUnprotect")}</StatusTag>}
          <span><Button kind="danger" disabled={!deletable} reason={environment.protected ? say("environments.firstUnprotect") : say("needs", { permission: "identity.environment:delete" })} onClick={() => change({ do: "delete" })}>{say("environments.deleteName", { name: environment.name })}</Button></span>
        </div>
      </Section>
      <Confirm
        open={query.get("do") === "protect"}
        onClose={done}
        onConfirm={() => protect.mutate(undefined, { onSuccess: done })}
        kind={environment.protected ? "production" : "primary"}
        title={say(environment.protected ? "environments.unprotect" : "environments.protectName", { name: environment.name })}
        consequence={<strong>{say(environment.protected ? "environments.unprotectConsequence" : "environments.protectConsequence", { ...numbers, name: environment.name })}</strong>}
        action={say(environment.protected ? "environments.unprotect" : "environments.protectName", { name: environment.name })}
        {...(environment.protected ? { typed: environment.name } : {})}
        busy={protect.isPending}
        error={protect.error && <ErrorState failure={failureOf(protect.error, say("estate.unchanged"))} />}
      >
        <p>{say("environments.protectHint")}</p>
      </Confirm>
      <Confirm
        open={query.get("do") === "delete" && deletable}
        onClose={done}
        onConfirm={() => remove.mutate(undefined)}
        title={say("environments.deleteName", { name: environment.name })}
        consequence={<strong>{say("environments.deleteConsequence", { ...numbers, name: environment.name })}</strong>}
        action={say("environments.deleteName", { name: environment.name })}
        typed={environment.name}
        busy={remove.isPending}
        error={remove.error && <ErrorState failure={failureOf(remove.error, say("estate.notDeleted"))} />}
      >
        <p>{say("environments.deleteText")}</p>
      </Confirm>
    </div>
  );
}
