import type { ReactNode } from "react";
import { ApiError, failureOf, type Release } from "../api";
import { Button, ErrorState, Forbidden, Glyph, Note, StatusTag, type ButtonProps, type Hue } from "../kit";
import { useText, type Say } from "../shell";
import { useLife } from "./life";
import { revisionOf, type Position } from "./types";

/** How much changes, in words: places, and the resources that they are in. */
export function extent(changed: { changes: unknown[] }[], say: Say): { changes: string; resources: string } {
  const count = changed.reduce((total, one) => total + one.changes.length, 0);
  return { changes: say("units.changes", { count }), resources: say("units.resources", { count: changed.length }) };
}

/** A revision as it is written everywhere. */
export function Rev({ at }: { at: number | Position | undefined | null }): ReactNode {
  const revision = typeof at === "number" ? at : revisionOf(at);
  return revision ? <span className="k-mono">r{revision}</span> : <span className="k-quiet">—</span>;
}

/** What a release was, as a sign: to everyone, to some, or back. */
export function ReleaseGlyph({ action }: { action: Release["action"] }): ReactNode {
  const gray = action.startsWith("gray");
  return <Glyph hue={action === "rollback" || action === "abort" ? "warn" : gray ? "info" : "ok"} running={gray} />;
}

/** How many of the instances hold what is current. */
export function Applied({ current, total, failed }: { current: number; total: number; failed: number }): ReactNode {
  const say = useText("life");
  if (total === 0) return <span className="k-quiet">{say("noInstances")}</span>;
  const hue: Hue = failed ? "bad" : current < total ? "warn" : "ok";
  return (
    <StatusTag hue={hue}>
      {current}/{total}
      {failed > 0 && ` · ${say("failedCount", { count: failed })}`}
    </StatusTag>
  );
}

/** Why somebody may not do something here, in words; nothing where he may. */
export function useReason(verb: string): string | undefined {
  const life = useLife();
  const say = useText("life");
  return life.may(verb) ? undefined : say("needs", { permission: life.permission(verb), place: `${life.scope.environment}/${life.scope.center}/${life.scope.application}` });
}

/** A button that needs a permission: without it, it says which. */
export function Can({ verb, ...props }: ButtonProps & { verb: string }): ReactNode {
  const reason = useReason(verb);
  const blocked = reason ?? (props.disabled ? props.reason : undefined);
  return <Button {...props} disabled={reason !== undefined || props.disabled === true} {...(blocked ? { reason: blocked } : {})} />;
}

/** A page could not be read: not allowed, or it failed. */
export function Unread({ error, title, onRetry }: { error: unknown; title: string; onRetry?: () => void }): ReactNode {
  const say = useText("life");
  const life = useLife();
  if (error instanceof ApiError && (error.status === 403 || error.status === 404)) {
    return <Forbidden title={say("forbidden")}>{say("needs", { permission: life.permission("read"), place: `${life.scope.environment}/${life.scope.center}/${life.scope.application}` })}</Forbidden>;
  }
  return <ErrorState failure={failureOf(error, title)} onRetry={onRetry} />;
}

/** What was refused, in the place where it was asked for. */
export function Refused({ error }: { error: ApiError | null | undefined }): ReactNode {
  if (!error) return null;
  return (
    <Note hue="bad" title={error.message}>
      <code>{error.code}</code>
      {error.problems.length > 0 && (
        <ul>
          {error.problems.map((one, place) => (
            <li key={place}>
              {one.path && <code>{one.path} </code>}
              {one.message}
              {one.line ? ` (${one.line}:${one.column})` : ""}
            </li>
          ))}
        </ul>
      )}
    </Note>
  );
}

const HUES: Record<Release["action"], Hue> = { publish: "ok", rollback: "warn", gray: "info", gray_change: "info", promote: "ok", abort: "warn", restore: "warn" };

export function Action({ release }: { release: Release }): ReactNode {
  const say = useText("life");
  const running = release.action === "gray" || release.action === "gray_change";
  return (
    <StatusTag hue={HUES[release.action]} running={running}>
      {say(`action.${release.action}`, { from: release.from_revision })}
    </StatusTag>
  );
}
