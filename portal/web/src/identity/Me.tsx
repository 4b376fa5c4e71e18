import { useState, type ReactNode } from "react";
import { asCurl, call, failureOf, useDo, useRead, type AccessToken, type HeldRole, type IssuedAccessToken, type SessionInfo } from "../api";
import { Button, Confirm, Copy, DataTable, Empty, ErrorState, Facts, Field, FilterBar, ManyChoice, Note, NumberInput, PageHead, Peek, Pick, Ref, StatusTag, Tabs, TextInput, Time, type Column } from "../kit";
import { useMe, usePage, useQueryState, useQueryStates, useText, useWhose } from "../shell";
import { PlaceChoice } from "./Choosers";
import { Failed } from "./Failed";
import { Pattern } from "./GrantParts";
import { Matrix } from "./Matrix";
import { shortPattern, usePermissions } from "./people";
import { Password } from "./Password";
import { Why } from "./Why";
import "./identity.css";

const TABS = ["access", "sessions", "tokens", "password"] as const;

/** My own pages: one head, and a tab for each. */
function Mine({ tab, children, actions }: { tab: (typeof TABS)[number]; children: ReactNode; actions?: ReactNode }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const me = useMe();
  return (
    <>
      <PageHead crumbs={[{ label: say("me.title") }]} title={me.name} mono tags={<span className="k-quiet">{me.tenant || say("users.ofPlatform")}</span>} actions={actions} />
      <Tabs label={say("me.title")} active={tab} items={TABS.map((key) => ({ key, label: say(`me.${key}`), to: whose.to("me", key) }))} />
      {children}
    </>
  );
}

/** What I may do, and why. */
export function Access(): ReactNode {
  const say = useText("identity");
  const me = useMe();
  const whose = useWhose();
  const [mode] = useQueryState("show", "held");
  const [words] = useQueryState("words");
  const [query, change] = useQueryStates();
  const permissions = usePermissions();
  const operation = "GET /api/v1/identity/me";
  const found = useRead(operation);
  const roles = found.data?.roles;
  usePage({ title: say("me.access"), api: asCurl(operation, {}), readAt: found.dataUpdatedAt });
  const key = (row: HeldRole): string => `${row.role} ${row.pattern}`;
  const open = roles?.find((row) => key(row) === query.get("peek"));
  const columns: Column<HeldRole>[] = [
    { key: "role", title: say("grants.role"), names: true, width: 220, render: (row) => <Ref mono name={row.role} to={whose.to("roles", row.role)} /> },
    { key: "pattern", title: say("grants.pattern"), width: 300, render: (row) => <Pattern pattern={row.pattern} /> },
    { key: "count", title: say("roles.permissions"), width: 140, align: "right", render: (row) => (permissions ? `${row.permissions.length} / ${permissions.length}` : row.permissions.length) },
  ];
  return (
    <Mine tab="access">
      <FilterBar right={roles && say("me.holds", { count: roles.length })}>
        <Pick label={say("me.access")} value={mode === "why" ? "why" : "held"} onChange={(show) => change({ show: show === "why" ? show : "", peek: "" })} options={[{ value: "held", label: say("me.held") }, { value: "why", label: say("me.why") }]} />
      </FilterBar>
      {mode === "why" ? (
        <Why user={me.id} name={me.name} mine />
      ) : found.error && !roles ? (
        <Failed error={found.error} what={say("me.access")} needs="—" again={() => void found.refetch()} />
      ) : (
        <DataTable
          label={say("me.access")}
          name="my-access"
          rows={roles}
          rowKey={key}
          columns={columns}
          onOpen={(row) => change({ peek: key(row) })}
          openKey={open && key(open)}
          empty={<Empty title={say("me.nothing")}>{say("me.nothingText")}</Empty>}
        />
      )}
      <Peek open={open !== undefined} onClose={() => change({ peek: "" })} title={<code>{open?.role}</code>} width={720}>
        {open && (
          <div className="k-stack">
            <Facts items={[[say("grants.pattern"), <code key="pattern">{open.pattern}</code>], [say("roles.permissions"), open.permissions.length]]} />
            {permissions && <Matrix permissions={permissions} lines={open.permissions} words={words} />}
          </div>
        )}
      </Peek>
    </Mine>
  );
}

