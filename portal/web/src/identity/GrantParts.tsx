import type { ReactNode } from "react";
import { call, failureOf, useDo, useRead, type EffectLine, type RoleGrant } from "../api";
import { Confirm, ErrorState, Facts, Note, Ref, StatusTag, Time, type Column } from "../kit";
import { at, useProtected, useText, useWhose } from "../shell";
import { partsOf, shortPattern, stateOf, useMeanings } from "./people";

/** Where a grant counts, as it is written; production stands out. */
export function Pattern({ pattern }: { pattern: string }): ReactNode {
  const protects = useProtected();
  const parts = partsOf(pattern);
  return (
    <code className="k-ellipsis" title={pattern}>
      {protects(parts[1]) ? <span className="i-prod">{shortPattern(pattern)}</span> : shortPattern(pattern)}
    </code>
  );
}

export function GrantState({ grant }: { grant: RoleGrant }): ReactNode {
  const say = useText("identity");
  const state = stateOf(grant);
  if (state === "later") return <StatusTag hue="info">{say("grants.from")} <Time at={grant.not_before} /></StatusTag>;
  if (state === "over") return <StatusTag hue="idle">{say("grants.over")} <Time at={grant.expires} /></StatusTag>;
  if (grant.expires) return <StatusTag hue="ok">{say("grants.ends")} <Time at={grant.expires} /></StatusTag>;
  return <StatusTag hue="ok">{say("grants.forGood")}</StatusTag>;
}

/** Where the page of a grant's user is: what is granted in a tenant belongs to one of it, or leads on from there. */
const userOf = (grant: RoleGrant, to: (...rest: string[]) => string): string => {
  const [tenant] = partsOf(grant.pattern);
  return tenant === "*" ? to("users", grant.user) : at({ tenant, environment: "" }, "users", grant.user);
};

/** The columns of grants, here and on the page of a user. */
export function grantColumns(say: (key: string) => string, to: (...rest: string[]) => string, withUser: boolean): Column<RoleGrant>[] {
  const user: Column<RoleGrant> = { key: "user", title: say("grants.user"), names: true, width: 180, render: (row) => <Ref mono name={row.user_name || row.user} title={row.user_name} to={userOf(row, to)} /> };
  return [
    ...(withUser ? [user] : []),
    { key: "role", title: say("grants.role"), names: !withUser, width: 130, render: (row) => <Ref mono name={row.role} title={row.role} to={to("roles", row.role)} /> },
    { key: "pattern", title: say("grants.pattern"), width: 170, render: (row) => <Pattern pattern={row.pattern} /> },
    { key: "time", title: say("grants.time"), width: 150, render: (row) => <GrantState grant={row} /> },
    { key: "by", title: say("grants.by"), width: 100, render: (row) => <span className="k-ellipsis" title={row.granted_by}>{row.granted_by || "—"}</span> },
    { key: "reason", title: say("grants.reason"), width: 150, render: (row) => <bdi className="k-ellipsis" title={row.reason}>{row.reason || "—"}</bdi> },
    { key: "made", title: say("made"), width: 110, align: "right", render: (row) => <Time at={row.created_at} /> },
  ];
}

export function GrantFacts({ grant }: { grant: RoleGrant }): ReactNode {
  const say = useText("identity");
  const { to } = useWhose();
  return (
    <Facts
      items={[
        [say("grants.user"), <Ref key="user" mono name={grant.user_name || grant.user} to={userOf(grant, to)} />],
        [say("grants.role"), <Ref key="role" mono name={grant.role} to={to("roles", grant.role)} />],
        [say("grants.pattern"), <code key="pattern">{grant.pattern}</code>],
        [say("grants.from"), grant.not_before ? <Time key="from" at={grant.not_before} exact /> : say("grants.atOnce")],
        [say("grants.until"), grant.expires ? <Time key="until" at={grant.expires} exact /> : say("grants.forGood")],
        [say("grants.by"), grant.granted_by || "—"],
        [say("grants.reason"), <bdi key="reason">{grant.reason || "—"}</bdi>],
        [say("made"), <Time key="made" at={grant.created_at} exact />],
      ]}
    />
  );
}

const countOf = (lines: EffectLine[]): number => lines.reduce((total, line) => total + line.permissions.length, 0);

/** Permissions by the place they are for. */
export function Effect({ lines, title, mark }: { lines: EffectLine[]; title: ReactNode; mark: "+" | "−" | "=" }): ReactNode {
  const meaning = useMeanings();
  if (countOf(lines) === 0) return null;
  return (
    <div className={`i-effect i-effect-${mark === "+" ? "gained" : mark === "−" ? "lost" : "same"}`}>
      <h4>{title}</h4>
      {lines.map((line) => (
        <details key={line.pattern} open={countOf(lines) <= 40}>
          <summary><code>{shortPattern(line.pattern)}</code> <span className="k-quiet">{line.permissions.length}</span></summary>
          <ul>
            {line.permissions.map((name) => (
              <li key={name} title={meaning(name)}><span aria-hidden="true">{mark}</span> <code>{name}</code> <span className="k-quiet k-ellipsis">{meaning(name)}</span></li>
            ))}
          </ul>
        </details>
      ))}
    </div>
  );
}

/** Asks before a grant is taken back: with it, what is lost. */
export function TakeBack({ grant, onClose, onDone }: { grant: RoleGrant | undefined; onClose: () => void; onDone?: () => void }): ReactNode {
  const say = useText("identity");
  const protects = useProtected();
  const { tenant } = useWhose();
  const path = { tenant, grant: grant?.id ?? "" };
  const operation = tenant ? ("POST /api/v1/identity/tenants/{tenant}/grants/{grant}/preview-removal" as const) : ("POST /api/v1/identity/grants/{grant}/preview-removal" as const);
  const preview = useRead(operation, { path } as never, { enabled: grant !== undefined });
  const remove = useDo((id: string) => call("DELETE /api/v1/identity/grants/{grant}", { path: { grant: id } }));
  if (!grant) return null;
  const lost = preview.data?.lost ?? [];
  const production = protects(partsOf(grant.pattern)[1]);
  return (
    <Confirm
      open
      onClose={onClose}
      onConfirm={() => remove.mutate(grant.id, { onSuccess: () => { onDone?.(); onClose(); } })}
      title={say("grants.takeBackTitle", { role: grant.role, name: grant.user_name })}
      consequence={
        preview.data
          ? <strong>{countOf(lost) ? say("grants.loses", { name: grant.user_name, count: countOf(lost) }) : say("grants.losesNothing", { name: grant.user_name })}</strong>
          : preview.error
            ? say("grants.lossUnknown", { name: grant.user_name })
            : say("grants.reckoning")
      }
      action={say("grants.takeBack", { role: grant.role })}
      kind={production ? "production" : "danger"}
      busy={remove.isPending}
      error={remove.error && <ErrorState failure={failureOf(remove.error, say("grants.notTakenBack"))} />}
    >
      <p>{say("grants.withinSeconds")} {say("grants.wayBack")}</p>
      <Effect lines={lost} title={say("grants.lost")} mark="−" />
      {preview.data && countOf(preview.data.already) > 0 && <Note hue="info">{say("grants.keeps", { count: countOf(preview.data.already) })}</Note>}
    </Confirm>
  );
}
