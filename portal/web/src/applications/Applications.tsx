import { useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, call, failureOf, useDo, usePages, useRead, type Application } from "../api";
import { Button, Choice, ErrorState, Facts, Field, ListPage, Peek, Ref, SavedViews, TextInput, Time, type Column } from "../kit";
import { atApplication, Marked, NAME, useLate, useMay, usePage, useQueryState, useQueryStates, useScope, useSort, useText } from "../shell";

const LIST = "GET /api/v1/identity/tenants/{tenant}/applications";

/** The applications of a tenant, over all its centers. */
export function Applications(): ReactNode {
  const say = useText("applications");
  const scope = useScope();
  const may = useMay();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const late = useLate(words, 200);
  const sorted = useSort();
  const args = { path: { tenant: scope.tenant }, query: { center: scope.center, words: late, sort: sorted.asked, limit: 100 } };
  const found = usePages(LIST, args);
  const peek = query.get("peek") ?? "";
  const making = query.get("new") === "1";
  const mayMake = may("identity.application:create", { tenant: scope.tenant, center: scope.center });
  const open = found.rows?.find((row) => keyOf(row) === peek);
  usePage({
    title: say("title"),
    cli: `qiantang application list${sorted.flag} -t ${scope.tenant}${scope.center ? ` -c ${scope.center}` : " --all"}`,
    api: asCurl(LIST, args),
    readAt: found.readAt,
    actions: mayMake ? [{ key: "new", label: say("new"), keys: "c", run: () => change({ new: "1" }) }] : [],
  });
  const columns: Column<Application>[] = [
    { key: "name", title: say("columns.name"), names: true, sortable: true, width: 260, render: (row) => <Ref mono name={<Marked text={row.name} words={late} />} title={row.name} to={atApplication({ ...scope, center: row.center, application: row.name }, "overview")} /> },
    { key: "title", title: say("columns.title"), sortable: true, render: (row) => <span className="k-ellipsis"><Marked text={row.title} words={late} /></span> },
    { key: "center", title: say("columns.center"), sortable: true, width: 180, render: (row) => <code>{row.center}</code> },
    { key: "created_at", title: say("columns.created"), sortable: true, width: 140, align: "right", render: (row) => <Time at={row.created_at} /> },
  ];
  return (
    <ListPage
      title={say("title")}
      create={{ label: say("new"), allowed: mayMake, reason: say("notAllowed"), onCreate: () => change({ new: "1" }) }}
      words={words}
      onWords={setWords}
      filterLabel={say("filter")}
      right={
        <>
          {found.rows && say("count", { count: found.rows.length })}
          <SavedViews name="applications" query={query.toString()} onOpen={(saved) => void navigate(`?${saved}`)} />
        </>
      }
      failed={found.error && !found.rows ? <ErrorState failure={failureOf(found.error, say("unreadable"))} onRetry={found.again} /> : undefined}
      table={{
        name: "applications",
        rows: found.rows,
        rowKey: keyOf,
        columns,
        ...sorted.table,
        onOpen: (row) => change({ peek: keyOf(row) }),
        openKey: peek,
        onMore: found.more,
        loadingMore: found.loadingMore,
      }}
      none={{ title: say("empty.title", { tenant: scope.tenant }), text: say("empty.text"), cli: `qiantang application create ${scope.tenant}/${scope.center || "CENTER"}/NAME` }}
      noMatch={{ title: say("noMatch", { words }), text: say("noMatchText") }}
    >
      <Peek
        open={open !== undefined}
        onClose={() => change({ peek: "" })}
        title={<span className="k-mono">{open?.name}</span>}
        foot={open && <Button kind="primary" to={atApplication({ ...scope, center: open.center, application: open.name }, "overview")}>{say("peek.open")}</Button>}
      >
        {open && (
          <Facts
            items={[
              [say("columns.title"), open.title || "—"],
              [say("columns.center"), <code key="center">{open.center}</code>],
              [say("columns.created"), <Time key="made" at={open.created_at} exact />],
            ]}
          />
        )}
      </Peek>
      <Peek open={making} onClose={() => change({ new: "" })} title={say("new")}>
        {making && <NewApplication onMade={(made) => void navigate(atApplication({ ...scope, center: made.center, application: made.name }, "overview"))} />}
      </Peek>
    </ListPage>
  );
}

const keyOf = (row: Application): string => `${row.center}/${row.name}`;

/** The form of a new application; a center that is not there yet is made with it. */
function NewApplication({ onMade }: { onMade: (made: Application) => void }): ReactNode {
  const say = useText("applications");
  const scope = useScope();
  const may = useMay();
  const [center, setCenter] = useState(scope.center);
  const [typed, setTyped] = useState("");
  const [name, setName] = useState("");
  const [title, setTitle] = useState("");
  const [tried, setTried] = useState(false);
  const centers = useRead("GET /api/v1/identity/tenants/{tenant}/centers", { path: { tenant: scope.tenant }, query: { words: typed, limit: 50 } }, { keep: true, topics: [] });
  const known = centers.data?.items ?? [];
  const make = useDo(async () => {
    const path = { tenant: scope.tenant };
    if (!known.some((one) => one.name === center) && center !== scope.center) {
      await call("POST /api/v1/identity/tenants/{tenant}/centers", { path, body: { name: center } });
    }
    return call("POST /api/v1/identity/tenants/{tenant}/centers/{center}/applications", { path: { ...path, center }, body: { name, title } });
  });
  const bad = tried && !NAME.test(name);
  const submit = (): void => {
    setTried(true);
    if (NAME.test(name) && center) make.mutate(undefined, { onSuccess: onMade });
  };
  const options = known.map((one) => ({ value: one.name, label: one.name, text: `${one.name} ${one.title}` }));
  if (NAME.test(typed) && !known.some((one) => one.name === typed) && may("identity.center:create", { tenant: scope.tenant })) {
    options.push({ value: typed, label: say("form.newCenter", { name: typed }), text: typed });
  }
  if (center && !options.some((one) => one.value === center)) options.push({ value: center, label: center, text: center });
  return (
    <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
      <Field label={say("form.center")} hint={say("form.centerHint")} error={tried && !center ? say("form.centerHint") : undefined} required>
        {(ids) => <Choice {...ids} value={center} onChange={setCenter} onSearch={setTyped} options={options} loading={centers.isFetching} />}
      </Field>
      <Field label={say("form.name")} hint={say("form.nameHint")} error={bad ? say("form.nameBad") : undefined} required>
        {(ids) => <TextInput {...ids} mono value={name} onChange={setName} maxLength={64} />}
      </Field>
      <Field label={say("form.title")} hint={say("form.titleHint")}>
        {(ids) => <TextInput {...ids} value={title} onChange={setTitle} maxLength={128} />}
      </Field>
      {make.error && <ErrorState failure={failureOf(make.error, say("form.failed"))} />}
      <Button kind="primary" type="submit" busy={make.isPending}>{say("make")}</Button>
    </form>
  );
}
