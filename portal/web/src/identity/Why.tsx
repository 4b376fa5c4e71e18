import type { ReactNode } from "react";
import { failureOf, useRead, type AccessAnswer, type AccessPath } from "../api";
import { Empty, ErrorState, Field, Note, Reading, relative, useLanguage } from "../kit";
import { PathGraph, type PathEdge, type PathNode } from "../kit/parts";
import { useLate, useQueryStates, useText, useWhose } from "../shell";
import { PermissionChoice, PlaceChoice } from "./Choosers";
import { shortPattern } from "./people";
import { EXPLAIN } from "./operations";

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

/** The way from a person to what he may do: person, grant, role, permission, place. What is missing stands out and is named. */
function PathDrawn({ path, name, permission, place }: { path: AccessPath; name: string; permission: string; place: string }): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const language = useLanguage();
  const role = path.lacks === "permission" ? ("bad" as const) : ("ok" as const);
  const scope = path.lacks === "scope" ? ("bad" as const) : ("ok" as const);
  const nodes: PathNode[] = [
    { key: "person", icon: "person", name, note: say("why.person") },
    {
      key: "grant",
      icon: "grant",
      name: shortPattern(path.pattern),
      note: [path.granted_by ? say("why.by", { name: path.granted_by }) : say("why.given"), path.expires ? say("why.untilAt", { at: relative(path.expires, Date.now(), language) }) : say("grants.forGood")].join(" · "),
      ...(path.grant ? { to: `${whose.to("grants")}?peek=${encodeURIComponent(path.grant)}` } : {}),
    },
    { key: "role", icon: "role", name: path.role || "—", note: say("why.role"), ...(path.role ? { to: whose.to("roles", path.role) } : {}) },
    { key: "permission", icon: "key", name: permission, note: path.lacks === "permission" ? say("why.lacksPermission") : say("why.permissionOf"), hue: role, word: say(role === "ok" ? "roles.yes" : "roles.no") },
    { key: "place", icon: "environment", name: shortPattern(place), note: path.lacks === "scope" ? say("why.lacksScope") : say("why.place"), hue: scope, word: say(scope === "ok" ? "why.covered" : "why.notCovered") },
  ];
  const edges: PathEdge[] = [
    { from: "person", to: "grant" },
    { from: "grant", to: "role" },
    { from: "role", to: "permission", ...(role === "bad" ? { hue: role, dashed: true } : {}) },
    { from: "permission", to: "place", ...(scope === "bad" ? { hue: scope, dashed: true } : {}) },
  ];
  return <PathGraph nodes={nodes} edges={edges} label={say("why.path")} height={132} />;
}
