import { useState, type ReactNode } from "react";
import { asCurl, call, failureOf, quoted, useDo, useRead, type Credential, type IssuedCredential } from "../api";
import { Button, Confirm, Copy, DataTable, Empty, ErrorState, Facts, Field, FilterBar, Moment, Note, Peek, Pick, StatusTag, TextInput, Time, type Column } from "../kit";
import { flagsOf, useIsProduction, useMay, usePage, useQueryStates, useScope, useText } from "../shell";
import { Failed } from "./Failed";
import "./identity.css";

const LIST = "GET /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials";
const MAKE = "POST /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials";
const ROTATE = "POST /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials/{credential}/rotate";
const REVOKE = "DELETE /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}/environments/{environment}/credentials/{credential}";
const MOST = 2;
const HOUR = 3600;

/** What an application proves itself with in an environment: two may be active, so that it is changed without a gap. */
export default function Credentials(): ReactNode {
  const say = useText("identity");
  const scope = useScope();
  const may = useMay();
  const [query, change] = useQueryStates();
  const [issued, setIssued] = useState<IssuedCredential>();
  const found = useRead(LIST, { path: scope }, { enabled: scope.environment !== "" });
  const rows = found.data?.items;
  const active = rows?.filter((one) => one.active).length ?? 0;
  const production = useIsProduction();
  const mayMake = may("identity.credential:create", scope);
  const mayEnd = may("identity.credential:delete", scope);
  const full = active >= MOST;
  const lacks = full ? say("credentials.full") : say("needs", { permission: "identity.credential:create" });
  const open = rows?.find((one) => one.id === query.get("peek"));
  const act = query.get("do") ?? "";
  const make = (): void => change({ do: "new", peek: "" });
  const close = (): void => change({ do: "", peek: "" });
  usePage({
    title: `${scope.application} · ${say("credentials.tab")}`,
    cli: `qiantang credential list ${flagsOf(scope)}`,
    api: asCurl(LIST, { path: scope }),
    readAt: found.dataUpdatedAt,
    actions: mayMake && !full ? [{ key: "new", label: say("credentials.new"), keys: "c", run: make }] : [],
  });
  if (found.error && !rows) return <Failed error={found.error} what={say("credentials.tab")} needs="identity.credential:list" again={() => void found.refetch()} />;
  const columns: Column<Credential>[] = [
    { key: "id", title: say("credentials.id"), names: true, width: 270, render: (row) => <span className="k-row"><code className="k-ellipsis" title={row.id}>{row.id}</code><Copy text={row.id} /></span> },
    { key: "title", title: say("estate.titleLabel"), width: 180, render: (row) => <bdi className="k-ellipsis" title={row.title}>{row.title || "—"}</bdi> },
    { key: "state", title: say("users.state"), width: 180, render: (row) => <CredentialState credential={row} /> },
    { key: "used", title: say("credentials.used"), width: 130, render: (row) => <Time at={row.last_used_at} /> },
    { key: "by", title: say("credentials.by"), width: 130, render: (row) => <span className="k-ellipsis">{row.created_by || "—"}</span> },
    { key: "made", title: say("made"), width: 120, align: "right", render: (row) => <Time at={row.created_at} /> },
    {
      key: "act",
      title: "",
      width: 170,
      align: "right",
      render: (row) =>
        row.active && (
          <span className="k-row">
            <Button size="small" kind="quiet" disabled={!mayMake} reason={say("needs", { permission: "identity.credential:create" })} onClick={() => change({ peek: row.id, do: "rotate" })}>{say("credentials.rotate")}</Button>
            <Button size="small" kind="quiet" disabled={!mayEnd} reason={say("needs", { permission: "identity.credential:delete" })} onClick={() => change({ peek: row.id, do: "revoke" })}>{say("credentials.revoke")}</Button>
          </span>
        ),
    },
  ];
  return (
    <>
      <FilterBar right={<Button kind={production ? "production" : "primary"} icon="plus" keys="C" disabled={!mayMake || full} reason={lacks} onClick={make}>{say("credentials.new")}</Button>}>
        <span className="k-quiet">{rows && say("credentials.count", { count: active })}</span>
      </FilterBar>
      <DataTable
        label={say("credentials.tab")}
        name="credentials"
        rows={rows}
        rowKey={(row) => row.id}
        columns={columns}
        onOpen={(row) => change({ peek: row.id, do: "" })}
        openKey={open?.id}
        empty={
          <Empty title={say("credentials.none", { name: scope.application, environment: scope.environment })} actions={<Button kind="primary" icon="plus" disabled={!mayMake} reason={lacks} onClick={make}>{say("credentials.new")}</Button>} cli={`qiantang credential create ${flagsOf(scope)}`}>
            {say("credentials.noneText")}
          </Empty>
        }
      />
      <Peek open={open !== undefined && act === ""} onClose={close} title={<code>{open?.id.slice(0, 12)}…</code>}>
        {open && (
          <Facts
            items={[
              [say("credentials.id"), <span key="id"><code>{open.id}</code> <Copy text={open.id} /></span>],
              [say("estate.titleLabel"), <bdi key="title">{open.title || "—"}</bdi>],
              [say("users.state"), <CredentialState key="state" credential={open} />],
              [say("credentials.used"), <Time key="used" at={open.last_used_at} />],
              [say("credentials.expires"), open.expires_at ? <Time key="expires" at={open.expires_at} exact /> : say("credentials.never")],
              [say("credentials.by"), open.created_by || "—"],
              [say("made"), <Time key="made" at={open.created_at} exact />],
            ]}
          />
        )}
      </Peek>
      <Peek open={issued !== undefined || act === "new"} onClose={() => { setIssued(undefined); close(); }} title={say(issued ? "credentials.madeTitle" : "credentials.new")} width={560}>
        {issued ? <Issued issued={issued} /> : <NewCredential onMade={(made) => { setIssued(made); close(); }} />}
      </Peek>
      {open && act === "rotate" && <Rotate credential={open} full={full} onClose={close} onDone={(made) => { setIssued(made); close(); }} />}
      {open && act === "revoke" && <Revoke credential={open} last={active === 1} onClose={close} />}
    </>
  );
}

