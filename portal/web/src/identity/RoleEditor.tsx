import { useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { call, failureOf, useDo, type Permission, type Role } from "../api";
import { Button, Confirm, ErrorState, Field, FilterBar, PageHead, Pane, Panes, SearchInput, Section, TextInput } from "../kit";
import { NAME, useQueryState, useText, useWhose } from "../shell";
import { expanded } from "./people";
import { Matrix } from "./Matrix";

/** Makes a role of a tenant, or changes one: the matrix beside the lines that are written. */
export function RoleEditor({ role, permissions, holders }: { role?: Role; permissions: Permission[]; holders?: number | undefined }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const navigate = useNavigate();
  const [words, setWords] = useQueryState("words");
  const [name, setName] = useState(role?.name ?? "");
  const [title, setTitle] = useState(role?.title ?? "");
  const [lines, setLines] = useState<string[]>(role?.permissions ?? []);
  const [line, setLine] = useState("");
  const [tried, setTried] = useState(false);
  const [asking, setAsking] = useState(false);
  const path = { tenant: whose.tenant };
  const save = useDo(() =>
    role
      ? call("PATCH /api/v1/identity/tenants/{tenant}/roles/{role}", { path: { ...path, role: role.name }, body: { title, permissions: lines } })
      : call("POST /api/v1/identity/tenants/{tenant}/roles", { path, body: { name, title, permissions: lines } }),
  );
  const now = expanded(lines, permissions);
  const was = expanded(role?.permissions ?? [], permissions);
  const gained = [...now].filter((one) => !was.has(one)).length;
  const lost = [...was].filter((one) => !now.has(one)).length;
  const same = role !== undefined && gained === 0 && lost === 0 && title === role.title && lines.join(" ") === role.permissions.join(" ");
  const bad = !role && !NAME.test(name);
  const run = (): void => save.mutate(undefined, { onSuccess: (made) => void navigate(whose.to("roles", made.name)) });
  const submit = (): void => {
    setTried(true);
    if (bad || lines.length === 0) return;
    if (role && (gained || lost)) setAsking(true);
    else run();
  };
  const add = (): void => {
    const text = line.trim();
    if (text && !lines.includes(text)) setLines([...lines, text]);
    setLine("");
  };
  const back = role ? whose.to("roles", role.name) : whose.to("roles");
  const failure = save.error && <ErrorState failure={failureOf(save.error, say(role ? "roles.unchanged" : "roles.failed"))} />;
  return (
    <>
      <PageHead
        crumbs={[{ label: say("roles.title"), to: whose.to("roles") }, ...(role ? [{ label: role.name, to: back }] : [])]}
        title={role ? say("roles.change", { name: role.name }) : say("roles.new")}
        actions={
          <>
            <Button to={back}>{say("cancel")}</Button>
            <Button kind="primary" busy={save.isPending} disabled={same} reason={say("roles.nothingChanged")} onClick={submit}>{role ? say("roles.save", { gained, lost }) : say("roles.make")}</Button>
          </>
        }
      />
      <Panes>
        <Pane label={say("roles.permissions")}>
          <FilterBar right={say("roles.count", { count: now.size, total: permissions.length })}>
            <SearchInput value={words} onChange={setWords} label={say("roles.filterPermissions")} />
          </FilterBar>
          <Matrix permissions={permissions} lines={lines} {...(role ? { before: role.permissions } : {})} words={words} onChange={setLines} />
        </Pane>
        <Pane side="right" width={360} title={say("roles.role")}>
          <div className="k-section">
            {!role && (
              <Field label={say("estate.name")} hint={say("roles.nameHint")} error={tried && bad ? say("nameBad") : undefined} required>
                {(ids) => <TextInput {...ids} mono value={name} onChange={setName} maxLength={64} autoFocus />}
              </Field>
            )}
            <Field label={say("estate.titleLabel")} hint={say("roles.titleHint")}>{(ids) => <TextInput {...ids} value={title} onChange={setTitle} maxLength={128} />}</Field>
            {failure}
          </div>
          <Section title={say("roles.written")} note={say("roles.writtenNote")}>
            <ul className="i-lines">
              {lines.map((one) => (
                <li key={one}>
                  <code>{one}</code>
                  <span className="k-quiet">{expanded([one.replace(/^!/, "")], permissions).size}</span>
                  <Button size="small" kind="quiet" icon="close" label={say("roles.removeLine", { line: one })} onClick={() => setLines(lines.filter((other) => other !== one))} />
                </li>
              ))}
            </ul>
            <Field label={say("roles.addLine")} hint={say("roles.lineHint")} error={tried && lines.length === 0 ? say("roles.needsOne") : undefined}>
              {(ids) => <TextInput {...ids} mono value={line} onChange={setLine} onEnter={add} placeholder="config.*:read" maxLength={128} />}
            </Field>
            <Button size="small" icon="plus" onClick={add}>{say("roles.addLine")}</Button>
          </Section>
        </Pane>
      </Panes>
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        onConfirm={run}
        kind="primary"
        title={say("roles.change", { name: role?.name ?? "" })}
        consequence={<strong>{holders === undefined ? say("roles.consequenceUnknown", { gained, lost }) : say("roles.consequence", { gained, lost, count: holders })}</strong>}
        action={say("roles.save", { gained, lost })}
        busy={save.isPending}
        error={failure}
      >
        <p>{say("grants.withinSecondsRole")}</p>
      </Confirm>
    </>
  );
}
