import { useState, type ReactNode } from "react";
import { useNavigate, useParams } from "react-router";
import { asCurl, call, failureOf, useDo, useRead, type Pages, type RoleGrant, type User as Account } from "../api";
import { Button, CommandLine, Confirm, DataTable, Empty, ErrorState, Field, Menu, PageHead, Pane, Panes, Peek, Reading, Section, Tabs, TextInput, type TabItem } from "../kit";
import { atPlatform, useMay, useMe, usePage, useQueryStates, useText, useWhose, GoOn } from "../shell";
import { Failed } from "./Failed";
import { GrantForm } from "./GrantForm";
import { GrantFacts, grantColumns, TakeBack } from "./GrantParts";
import { useGrants, useUser } from "./people";
import { Password } from "./Password";
import { UserFacts, UserState } from "./Users";
import { Why } from "./Why";
import { CHANGE_USER, DELETE_USER, USER } from "./operations";
import "./identity.css";

/** The hub of a person, who in a tenant may be one of the platform: his account, what he holds, and why he may do what he may. */
export function User(): ReactNode {
  const { user: key = "" } = useParams();
  const say = useText("identity");
  const whose = useWhose();
  const may = useMay();
  const { user, error, missing, again } = useUser(whose.tenant, key);
  const elsewhere = useRead("GET /api/v1/identity/users/{user}", { path: { user: key } }, { enabled: missing && whose.tenant !== "" && may("identity.user:read", { tenant: "*" }) });
  if (missing && elsewhere.data) return <GoOn to={atPlatform("users", elsewhere.data.id)} />;
  if (missing && elsewhere.isLoading) return <Reading />;
  if (missing) return <Empty title={say("user.missing", { name: key.slice(0, 80) })} actions={<Button to={whose.to("users")}>{say("users.all")}</Button>}>{say("user.missingText")}</Empty>;
  if (error && !user) return <Failed error={error} what={key} needs="identity.user:read" again={again} />;
  if (!user) return <Reading />;
  return <Hub user={user} />;
}

function Hub({ user }: { user: Account }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const may = useMay();
  const [query, change] = useQueryStates();
  const tab = query.get("tab") === "why" ? "why" : "grants";
  const granted = useGrants(whose.tenant, { user: user.id }, { enabled: may("identity.grant:list", whose.where) });
  const count = granted.more ? undefined : granted.rows?.length;
  const action = query.get("do") ?? "";
  const act = (name: string): void => change({ do: name });
  const mayGrant = may("identity.grant:grant", whose.where);
  const mayChange = may("identity.user:update", whose.where);
  const mayDelete = may("identity.user:delete", whose.where);
  const here = whose.to("users", user.id);
  const api = asCurl(USER(whose.tenant), { path: { tenant: whose.tenant, user: user.id } });
  usePage({
    title: user.name,
    cli: tab === "why" ? `qiantang user explain ${user.name} ${query.get("permission") ?? "PERMISSION"} ${query.get("at") ?? (whose.tenant || "'*'")} ${whose.flag}` : `qiantang user show ${user.name} ${whose.flag}`,
    api,
    readAt: granted.readAt,
    actions: [
      ...(mayGrant ? [{ key: "grant", label: say("user.grant"), keys: "c", run: () => act("grant") }] : []),
      ...(mayChange ? [{ key: "rename", label: say("user.rename"), keys: "e", run: () => act("rename") }, { key: "password", label: say("user.setPassword"), run: () => act("password") }, { key: "state", label: say(user.disabled ? "user.enable" : "user.disable"), run: () => act("state") }] : []),
      ...(mayDelete ? [{ key: "delete", label: say("user.delete"), run: () => act("delete") }] : []),
      { key: "why", label: say("user.why"), run: () => change({ tab: "why" }) },
    ],
  });
  const tabs: TabItem[] = [
    { key: "grants", label: say("user.grants"), to: here, count },
    { key: "why", label: say("user.why"), to: `${here}?tab=why` },
  ];
  const lacks = (permission: string): string => say("needs", { permission });
  return (
    <>
      <PageHead
        crumbs={[{ label: say(whose.tenant ? "users.title" : "users.platformTitle"), to: whose.to("users") }]}
        title={user.name}
        mono
        tags={<><UserState user={user} boxed /><bdi className="k-quiet k-ellipsis i-title">{user.title}</bdi></>}
        actions={
          <>
            <Button disabled={!mayChange} reason={lacks("identity.user:update")} icon="key" onClick={() => act("password")}>{say("user.setPassword")}</Button>
            <Button disabled={!mayChange} reason={lacks("identity.user:update")} onClick={() => act("state")}>{say(user.disabled ? "user.enable" : "user.disable")}</Button>
            <Menu
              label={say("actions")}
              items={[
                { key: "rename", label: say("user.rename"), icon: "edit", disabled: !mayChange, onSelect: () => act("rename") },
                "line",
                { key: "delete", label: say("user.delete"), danger: true, disabled: !mayDelete, onSelect: () => act("delete") },
              ]}
            />
            <Button kind="primary" icon="plus" keys="C" disabled={!mayGrant} reason={lacks("identity.grant:grant")} onClick={() => act("grant")}>{say("user.grant")}</Button>
          </>
        }
      />
      <Tabs label={user.name} items={tabs} active={tab} />
      <Panes>
        <Pane label={tab === "why" ? say("user.why") : say("user.grants")}>
          {tab === "why" ? <Why user={user.id} name={user.name} /> : <Held user={user} granted={granted} mayGrant={mayGrant} onGrant={() => act("grant")} />}
        </Pane>
        <Pane side="right" width={320} title={say("user.about")}>
          <div className="k-section"><UserFacts user={user} /></div>
          <Section title={say("user.trail")}>
            <Button size="small" icon="audit" to={`${whose.to("audit")}?actor=${user.id}`} disabled={!may("audit.record:list", whose.where)} reason={lacks("audit.record:list")}>{say("user.did")}</Button>{" "}
            <Button size="small" icon="history" to={`${whose.to("audit")}?resource=${encodeURIComponent(`identity/user/${user.id}`)}`} disabled={!may("audit.record:list", whose.where)} reason={lacks("audit.record:list")}>{say("user.happened")}</Button>
          </Section>
        </Pane>
      </Panes>
      <Peek open={action === "grant"} onClose={() => act("")} title={say("user.grantTo", { name: user.name })} width={520}>
        <GrantForm user={{ id: user.id, name: user.name }} onDone={() => act("")} />
      </Peek>
      <Actions user={user} action={action} count={count} onClose={() => act("")} />
    </>
  );
}

