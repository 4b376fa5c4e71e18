import { useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, call, failureOf, topics, useDo, usePages, useRead } from "../api";
import { bytes, Button, CommandLine, Confirm, Count, Empty, ErrorState, Facts, Field, Note, Pane, Panes, Peek, Person, Ref, Section, Skeleton, StatusTag, Strip, TextInput, Time } from "../kit";
import { ReleaseGlyph } from "../life";
import { at, atApplication, flagsOf, useMay, usePage, useScope, useText } from "../shell";

const ONE = "GET /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}";
const READ = "config.namespace:read";

/** An application at a glance: how its instances stand, what was published, how a program connects. */
export default function Overview(): ReactNode {
  const say = useText("applications");
  const scope = useScope();
  const may = useMay();
  const readable = may(READ, scope);
  const watched = { topics: [topics.bundle(scope, "config")], enabled: readable && scope.environment !== "" };
  const status = useRead("GET /api/v1/config/{tenant}/{environment}/{center}/{application}/status", { path: scope }, watched);
  const convergence = useRead("GET /api/v1/config/{tenant}/{environment}/{center}/{application}/convergence", { path: scope }, watched);
  const releases = usePages("GET /api/v1/config/{tenant}/{environment}/{center}/{application}/releases", { path: scope, query: { limit: 12 } }, watched);
  usePage({
    title: scope.application,
    cli: `qiantang config history ${flagsOf(scope)}`,
    api: asCurl("GET /api/v1/config/{tenant}/{environment}/{center}/{application}/status", { path: scope }),
    readAt: status.dataUpdatedAt,
  });
  if (!readable) return <Panes><Pane><Note hue="idle">{say("overview.noRead")}</Note></Pane><About /></Panes>;
  const error = status.error ?? convergence.error;
  if (error && !status.data) return <ErrorState failure={failureOf(error, say("unreadableOne"))} onRetry={() => void status.refetch()} />;
  const found = status.data;
  const live = convergence.data;
  return (
    <>
      <Strip
        label={say("overview.state")}
        figures={[
          { key: "revision", label: say("overview.revision"), to: atApplication(scope, "config", "history"), value: found ? (found.position[1] ? `r${found.position[1]}` : "—") : "—", status: found?.gray ? <StatusTag hue="info" running>{say("overview.gray")}</StatusTag> : undefined },
          {
            key: "instances",
            label: say("overview.instances"),
            to: atApplication(scope, "instances"),
            value: live ? `${live.current}/${live.total}` : "—",
            status: !live ? undefined : live.total === 0 ? <StatusTag hue="idle">{say("overview.noInstances")}</StatusTag> : live.failed ? <StatusTag hue="bad">{say("overview.failingSome", { count: live.failed })}</StatusTag> : <StatusTag hue={live.behind ? "warn" : "ok"}>{say("overview.converged", { current: live.current, total: live.total, revision: live.position[1] })}</StatusTag>,
          },
          { key: "resources", label: say("overview.resources"), to: atApplication(scope, "config"), value: <Count value={found?.resources} />, unit: found ? bytes(found.size) : undefined },
          { key: "drafts", label: say("overview.drafts"), to: atApplication(scope, "config", "diff"), value: <Count value={found?.drafts} /> },
          { key: "requests", label: say("overview.requests"), to: atApplication(scope, "config", "requests"), value: <Count value={found?.requests} /> },
        ]}
      />
      <Panes>
        <Pane title={say("overview.recent")} actions={<Button kind="quiet" size="small" to={atApplication(scope, "config", "history")}>{say("overview.allReleases")}</Button>}>
          {releases.rows === undefined ? (
            <Skeleton rows={6} />
          ) : releases.rows.length === 0 ? (
            <Empty title={say("overview.none")} />
          ) : (
            <ul className="k-lines h-releases">
              {releases.rows.map((one) => (
                <li key={one.revision}>
                  <ReleaseGlyph action={one.action} />
                  <Ref mono name={`r${one.revision}`} to={`${atApplication(scope, "config", "history")}?rev=${one.revision}`} />
                  <span className="k-ellipsis" title={one.message}>{one.message || one.action}</span>
                  <Person name={one.author} />
                  <Time at={one.created_at} />
                </li>
              ))}
            </ul>
          )}
          {live?.total === 0 && <Connect />}
        </Pane>
        <About />
      </Panes>
    </>
  );
}

