import type { ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, call, failureOf, useDo, usePages, useRead, type Tenant } from "../api";
import { Button, CommandLine, Confirm, ErrorState, Facts, Peek, Ref, SavedViews, Section, StatusTag, Time, type Column } from "../kit";
import { at, Marked, useLate, useMay, useQueryState, useQueryStates, useText } from "../shell";
import { Named, Titled } from "./Estate";
import { counted } from "./operations";
import { PlaceList } from "./PlaceList";
import "./identity.css";

const LIST = "GET /api/v1/identity/tenants";
const CHANGE = "PATCH /api/v1/identity/tenants/{tenant}";
const home = (tenant: string, page = "home"): string => at({ tenant, environment: "" }, page);

/** The tenants of the platform. */
export function Tenants(): ReactNode {
  const say = useText("identity");
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const late = useLate(words, 200);
  const args = { query: { words: late, limit: 200 } };
  const found = usePages(LIST, args);
  const open = found.rows?.find((row) => row.name === query.get("peek"));
  const columns: Column<Tenant>[] = [
    { key: "name", title: say("estate.name"), names: true, width: 240, render: (row) => <Ref mono name={<Marked text={row.name} words={late} />} title={row.name} to={home(row.name)} /> },
    { key: "title", title: say("estate.titleLabel"), width: 320, render: (row) => <bdi className="k-ellipsis" title={row.title}>{row.title ? <Marked text={row.title} words={late} /> : "—"}</bdi> },
    { key: "state", title: say("users.state"), width: 140, render: (row) => <TenantState tenant={row} /> },
    { key: "made", title: say("made"), width: 140, align: "right", render: (row) => <Time at={row.created_at} /> },
  ];
  return (
    <PlaceList
      what="tenants"
      kind="tenant"
      where={{ tenant: "*" }}
      found={found}
      words={words}
      onWords={setWords}
      columns={columns}
      cli={{ list: "qiantang tenant list", create: "qiantang tenant create NAME" }}
      api={asCurl(LIST, args)}
      right={<SavedViews name="tenants" query={query.toString()} onOpen={(saved) => void navigate(`?${saved}`)} />}
    >
      <Peek open={open !== undefined} onClose={() => change({ peek: "" })} title={<span className="k-mono">{open?.name}</span>} foot={open && <Button kind="primary" to={home(open.name)}>{say("tenants.open")}</Button>}>
        {open && <Details tenant={open} />}
      </Peek>
      <Peek open={query.get("new") === "1"} onClose={() => change({ new: "" })} title={say("tenants.new")}>
        <Named
          make={(name, title) => call("POST /api/v1/identity/tenants", { body: { name, title } })}
          onMade={(name) => void navigate(home(name, "environments"))}
          action={say("tenants.make")}
          failed={say("tenants.failed")}
          nameHint={say("tenants.nameHint")}
        />
      </Peek>
    </PlaceList>
  );
}

function TenantState({ tenant }: { tenant: Tenant }): ReactNode {
  const say = useText("identity");
  return <StatusTag hue={tenant.disabled ? "idle" : "ok"}>{say(tenant.disabled ? "user.disabled" : "user.enabled")}</StatusTag>;
}

/** A tenant beside the list: what is in it, its title, and disabling it. */
function Details({ tenant }: { tenant: Tenant }): ReactNode {
  const say = useText("identity");
  const may = useMay();
  const [query, change] = useQueryStates();
  const path = { tenant: tenant.name };
  const environments = useRead("GET /api/v1/identity/tenants/{tenant}/environments", { path, query: { limit: 500 } });
  const applications = useRead("GET /api/v1/identity/tenants/{tenant}/applications", { path, query: { limit: 500 } });
  const users = useRead("GET /api/v1/identity/tenants/{tenant}/users", { path, query: { limit: 500 } });
  const numbers = { environments: counted(environments.data), applications: counted(applications.data), users: counted(users.data) };
  const toggle = useDo(() => call(CHANGE, { path, body: { disabled: !tenant.disabled } }));
  const mayChange = may("identity.tenant:update", path);
  const asking = query.get("do") === "state";
  return (
    <div className="k-stack i-peek">
      <Facts
        items={[
          [say("users.state"), <TenantState key="state" tenant={tenant} />],
          [say("environments.title"), <Ref key="environments" name={numbers.environments} to={home(tenant.name, "environments")} />],
          [say("tenants.applications"), <Ref key="applications" name={numbers.applications} to={home(tenant.name, "apps")} />],
          [say("users.title"), <Ref key="users" name={numbers.users} to={home(tenant.name, "users")} />],
          [say("made"), <Time key="made" at={tenant.created_at} exact />],
        ]}
      />
      {mayChange && <Titled key={tenant.title} before={tenant.title} save={(title) => call(CHANGE, { path, body: { title } })} onDone={() => {}} />}
      <Section title={say(tenant.disabled ? "user.enable" : "user.disable")}>
        <Button kind={tenant.disabled ? "default" : "danger"} disabled={!mayChange} reason={say("needs", { permission: "identity.tenant:update" })} onClick={() => change({ do: "state" })}>
          {say(tenant.disabled ? "tenants.enable" : "tenants.disable")}
        </Button>
      </Section>
      <Confirm
        open={asking}
        onClose={() => change({ do: "" })}
        onConfirm={() => toggle.mutate(undefined, { onSuccess: () => change({ do: "" }) })}
        kind={tenant.disabled ? "primary" : "danger"}
        title={say(tenant.disabled ? "user.enableTitle" : "user.disableTitle", { name: tenant.name })}
        consequence={<strong>{say(tenant.disabled ? "tenants.enableConsequence" : "tenants.disableConsequence", numbers)}</strong>}
        action={say(tenant.disabled ? "user.enableName" : "user.disableName", { name: tenant.name })}
        {...(tenant.disabled ? {} : { typed: tenant.name })}
        busy={toggle.isPending}
        error={toggle.error && <ErrorState failure={failureOf(toggle.error, say("estate.unchanged"))} />}
      >
        {!tenant.disabled && <p>{say("tenants.disableText")}</p>}
        <CommandLine line={`qiantang tenant update ${tenant.name} ${tenant.disabled ? "--enabled" : "--disabled"}`} />
      </Confirm>
    </div>
  );
}