function CredentialState({ credential }: { credential: Credential }): ReactNode {
  const say = useText("identity");
  if (credential.revoked_at) return <StatusTag hue="idle">{say("credentials.revoked")} <Time at={credential.revoked_at} /></StatusTag>;
  if (!credential.active) return <StatusTag hue="idle">{say("credentials.ended")} <Time at={credential.expires_at} /></StatusTag>;
  if (credential.expires_at) return <StatusTag hue="warn">{say("credentials.ends")} <Time at={credential.expires_at} /></StatusTag>;
  return <StatusTag hue="ok">{say("credentials.active")}</StatusTag>;
}

function NewCredential({ onMade }: { onMade: (made: IssuedCredential) => void }): ReactNode {
  const say = useText("identity");
  const scope = useScope();
  const [title, setTitle] = useState("");
  const [expires, setExpires] = useState<number | null>(null);
  const make = useDo(() => call(MAKE, { path: scope, body: { title, expires_at: expires ?? 0 } }));
  return (
    <form onSubmit={(event) => { event.preventDefault(); make.mutate(undefined, { onSuccess: onMade }); }}>
      <p className="i-lead">{say("credentials.for")} <code>{scope.environment}/{scope.center}/{scope.application}</code></p>
      <Field label={say("estate.titleLabel")} hint={say("credentials.titleHint")}>{(ids) => <TextInput {...ids} value={title} onChange={setTitle} maxLength={128} autoFocus />}</Field>
      <Field label={say("credentials.expires")} hint={say("credentials.expiresHint")}>{(ids) => <Moment {...ids} value={expires} onChange={setExpires} min={Date.now()} />}</Field>
      {make.error && <ErrorState failure={failureOf(make.error, say("credentials.failed"))} />}
      <Button kind="primary" type="submit" busy={make.isPending}>{say("credentials.make")}</Button>
    </form>
  );
}

