import { useState, type ReactNode } from "react";
import { useRead } from "../api";
import { Choice, Field, type Option } from "../kit";
import { useLate, useText } from "../shell";
import { usePermissions } from "./people";
import { USERS } from "./operations";

interface Ids {
  id?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
  "aria-label"?: string;
}

/** A permission, found by its name or by what it means. */
export function PermissionChoice({ value, onChange, ...ids }: Ids & { value: string; onChange: (value: string) => void }): ReactNode {
  const say = useText("identity");
  const all = usePermissions();
  const options: Option[] = (all ?? []).map((one) => ({
    value: one.name,
    text: `${one.name} ${one.meaning}`,
    label: (
      <span className="i-permission" title={one.meaning}>
        <code>{one.name}</code>
        <span className="k-quiet k-ellipsis">{one.meaning}</span>
      </span>
    ),
  }));
  return <Choice {...ids} value={value} onChange={onChange} options={options} placeholder={say("choose.permission")} loading={all === undefined} />;
}

/** A person, found as one types. */
export function UserChoice({ tenant, value, onChange, known, ...ids }: Ids & { tenant: string; value: string; onChange: (value: string) => void; known?: { id: string; name: string } | undefined }): ReactNode {
  const say = useText("identity");
  const [typed, setTyped] = useState("");
  const late = useLate(typed, 200);
  const found = useRead(USERS(tenant), { path: { tenant } as never, query: { words: late, limit: 50 } as never }, { keep: true, topics: [] });
  const options: Option[] = (found.data?.items ?? []).map((one) => ({
    value: one.id,
    text: one.name,
    label: (
      <span className="i-permission" title={one.title}>
        <code>{one.name}</code>
        <bdi className="k-quiet k-ellipsis">{[one.title, tenant ? "" : one.tenant || say("users.ofPlatform")].filter(Boolean).join(" · ")}</bdi>
      </span>
    ),
  }));
  if (known && !options.some((one) => one.value === known.id)) options.push({ value: known.id, label: <code>{known.name}</code>, text: known.name });
  return <Choice {...ids} value={value} onChange={onChange} onSearch={setTyped} options={options} placeholder={say("choose.user")} loading={found.isFetching} />;
}

const ANY = "*";

/** Where: environment, center and application of a tenant, each found by typing; any of them may be left open. */
export function PlaceChoice({ tenant, value, onChange, error }: { tenant: string; value: string; onChange: (pattern: string) => void; error?: ReactNode }): ReactNode {
  const say = useText("identity");
  const [own = ANY, environment = ANY, center = ANY, application = ANY] = value.split("/");
  const [words, setWords] = useState({ tenant: "", center: "", application: "" });
  const late = useLate(words, 200);
  const home = tenant || own;
  const inTenant = home !== ANY && home !== "";
  const tenants = useRead("GET /api/v1/identity/tenants", { query: { words: late.tenant, limit: 50 } }, { keep: true, topics: [], enabled: !tenant });
  const environments = useRead("GET /api/v1/identity/tenants/{tenant}/environments", { path: { tenant: home }, query: { limit: 200 } }, { topics: [], enabled: inTenant });
  const centers = useRead("GET /api/v1/identity/tenants/{tenant}/centers", { path: { tenant: home }, query: { words: late.center, limit: 50 } }, { topics: [], enabled: inTenant, keep: true });
  const applications = useRead("GET /api/v1/identity/tenants/{tenant}/applications", { path: { tenant: home }, query: { center: center === ANY ? "" : center, words: late.application, limit: 50 } }, { topics: [], enabled: inTenant, keep: true });
  const set = (change: Partial<Record<"tenant" | "environment" | "center" | "application", string>>): void => {
    const next = { tenant: home, environment, center, application, ...change };
    const parts = [next.tenant, next.environment, next.center, next.application];
    while (parts.length > 1 && parts[parts.length - 1] === ANY) parts.pop();
    onChange(parts.join("/"));
  };
  const options = (found: { name: string; title: string }[] | undefined, chosen: string, any: string): Option[] => {
    const list: Option[] = [{ value: ANY, label: any, text: any }, ...(found ?? []).map((one) => ({ value: one.name, text: `${one.name} ${one.title}`, label: <span className="i-permission"><code>{one.name}</code><span className="k-quiet k-ellipsis">{one.title}</span></span> }))];
    if (chosen !== ANY && !list.some((one) => one.value === chosen)) list.push({ value: chosen, label: <code>{chosen}</code>, text: chosen });
    return list;
  };
  return (
    <div className="i-place">
      {!tenant && (
        <Field label={say("place.tenant")}>
          {(ids) => <Choice {...ids} value={home} onChange={(name) => onChange(name)} onSearch={(text) => setWords({ ...words, tenant: text })} options={options(tenants.data?.items, home, say("place.platform"))} />}
        </Field>
      )}
      {inTenant && (
        <>
          <Field label={say("place.environment")}>
            {(ids) => <Choice {...ids} value={environment} onChange={(name) => set({ environment: name })} options={options(environments.data?.items, environment, say("place.everyEnvironment"))} />}
          </Field>
          <Field label={say("place.center")}>
            {(ids) => <Choice {...ids} value={center} onChange={(name) => set({ center: name, application: ANY })} onSearch={(text) => setWords({ ...words, center: text })} options={options(centers.data?.items, center, say("place.everyCenter"))} />}
          </Field>
          <Field label={say("place.application")} error={error}>
            {(ids) => (
              <Choice
                {...ids}
                value={application === ANY ? ANY : `${center}/${application}`}
                onChange={(name) => {
                  const [of = ANY, one = ANY] = name.split("/");
                  set(name === ANY ? { application: ANY } : { center: of, application: one });
                }}
                onSearch={(text) => setWords({ ...words, application: text })}
                options={options((applications.data?.items ?? []).map((one) => ({ name: `${one.center}/${one.name}`, title: one.title })), application === ANY ? ANY : `${center}/${application}`, say("place.everyApplication"))}
              />
            )}
          </Field>
        </>
      )}
      <p className="i-pattern"><span className="k-quiet">{say("place.pattern")}</span> <code>{value || home}</code></p>
    </div>
  );
}
