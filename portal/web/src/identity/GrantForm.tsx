import { useState, type ReactNode } from "react";
import { call, failureOf, useDo, useRead, type NewGrant, type RoleGrant } from "../api";
import { Button, Choice, ErrorState, Field, Moment, Note, Pick, Reading, Skeleton, TextInput } from "../kit";
import { useLate, useProtected, useText, useWhose } from "../shell";
import { PlaceChoice, UserChoice } from "./Choosers";
import { Effect } from "./GrantParts";
import { partsOf, useRoles } from "./people";

/** For the platform as a whole only: nobody holds it in a tenant. */
const PLATFORM_ADMIN = "platform-admin";
const HOUR = 3_600_000;
const LENGTHS = { hours8: 8 * HOUR, day: 24 * HOUR, month: 30 * 24 * HOUR } as const;
type Length = "good" | keyof typeof LENGTHS | "moment";

/** Gives somebody a role in a place, and says meanwhile what that would change. */
export function GrantForm({ user, onDone, role: wanted = "" }: { user?: { id: string; name: string } | undefined; role?: string; onDone: (made: RoleGrant) => void }): ReactNode {
  const say = useText("identity");
  const { tenant } = useWhose();
  const protects = useProtected();
  const { roles } = useRoles(tenant);
  const [who, setWho] = useState(user?.id ?? "");
  const [role, setRole] = useState(wanted);
  const [pattern, setPattern] = useState(tenant || "*");
  const [from, setFrom] = useState<number | null>(null);
  const [length, setLength] = useState<Length>("good");
  const [moment, setMoment] = useState<number | null>(null);
  const [reason, setReason] = useState("");
  const [tried, setTried] = useState(false);
  const expires = (now: number): number => (length === "good" ? 0 : length === "moment" ? (moment ?? 0) : Math.max(now, from ?? 0) + LENGTHS[length]);
  const complete = who !== "" && role !== "";
  const make = useDo(() => call("POST /api/v1/identity/grants", { body: { user: who, role, pattern, not_before: from ?? 0, expires: expires(Date.now()), reason } }));
  const production = protects(partsOf(pattern)[1]);
  const submit = (): void => {
    setTried(true);
    if (complete) make.mutate(undefined, { onSuccess: onDone });
  };
  return (
    <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
      <Field label={say("grants.user")} error={tried && !who ? say("choose.user") : undefined} required>
        {(ids) => <UserChoice {...ids} tenant={tenant} value={who} onChange={setWho} known={user} />}
      </Field>
      <Field label={say("grants.role")} error={tried && !role ? say("choose.role") : undefined} required>
        {(ids) => (
          <Choice
            {...ids}
            value={role}
            onChange={setRole}
            loading={roles === undefined}
            placeholder={say("choose.role")}
            options={(roles ?? []).filter((one) => !tenant || one.name !== PLATFORM_ADMIN).map((one) => ({ value: one.name, text: `${one.name} ${one.title}`, label: <span className="i-permission"><code>{one.name}</code><span className="k-quiet k-ellipsis">{one.title}</span></span> }))}
          />
        )}
      </Field>
      <PlaceChoice tenant={tenant} value={pattern} onChange={setPattern} />
      <Field label={say("grants.howLong")}>
        {() => (
          <Pick<Length>
            label={say("grants.howLong")}
            value={length}
            onChange={setLength}
            options={[{ value: "good", label: say("grants.forGood") }, { value: "hours8", label: say("grants.hours8") }, { value: "day", label: say("grants.day") }, { value: "month", label: say("grants.month") }, { value: "moment", label: say("grants.moment") }]}
          />
        )}
      </Field>
      {length === "moment" && <Field label={say("grants.until")}>{(ids) => <Moment {...ids} value={moment} onChange={setMoment} min={Date.now()} />}</Field>}
      <Field label={say("grants.notBefore")} hint={say("grants.notBeforeHint")}>{(ids) => <Moment {...ids} value={from} onChange={setFrom} />}</Field>
      <Field label={say("grants.reason")} hint={say("grants.reasonHint")}>{(ids) => <TextInput {...ids} value={reason} onChange={setReason} maxLength={500} />}</Field>
      <Changes complete={complete} wanted={{ user: who, role, pattern }} tenant={tenant} />
      {make.error && <ErrorState failure={failureOf(make.error, say("grants.failed"))} />}
      <Button kind={production ? "production" : "primary"} type="submit" busy={make.isPending}>{say(production ? "grants.giveInProduction" : "grants.give", { role: role || say("grants.aRole") })}</Button>
    </form>
  );
}

/** What the grant would change: what he would gain, by place, and what he holds already. */
function Changes({ complete, wanted, tenant }: { complete: boolean; wanted: NewGrant; tenant: string }): ReactNode {
  const say = useText("identity");
  const late = useLate(JSON.stringify(wanted), 250);
  const operation = tenant ? ("POST /api/v1/identity/tenants/{tenant}/grants/preview" as const) : ("POST /api/v1/identity/grants/preview" as const);
  const found = useRead(operation, { path: { tenant }, body: JSON.parse(late) as NewGrant } as never, { enabled: complete && late === JSON.stringify(wanted), keep: true });
  const count = (lines: { permissions: string[] }[]): number => lines.reduce((total, line) => total + line.permissions.length, 0);
  if (!complete) return <p className="i-changes k-quiet">{say("grants.previewNeeds")}</p>;
  if (found.error) return <div className="i-changes"><Note hue="warn" title={say(found.error.status === 422 || found.error.status === 400 ? "grants.cannot" : "grants.noPreview")}>{found.error.message}</Note></div>;
  if (!found.data) return <div className="i-changes"><Skeleton rows={3} /></div>;
  const gained = count(found.data.gained);
  const already = count(found.data.already);
  return (
    <section className="i-changes" aria-live="polite">
      <h3>{gained ? say("grants.gains", { count: gained }) : say("grants.gainsNothing")} {found.isFetching && <Reading what="" />}</h3>
      <Effect lines={found.data.gained} title={say("grants.gained")} mark="+" />
      {already > 0 && <Effect lines={found.data.already} title={say("grants.already", { count: already })} mark="=" />}
    </section>
  );
}