/** What he holds, with taking it back. */
function Held({ user, granted, mayGrant, onGrant }: { user: Account; granted: Pages<RoleGrant>; mayGrant: boolean; onGrant: () => void }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const may = useMay();
  const [query, change] = useQueryStates();
  const [taking, setTaking] = useState<RoleGrant>();
  const mayTake = may("identity.grant:delete", whose.where);
  const open = granted.rows?.find((one) => one.id === query.get("peek"));
  if (!may("identity.grant:list", whose.where)) return <Empty title={say("user.grantsHidden")}>{say("needs", { permission: "identity.grant:list" })}</Empty>;
  if (granted.error && !granted.rows) return <Failed error={granted.error} what={say("user.grants")} needs="identity.grant:list" again={granted.again} />;
  const takeBack = (row: RoleGrant): ReactNode => <Button size="small" kind="quiet" disabled={!mayTake} reason={say("needs", { permission: "identity.grant:delete" })} onClick={() => setTaking(row)}>{say("grants.take")}</Button>;
  return (
    <>
      <DataTable
        label={say("user.grants")}
        name="user-grants"
        rows={granted.rows}
        rowKey={(row) => row.id}
        rowName={(row) => row.role}
        columns={[...grantColumns(say, whose.to, false), { key: "take", title: "", width: 100, align: "right", render: takeBack }]}
        onOpen={(row) => change({ peek: row.id })}
        openKey={open?.id}
        empty={
          <Empty
            title={say("user.nothing", { name: user.name })}
            actions={<Button kind="primary" icon="plus" disabled={!mayGrant} reason={say("needs", { permission: "identity.grant:grant" })} onClick={onGrant}>{say("user.grant")}</Button>}
            cli={`qiantang grant add ${user.name} viewer ${whose.tenant || "'*'"}${whose.tenant ? "" : " --platform"}`}
          >
            {say("user.nothingText")}
          </Empty>
        }
        onMore={granted.more}
        loadingMore={granted.loadingMore}
      />
      <Peek open={open !== undefined} onClose={() => change({ peek: "" })} title={<code>{open?.role}</code>} foot={open && takeBack(open)}>
        {open && <GrantFacts grant={open} />}
      </Peek>
      <TakeBack grant={taking} onClose={() => setTaking(undefined)} onDone={() => change({ peek: "" })} />
    </>
  );
}

