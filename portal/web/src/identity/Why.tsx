import type { ReactNode } from "react";
import { failureOf, useRead, type AccessAnswer, type AccessPath } from "../api";
import { Button, Empty, ErrorState, Field, Glyph, Icon, Note, Reading, Time, type IconName } from "../kit";
import { useLate, useQueryStates, useText } from "../shell";
import { PermissionChoice, PlaceChoice } from "./Choosers";
import { shortPattern } from "./people";
import { EXPLAIN, useWhose } from "./whose";

/** Why somebody may do something at a place, or what he lacks: asked and answered in the address. */
export function Why({ user, name, mine = false }: { user: string; name: string; mine?: boolean }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const [query, change] = useQueryStates();
  const permission = query.get("permission") ?? "";
  const at = query.get("at") ?? (whose.tenant || "*");
  const late = useLate(at, 150);
  const asked = permission !== "";
  const args = { path: { tenant: whose.tenant, user } as never, body: { permission, pattern: late } };
  const operation = mine ? ("POST /api/v1/identity/me/explain" as const) : EXPLAIN(whose.tenant);
  const found = useRead(operation, args as never, { enabled: asked && (mine || user !== ""), keep: true });
  const answer = found.data as AccessAnswer | undefined;
  return (
    <div className="i-why">
      <div className="i-why-question">
        <Field label={say("why.permission")} hint={say("why.permissionHint")}>
          {(ids) => <PermissionChoice {...ids} value={permission} onChange={(value) => change({ permission: value })} />}
        </Field>
        <PlaceChoice tenant={whose.tenant} value={at} onChange={(value) => change({ at: value })} />
      </div>
      <div aria-live="polite">
        {!asked ? (
          <Empty title={say(mine ? "why.askMine" : "why.ask", { name })}>{say("why.askText")}</Empty>
        ) : found.error && !answer ? (
          <ErrorState failure={failureOf(found.error, say("why.failed"))} onRetry={() => void found.refetch()} />
        ) : !answer ? (
          <Reading />
        ) : (
          <Answer answer={answer} name={name} permission={permission} place={late} />
        )}
      </div>
    </div>
  );
}

function Answer({ answer, name, permission, place }: { answer: AccessAnswer; name: string; permission: string; place: string }): ReactNode {
  const say = useText("identity");
  const near = answer.near ?? [];
  return (
    <div className="i-answer">
      <Note hue={answer.allowed ? "ok" : "bad"} title={say(answer.allowed ? "why.yes" : "why.no", { name })}>
        <code>{permission}</code> {say("why.on")} <code>{shortPattern(place)}</code>
      </Note>
      {answer.path && <PathDrawn path={answer.path} name={name} permission={permission} place={place} />}
      {!answer.allowed && (
        <>
          <h3>{near.length > 0 ? say("why.near", { count: near.length }) : say("why.nothingNear")}</h3>
          {near.map((path, place_) => (
            <PathDrawn key={path.grant || place_} path={path} name={name} permission={permission} place={place} />
          ))}
        </>
      )}
      <p className="k-quiet"><code>{answer.explanation}</code></p>
    </div>
  );
}

interface Step {
  key: string;
  icon: IconName;
  kind: string;
  title: string;
  detail?: ReactNode;
  missing?: boolean;
  to?: string;
}

/** The way from a person to what he may do: person, grant, role, permission, place. What is missing stands out and is named. */
function PathDrawn({ path, name, permission, place }: { path: AccessPath; name: string; permission: string; place: string }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const steps: Step[] = [
    { key: "person", icon: "person", kind: say("why.person"), title: name },
    {
      key: "grant",
      icon: "grant",
      kind: say("why.grant"),
      title: path.granted_by ? say("why.by", { name: path.granted_by }) : say("why.given"),
      detail: path.expires ? <>{say("why.until")} <Time at={path.expires} /></> : say("grants.forGood"),
      to: `${whose.to("grants")}?peek=${encodeURIComponent(path.grant)}`,
    },
    { key: "role", icon: "role", kind: say("why.role"), title: path.role || "—", to: path.role ? whose.to("roles", path.role) : undefined } as Step,
    { key: "permission", icon: "key", kind: say("why.permissionOf"), title: permission, missing: path.lacks === "permission", detail: path.lacks === "permission" ? say("why.lacksPermission") : undefined },
    { key: "place", icon: "environment", kind: say("why.place"), title: shortPattern(path.pattern), missing: path.lacks === "scope", detail: path.lacks === "scope" ? say("why.lacksScope", { place: shortPattern(place) }) : say("why.covers", { place: shortPattern(place) }) },
  ];
  return (
    <ol className="i-path" aria-label={say("why.path")}>
      {steps.map((step) => (
        <li key={step.key} className={step.missing ? "i-path-missing" : undefined}>
          <span className="i-path-kind"><Icon name={step.icon} size={14} /> {step.kind} {step.missing && <Glyph hue="bad" size={12} />}</span>
          <span className="i-path-title k-ellipsis" title={step.title}>{step.to ? <Button kind="quiet" size="small" to={step.to}>{step.title}</Button> : <code>{step.title}</code>}</span>
          {step.detail && <span className="i-path-detail">{step.detail}</span>}
        </li>
      ))}
    </ol>
  );
}