/** The browsers that are signed in as me. */
export function Sessions(): ReactNode {
  const say = useText("identity");
  const operation = "GET /api/v1/identity/sessions";
  const found = useRead(operation);
  const [ending, setEnding] = useState<SessionInfo>();
  const end = useDo((session: string) => call("DELETE /api/v1/identity/sessions/{session}", { path: { session } }));
  usePage({ title: say("me.sessions"), cli: "qiantang session list", api: asCurl(operation, {}), readAt: found.dataUpdatedAt });
  const columns: Column<SessionInfo>[] = [
    { key: "agent", title: say("sessions.browser"), names: true, width: 340, render: (row) => <span className="k-row"><span className="k-ellipsis" title={row.agent}>{browserOf(row.agent) || say("unknown")}</span>{row.current && <StatusTag hue="ok">{say("sessions.this")}</StatusTag>}</span> },
    { key: "address", title: say("sessions.address"), width: 160, render: (row) => <code>{row.address || "—"}</code> },
    { key: "seen", title: say("sessions.seen"), width: 130, render: (row) => <Time at={row.seen_at} /> },
    { key: "expires", title: say("sessions.expires"), width: 130, render: (row) => <Time at={row.expires_at} /> },
    { key: "made", title: say("sessions.began"), width: 130, align: "right", render: (row) => <Time at={row.created_at} /> },
    { key: "end", title: "", width: 100, align: "right", render: (row) => <Button size="small" kind="quiet" onClick={() => setEnding(row)}>{say("sessions.end")}</Button> },
  ];
  return (
    <Mine tab="sessions">
      {found.error && !found.data ? (
        <ErrorState failure={failureOf(found.error, say("unreadable", { what: say("me.sessions") }))} onRetry={() => void found.refetch()} />
      ) : (
        <DataTable label={say("me.sessions")} name="sessions" rows={found.data?.items} rowKey={(row) => row.id} columns={columns} empty={<Empty title={say("sessions.none")} />} />
      )}
      <Confirm
        open={ending !== undefined}
        onClose={() => setEnding(undefined)}
        onConfirm={() => ending && end.mutate(ending.id, { onSuccess: () => { if (ending.current) window.location.reload(); setEnding(undefined); } })}
        title={say("sessions.endTitle")}
        consequence={<strong>{say(ending?.current ? "sessions.endThis" : "sessions.endOther", { browser: browserOf(ending?.agent ?? "") || say("unknown"), address: ending?.address })}</strong>}
        action={say("sessions.end")}
        busy={end.isPending}
        error={end.error && <ErrorState failure={failureOf(end.error, say("sessions.notEnded"))} />}
      />
    </Mine>
  );
}

/** A browser's name as people say it; what is not known is shown as it came. */
function browserOf(agent: string): string {
  const name = /Edg\//.test(agent) ? "Edge" : /OPR\//.test(agent) ? "Opera" : /Firefox\//.test(agent) ? "Firefox" : /HeadlessChrome\//.test(agent) ? "Headless Chrome" : /Chrome\//.test(agent) ? "Chrome" : /Safari\//.test(agent) ? "Safari" : "";
  const system = /Windows/.test(agent) ? "Windows" : /iPhone|iPad/.test(agent) ? "iOS" : /Mac OS X/.test(agent) ? "macOS" : /Android/.test(agent) ? "Android" : /Linux/.test(agent) ? "Linux" : "";
  return name ? [name, system].filter(Boolean).join(" · ") : agent;
}