/** Renaming, disabling, a new password, deleting. */
function Actions({ user, action, count, onClose }: { user: Account; action: string; count: number | undefined; onClose: () => void }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const me = useMe();
  const navigate = useNavigate();
  const path = { tenant: whose.tenant, user: user.id } as never;
  const state = useDo(() => call(CHANGE_USER(whose.tenant), { path, body: { disabled: !user.disabled } }));
  // he is gone from the page before a callback of it would be called
  const remove = useDo(async () => {
    await call(DELETE_USER(whose.tenant), { path });
    void navigate(whose.to("users"));
  });
  const own = me.id === user.id;
  return (
    <>
      <Peek open={action === "rename"} onClose={onClose} title={say("user.rename")}><Rename user={user} onDone={onClose} /></Peek>
      <Peek open={action === "password"} onClose={onClose} title={say("user.setPasswordOf", { name: user.name })}><SetPassword user={user} onDone={onClose} /></Peek>
      <Confirm
        open={action === "state"}
        onClose={onClose}
        onConfirm={() => state.mutate(undefined, { onSuccess: onClose })}
        kind={user.disabled ? "primary" : "danger"}
        title={say(user.disabled ? "user.enableTitle" : "user.disableTitle", { name: user.name })}
        consequence={<strong>{say(user.disabled ? "user.enableConsequence" : "user.disableConsequence", { name: user.name, count })}</strong>}
        action={say(user.disabled ? "user.enableName" : "user.disableName", { name: user.name })}
        busy={state.isPending}
        error={state.error && <ErrorState failure={failureOf(state.error, say("user.unchanged"))} />}
      >
        {own && !user.disabled && <p>{say("user.thatIsYou")}</p>}
        <CommandLine line={`qiantang user ${user.disabled ? "enable" : "disable"} ${user.name} ${whose.flag}`} />
      </Confirm>
      <Confirm
        open={action === "delete"}
        onClose={onClose}
        onConfirm={() => remove.mutate(undefined)}
        title={say("user.deleteTitle", { name: user.name })}
        consequence={<strong>{count === undefined ? say("user.deleteConsequenceUnknown") : say("user.deleteConsequence", { count })}</strong>}
        action={say("user.deleteName", { name: user.name })}
        typed={user.name}
        busy={remove.isPending}
        error={remove.error && <ErrorState failure={failureOf(remove.error, say("user.notDeleted"))} />}
      >
        <p>{say("user.deleteText")}</p>
        {own && <p>{say("user.thatIsYou")}</p>}
      </Confirm>
    </>
  );
}

function Rename({ user, onDone }: { user: Account; onDone: () => void }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const [title, setTitle] = useState(user.title);
  const save = useDo(() => call(CHANGE_USER(whose.tenant), { path: { tenant: whose.tenant, user: user.id } as never, body: { title } }));
  return (
    <form onSubmit={(event) => { event.preventDefault(); save.mutate(undefined, { onSuccess: onDone }); }}>
      <Field label={say("users.fullName")} hint={say("user.renameHint", { name: user.name })}>{(ids) => <TextInput {...ids} value={title} onChange={setTitle} maxLength={128} autoFocus />}</Field>
      {save.error && <ErrorState failure={failureOf(save.error, say("user.unchanged"))} />}
      <Button kind="primary" type="submit" busy={save.isPending}>{say("save")}</Button>
    </form>
  );
}

function SetPassword({ user, onDone }: { user: Account; onDone: () => void }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const save = useDo(() => call(CHANGE_USER(whose.tenant), { path: { tenant: whose.tenant, user: user.id } as never, body: { password } }));
  const weak = save.error?.code === "identity.weak_password" ? save.error : null;
  return (
    <form onSubmit={(event) => { event.preventDefault(); setTried(true); if (password) save.mutate(undefined, { onSuccess: onDone }); }}>
      <p className="i-lead">{say("user.passwordConsequence", { name: user.name })}</p>
      <Password label={say("password.new")} hint={say("password.firstHint")} value={password} onChange={(value) => { setPassword(value); save.reset(); }} missing={tried && !password} weak={weak} shown />
      {save.error && !weak && <ErrorState failure={failureOf(save.error, say("user.unchanged"))} />}
      <Button kind="primary" type="submit" busy={save.isPending}>{say("user.setPassword")}</Button>
    </form>
  );
}
