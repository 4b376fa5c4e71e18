import { useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, call, failureOf, useDo, usePages, type User } from "../api";
import { Button, ErrorState, Facts, Field, ListPage, Peek, Ref, SavedViews, StatusTag, TextInput, Time, type Column } from "../kit";
import { at, Marked, NAME, useLate, useMay, usePage, useQueryState, useQueryStates, useSort, useText, useWhose } from "../shell";
import { Failed } from "./Failed";
import { Password } from "./Password";
import { NEW_USER, USERS } from "./operations";
import "./identity.css";

/** People with an account: of a tenant, or all of them. */
export function Users(): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const may = useMay();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const late = useLate(words, 200);
  const sorted = useSort();
  const args = { path: { tenant: whose.tenant }, query: { words: late, sort: sorted.asked, limit: 200 } };
  const list = USERS(whose.tenant);
  const found = usePages(list, args as never);
  const peek = query.get("peek") ?? "";
  const open = found.rows?.find((row) => row.id === peek);
  const mayMake = may("identity.user:create", whose.where);
  const make = (): void => change({ new: "1", peek: "" });
  const title = say(whose.tenant ? "users.title" : "users.platformTitle");
  usePage({
    title,
    cli: `qiantang user list${sorted.flag}${whose.tenant ? ` -t ${whose.tenant}` : ""}`,
    api: asCurl(list, args),
    readAt: found.readAt,
    actions: mayMake ? [{ key: "new", label: say("users.new"), keys: "c", run: make }] : [],
  });
  const toUser = (row: User): string => (row.tenant && row.tenant !== whose.tenant ? at({ tenant: row.tenant, environment: "" }, "users", row.id) : whose.to("users", row.id));
  const columns: Column<User>[] = [
    { key: "name", title: say("users.name"), names: true, sortable: true, width: 220, render: (row) => <Ref mono name={<Marked text={row.name} words={late} />} title={row.name} to={toUser(row)} /> },
    { key: "title", title: say("users.fullName"), sortable: true, width: 260, render: (row) => <span className="k-ellipsis" title={row.title}><bdi>{row.title ? <Marked text={row.title} words={late} /> : "—"}</bdi></span> },
    ...(whose.tenant ? [] : [{ key: "tenant", title: say("users.tenant"), sortable: true, width: 160, render: (row: User) => (row.tenant ? <code>{row.tenant}</code> : <span>{say("users.ofPlatform")}</span>) }]),
    { key: "state", title: say("users.state"), width: 120, render: (row) => <UserState user={row} /> },
    { key: "signed_in_at", title: say("users.signedIn"), sortable: true, width: 140, align: "right", render: (row) => <Time at={row.signed_in_at} /> },
    { key: "created_at", title: say("made"), sortable: true, width: 140, align: "right", render: (row) => <Time at={row.created_at} /> },
  ];
  return (
    <ListPage
      title={title}
      note={whose.tenant ? undefined : say("users.platformNote")}
      create={{ label: say("users.new"), allowed: mayMake, reason: say("needs", { permission: "identity.user:create" }), onCreate: make }}
      words={words}
      onWords={setWords}
      filterLabel={say("users.filter")}
      right={
        <>
          {found.rows && say("shown", { count: found.rows.length, more: found.more ? "+" : "" })}
          <SavedViews name="users" query={query.toString()} onOpen={(saved) => void navigate(`?${saved}`)} />
        </>
      }
      failed={found.error && !found.rows ? <Failed error={found.error} what={title} needs="identity.user:list" again={found.again} /> : undefined}
      table={{
        name: "users",
        rows: found.rows,
        rowKey: (row) => row.id,
        rowName: (row) => row.name,
        columns,
        ...sorted.table,
        onOpen: (row) => change({ peek: row.id }),
        openKey: peek,
        onMore: found.more,
        loadingMore: found.loadingMore,
      }}
      none={{ title: say("users.none", { tenant: whose.tenant }), text: say("users.noneText"), cli: `qiantang user create NAME ${whose.flag}` }}
      noMatch={{ title: say("users.noMatch", { words }), text: say("users.searched") }}
    >
      <Peek
        open={open !== undefined}
        onClose={() => change({ peek: "" })}
        title={<span className="k-mono">{open?.name}</span>}
        foot={
          open && (
            <>
              <Button to={`${toUser(open)}?tab=why`}>{say("user.why")}</Button>
              <Button kind="primary" to={toUser(open)}>{say("open")}</Button>
            </>
          )
        }
      >
        {open && <UserFacts user={open} />}
      </Peek>
      <Peek open={query.get("new") === "1"} onClose={() => change({ new: "" })} title={say("users.new")}>
        <NewUser onMade={(made) => void navigate(whose.to("users", made.id))} />
      </Peek>
    </ListPage>
  );
}

export function UserState({ user, boxed = false }: { user: User; boxed?: boolean }): ReactNode {
  const say = useText("identity");
  return <StatusTag boxed={boxed} hue={user.disabled ? "idle" : "ok"}>{say(user.disabled ? "user.disabled" : "user.enabled")}</StatusTag>;
}

export function UserFacts({ user }: { user: User }): ReactNode {
  const say = useText("identity");
  return (
    <Facts
      items={[
        [say("users.name"), <code key="name">{user.name}</code>],
        [say("users.fullName"), <bdi key="title">{user.title || "—"}</bdi>],
        [say("users.tenant"), user.tenant ? <code key="tenant">{user.tenant}</code> : say("users.ofPlatform")],
        [say("users.state"), <UserState key="state" user={user} />],
        [say("users.signedIn"), <Time key="seen" at={user.signed_in_at} />],
        [say("made"), <Time key="made" at={user.created_at} exact />],
      ]}
    />
  );
}

/** The form of a new account. Its password is shown: whoever makes it has to hand it over. */
function NewUser({ onMade }: { onMade: (made: User) => void }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const [name, setName] = useState("");
  const [title, setTitle] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const make = useDo(() => call(NEW_USER(whose.tenant), { path: { tenant: whose.tenant } as never, body: { name, title, password } }));
  const weak = make.error?.code === "identity.weak_password";
  const submit = (): void => {
    setTried(true);
    if (NAME.test(name) && password) make.mutate(undefined, { onSuccess: onMade });
  };
  return (
    <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
      <Field label={say("users.name")} hint={say("users.nameHint")} error={tried && !NAME.test(name) ? say("nameBad") : undefined} required>
        {(ids) => <TextInput {...ids} mono value={name} onChange={setName} maxLength={64} autoFocus />}
      </Field>
      <Field label={say("users.fullName")} hint={say("users.fullNameHint")}>
        {(ids) => <TextInput {...ids} value={title} onChange={setTitle} maxLength={128} />}
      </Field>
      <Password label={say("password.first")} hint={say("password.firstHint")} value={password} onChange={(value) => { setPassword(value); make.reset(); }} missing={tried && !password} weak={weak ? make.error : null} shown />
      {make.error && !weak && <ErrorState failure={failureOf(make.error, say("users.failed"))} />}
      <Button kind="primary" type="submit" busy={make.isPending}>{say("users.make")}</Button>
    </form>
  );
}