/** What I gave to my programs. */
export function Tokens(): ReactNode {
  const say = useText("identity");
  const operation = "GET /api/v1/identity/tokens";
  const found = useRead(operation);
  const [query, change] = useQueryStates();
  const [issued, setIssued] = useState<IssuedAccessToken>();
  const [ending, setEnding] = useState<AccessToken>();
  const end = useDo((token: string) => call("DELETE /api/v1/identity/tokens/{token}", { path: { token } }));
  const make = (): void => change({ new: "1" });
  const open = found.data?.items.find((row) => row.id === query.get("peek"));
  usePage({ title: say("me.tokens"), cli: "qiantang token list", api: asCurl(operation, {}), readAt: found.dataUpdatedAt, actions: [{ key: "new", label: say("tokens.new"), keys: "c", run: make }] });
  const columns: Column<AccessToken>[] = [
    { key: "name", title: say("estate.name"), names: true, width: 220, render: (row) => <bdi className="k-ellipsis" title={row.name}>{row.name}</bdi> },
    { key: "permissions", title: say("roles.permissions"), width: 240, render: (row) => <code className="k-ellipsis" title={row.permissions.join(" ")}>{row.permissions.join(" ")}</code> },
    { key: "pattern", title: say("grants.pattern"), width: 170, render: (row) => <Pattern pattern={row.pattern} /> },
    { key: "used", title: say("credentials.used"), width: 120, render: (row) => <Time at={row.last_used_at} /> },
    { key: "expires", title: say("credentials.expires"), width: 130, render: (row) => <StatusTag hue={row.expires_at < Date.now() ? "idle" : row.expires_at < Date.now() + 7 * 86_400_000 ? "warn" : "ok"}><Time at={row.expires_at} /></StatusTag> },
    { key: "made", title: say("made"), width: 120, align: "right", render: (row) => <Time at={row.created_at} /> },
    { key: "end", title: "", width: 100, align: "right", render: (row) => <Button size="small" kind="quiet" onClick={() => setEnding(row)}>{say("tokens.delete")}</Button> },
  ];
  return (
    <Mine tab="tokens" actions={<Button kind="primary" icon="plus" keys="C" onClick={make}>{say("tokens.new")}</Button>}>
      {found.error && !found.data ? (
        <ErrorState failure={failureOf(found.error, say("unreadable", { what: say("me.tokens") }))} onRetry={() => void found.refetch()} />
      ) : (
        <DataTable
          label={say("me.tokens")}
          name="tokens"
          rows={found.data?.items}
          rowKey={(row) => row.id}
          rowName={(row) => row.name}
          columns={columns}
          onOpen={(row) => change({ peek: row.id })}
          openKey={open?.id}
          empty={<Empty title={say("tokens.none")} actions={<Button kind="primary" icon="plus" onClick={make}>{say("tokens.new")}</Button>} cli="qiantang token create NAME">{say("tokens.noneText")}</Empty>}
        />
      )}
      <Peek open={open !== undefined} onClose={() => change({ peek: "" })} title={<bdi>{open?.name}</bdi>}>
        {open && (
          <Facts
            items={[
              [say("credentials.id"), <span key="id"><code>{open.id}</code> <Copy text={open.id} /></span>],
              [say("roles.permissions"), <code key="permissions">{open.permissions.join(" ")}</code>],
              [say("grants.pattern"), <code key="pattern">{open.pattern}</code>],
              [say("credentials.used"), <Time key="used" at={open.last_used_at} />],
              [say("credentials.expires"), <Time key="expires" at={open.expires_at} exact />],
              [say("made"), <Time key="made" at={open.created_at} exact />],
            ]}
          />
        )}
      </Peek>
      <Peek open={issued !== undefined || query.get("new") === "1"} onClose={() => { setIssued(undefined); change({ new: "" }); }} title={say(issued ? "tokens.madeTitle" : "tokens.new")} width={520}>
        {issued ? <ShownOnce issued={issued} /> : <NewToken onMade={(made) => { setIssued(made); change({ new: "" }); }} />}
      </Peek>
      <Confirm
        open={ending !== undefined}
        onClose={() => setEnding(undefined)}
        onConfirm={() => ending && end.mutate(ending.id, { onSuccess: () => setEnding(undefined) })}
        title={say("tokens.deleteTitle", { name: ending?.name })}
        consequence={<strong>{say("tokens.deleteConsequence")}</strong>}
        action={say("tokens.deleteTitle", { name: ending?.name })}
        busy={end.isPending}
        error={end.error && <ErrorState failure={failureOf(end.error, say("estate.notDeleted"))} />}
      >
        <p>{ending?.last_used_at ? <>{say("credentials.usedLast")} <Time at={ending.last_used_at} />.</> : say("credentials.neverUsed")}</p>
      </Confirm>
    </Mine>
  );
}