/** How a program connects: the ten lines that one copies. */
function Connect(): ReactNode {
  const say = useText("applications");
  const scope = useScope();
  const may = useMay();
  return (
    <Section title={say("overview.connect")} actions={may("identity.credential:list", scope) && <Button size="small" icon="key" to={atApplication(scope, "credentials")}>{say("overview.credential")}</Button>}>
      <div className="k-stack">
        <p>{say("overview.connectText")}</p>
        {[
          `export QIANTANG_CLIENT_SERVERS=${window.location.origin}`,
          `export QIANTANG_CLIENT_TENANT=${scope.tenant} QIANTANG_CLIENT_ENVIRONMENT=${scope.environment}`,
          `export QIANTANG_CLIENT_CENTER=${scope.center} QIANTANG_CLIENT_APPLICATION=${scope.application}`,
          "export QIANTANG_CLIENT_CREDENTIAL=… QIANTANG_CLIENT_SECRET=…",
        ].map((line) => <CommandLine key={line} line={line} />)}
      </div>
    </Section>
  );
}

function About(): ReactNode {
  const say = useText("applications");
  const scope = useScope();
  const may = useMay();
  const navigate = useNavigate();
  const [editing, setEditing] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const path = { tenant: scope.tenant, center: scope.center, application: scope.application };
  const found = useRead(ONE, { path });
  const remove = useDo(() => call("DELETE /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}", { path }));
  return (
    <Pane
      side="right"
      title={say("overview.about")}
      actions={may("identity.application:update", scope) && <Button size="small" kind="quiet" icon="edit" onClick={() => setEditing(true)}>{say("overview.edit")}</Button>}
    >
      <Section title={<code>{scope.application}</code>}>
        <Facts
          items={[
            [say("columns.title"), found.data?.title || "—"],
            [say("columns.center"), <code key="center">{scope.center}</code>],
            [say("columns.created"), found.data ? <Time key="made" at={found.data.created_at} /> : "—"],
          ]}
        />
      </Section>
      {may("identity.application:delete", { tenant: scope.tenant, center: scope.center, application: scope.application }) && (
        <Section title={say("overview.danger")}>
          <Button kind="danger" onClick={() => setDeleting(true)}>{say("overview.delete")}</Button>
        </Section>
      )}
      <Peek open={editing} onClose={() => setEditing(false)} title={say("overview.edit")}>
        {editing && found.data && <Change title={found.data.title} onDone={() => setEditing(false)} />}
      </Peek>
      <Confirm
        open={deleting}
        onClose={() => setDeleting(false)}
        onConfirm={() => remove.mutate(undefined, { onSuccess: () => void navigate(at(scope, "apps")) })}
        title={say("overview.deleteTitle", { name: scope.application })}
        consequence={say("overview.consequence", { name: scope.application })}
        action={say("overview.delete")}
        typed={scope.application}
        busy={remove.isPending}
        error={remove.error && <ErrorState failure={failureOf(remove.error, say("overview.deleteFailed"))} />}
      />
    </Pane>
  );
}

function Change({ title: before, onDone }: { title: string; onDone: () => void }): ReactNode {
  const say = useText("applications");
  const scope = useScope();
  const [title, setTitle] = useState(before);
  const path = { tenant: scope.tenant, center: scope.center, application: scope.application };
  const save = useDo(() => call("PATCH /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}", { path, body: { title } }));
  return (
    <form onSubmit={(event) => { event.preventDefault(); save.mutate(undefined, { onSuccess: onDone }); }}>
      <Field label={say("form.title")} hint={say("form.titleHint")}>
        {(ids) => <TextInput {...ids} value={title} onChange={setTitle} maxLength={128} />}
      </Field>
      {save.error && <ErrorState failure={failureOf(save.error, say("overview.saveFailed"))} />}
      <Button kind="primary" type="submit" busy={save.isPending}>{say("overview.save")}</Button>
    </form>
  );
}