/** A new credential with its secret, this once: as an application reads it from its environment. */
function Issued({ issued }: { issued: IssuedCredential }): ReactNode {
  const say = useText("identity");
  const [form, setForm] = useState<"env" | "dotenv">("env");
  const values: [string, string][] = [
    ["SERVERS", new URL(document.baseURI).href.replace(/\/$/, "")],
    ["TENANT", issued.scope.tenant],
    ["ENVIRONMENT", issued.scope.environment],
    ["CENTER", issued.scope.center],
    ["APPLICATION", issued.scope.application],
    ["CREDENTIAL", issued.id],
    ["SECRET", issued.secret],
  ];
  const text = values.map(([name, value]) => (form === "env" ? `export QIANTANG_CLIENT_${name}=${quoted(value)}` : `QIANTANG_CLIENT_${name}=${value}`)).join("\n");
  return (
    <div className="i-secret">
      <Note hue="warn" title={say("credentials.once")}>{say("credentials.onceText")}</Note>
      <span className="k-row">
        <Pick label={say("credentials.form")} value={form} onChange={setForm} options={[{ value: "env", label: say("credentials.shell") }, { value: "dotenv", label: say("credentials.dotenv") }]} />
        <Copy text={text}>{say("credentials.copyAll")}</Copy>
      </span>
      <pre tabIndex={0} aria-label={say("credentials.form")}>{text}</pre>
      <Facts
        items={[
          [say("credentials.id"), <span key="id"><code>{issued.id}</code> <Copy text={issued.id} /></span>],
          [say("credentials.secret"), <span key="secret"><code>{issued.secret}</code> <Copy text={issued.secret} /></span>],
          [say("credentials.expires"), issued.expires_at ? <Time key="expires" at={issued.expires_at} exact /> : say("credentials.never")],
        ]}
      />
    </div>
  );
}

/** Makes a second credential in the place of one that stays good for a while. */
function Rotate({ credential, full, onClose, onDone }: { credential: Credential; full: boolean; onClose: () => void; onDone: (made: IssuedCredential) => void }): ReactNode {
  const say = useText("identity");
  const scope = useScope();
  const production = useIsProduction();
  const [overlap, setOverlap] = useState("24");
  const hours = Number(overlap);
  const rotate = useDo(() => call(ROTATE, { path: { ...scope, credential: credential.id }, body: { overlap_seconds: hours * HOUR } }));
  return (
    <Confirm
      open
      onClose={onClose}
      onConfirm={() => rotate.mutate(undefined, { onSuccess: onDone })}
      kind={production ? "production" : "primary"}
      title={say("credentials.rotateTitle", { id: credential.id.slice(0, 12) })}
      consequence={<strong>{hours ? say("credentials.rotateConsequence", { count: hours }) : say("credentials.rotateNow")}</strong>}
      action={say("credentials.rotateAction")}
      busy={rotate.isPending}
      error={rotate.error && <ErrorState failure={failureOf(rotate.error, say("credentials.failed"))} />}
    >
      {full && <Note hue="warn">{say("credentials.full")}</Note>}
      <Field label={say("credentials.overlap")} hint={say("credentials.overlapHint")}>
        {() => <Pick label={say("credentials.overlap")} value={overlap} onChange={setOverlap} options={["0", "1", "24", "168", "720"].map((value) => ({ value, label: say(`credentials.hours${value}`) }))} />}
      </Field>
    </Confirm>
  );
}

function Revoke({ credential, last, onClose }: { credential: Credential; last: boolean; onClose: () => void }): ReactNode {
  const say = useText("identity");
  const scope = useScope();
  const production = useIsProduction();
  const revoke = useDo(() => call(REVOKE, { path: { ...scope, credential: credential.id } }));
  return (
    <Confirm
      open
      onClose={onClose}
      onConfirm={() => revoke.mutate(undefined, { onSuccess: onClose })}
      kind={production ? "production" : "danger"}
      title={say("credentials.revokeTitle", { id: credential.id.slice(0, 12) })}
      consequence={<strong>{say(last ? "credentials.revokeLast" : "credentials.revokeConsequence", { name: scope.application, environment: scope.environment })}</strong>}
      action={say("credentials.revokeAction")}
      typed={scope.application}
      busy={revoke.isPending}
      error={revoke.error && <ErrorState failure={failureOf(revoke.error, say("credentials.notRevoked"))} />}
    >
      <p>{credential.last_used_at ? <>{say("credentials.usedLast")} <Time at={credential.last_used_at} />. </> : `${say("credentials.neverUsed")} `}{say("credentials.noWayBack")}</p>
    </Confirm>
  );
}