function ShownOnce({ issued }: { issued: IssuedAccessToken }): ReactNode {
  const say = useText("identity");
  const line = `export QIANTANG_TOKEN=${issued.token}`;
  return (
    <div className="i-secret">
      <Note hue="warn" title={say("tokens.once")}>{say("credentials.onceText")}</Note>
      <Copy text={issued.token}>{say("tokens.copy")}</Copy>
      <pre tabIndex={0} aria-label={say("tokens.madeTitle")}>{issued.token}</pre>
      <Copy text={line}>{say("tokens.copyLine")}</Copy>
      <pre tabIndex={0} aria-label={say("tokens.copyLine")}>{line}</pre>
      <Facts items={[[say("grants.pattern"), <code key="pattern">{shortPattern(issued.info.pattern)}</code>], [say("credentials.expires"), <Time key="expires" at={issued.info.expires_at} exact />]]} />
    </div>
  );
}

function NewToken({ onMade }: { onMade: (made: IssuedAccessToken) => void }): ReactNode {
  const say = useText("identity");
  const me = useMe();
  const permissions = usePermissions();
  const [name, setName] = useState("");
  const [days, setDays] = useState<number | null>(30);
  const [lines, setLines] = useState<string[]>([]);
  const [pattern, setPattern] = useState(me.tenant || "*");
  const [tried, setTried] = useState(false);
  const make = useDo(() => call("POST /api/v1/identity/tokens", { body: { name: name.trim(), lifetime_days: days ?? 30, permissions: lines.length > 0 ? lines : ["*:*"], pattern } }));
  const held = new Set(me.roles.flatMap((role) => role.permissions));
  const options = (permissions ?? []).filter((one) => held.has(one.name) || held.has("*:*")).map((one) => ({ value: one.name, label: one.name, text: one.meaning }));
  return (
    <form onSubmit={(event) => { event.preventDefault(); setTried(true); if (name.trim() && days) make.mutate(undefined, { onSuccess: onMade }); }}>
      <Field label={say("estate.name")} hint={say("tokens.nameHint")} error={tried && !name.trim() ? say("tokens.nameMissing") : undefined} required>{(ids) => <TextInput {...ids} value={name} onChange={setName} maxLength={64} autoFocus />}</Field>
      <Field label={say("tokens.lifetime")} hint={say("tokens.lifetimeHint")} required>{(ids) => <NumberInput {...ids} value={days} onChange={setDays} min={1} max={366} unit={say("tokens.days")} />}</Field>
      <Field label={say("roles.permissions")} hint={say("tokens.permissionsHint")}>{(ids) => <ManyChoice {...ids} free value={lines} onChange={setLines} options={options} placeholder={say("tokens.all")} />}</Field>
      <PlaceChoice tenant={me.tenant} value={pattern} onChange={setPattern} />
      {make.error && <ErrorState failure={failureOf(make.error, say("tokens.failed"))} />}
      <Button kind="primary" type="submit" busy={make.isPending}>{say("tokens.make")}</Button>
    </form>
  );
}

/** My own password. */
export function OwnPassword(): ReactNode {
  const say = useText("identity");
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [tried, setTried] = useState(false);
  const save = useDo(() => call("POST /api/v1/identity/me/password", { body: { current, new: next } }), []);
  const weak = save.error?.code === "identity.weak_password" ? save.error : null;
  usePage({ title: say("me.password"), cli: "qiantang password" });
  const done = (): void => {
    setCurrent("");
    setNext("");
    setTried(false);
  };
  return (
    <Mine tab="password">
      <form className="i-form" onSubmit={(event) => { event.preventDefault(); setTried(true); if (current && next) save.mutate(undefined, { onSuccess: done }); }}>
        <p className="i-lead">{say("password.ends")}</p>
        <Field label={say("password.current")} error={tried && !current ? say("password.missing") : undefined} required>
          {(ids) => <TextInput {...ids} password value={current} onChange={setCurrent} maxLength={256} autoComplete="current-password" />}
        </Field>
        <Password label={say("password.new")} hint={say("password.hint")} value={next} onChange={(value) => { setNext(value); save.reset(); }} missing={tried && !next} weak={weak} />
        {save.error && !weak && <ErrorState failure={failureOf(save.error, say("password.failed"))} />}
        {save.isSuccess && <Note hue="ok">{say("password.changed")}</Note>}
        <p className="i-submit"><Button kind="primary" type="submit" busy={save.isPending}>{say("password.change")}</Button></p>
      </form>
    </Mine>
  );
}
