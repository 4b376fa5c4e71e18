import { useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, type RoleGrant } from "../api";
import { Button, Choice, DataTable, Empty, FilterBar, NoMatch, PageHead, Peek, SavedViews, SearchInput } from "../kit";
import { useMay, usePage, useQueryState, useQueryStates, useText, useWhose } from "../shell";
import { Failed } from "./Failed";
import { GrantForm } from "./GrantForm";
import { GrantFacts, grantColumns, TakeBack } from "./GrantParts";
import { among, shortPattern, stateOf, useGrants, useRoles } from "./people";
import { GRANTS } from "./operations";
import "./identity.css";

/** Whether two patterns have a place in common where the wanted one is a beginning, as acme/prod. */
function within(pattern: string, wanted: string): boolean {
  return shortPattern(pattern).toLowerCase().includes(wanted.trim().toLowerCase());
}

/** Who holds which role where, and until when. */
export function Grants(): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const may = useMay();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [user, setUser] = useQueryState("user");
  const [role, setRole] = useQueryState("role");
  const [pattern, setPattern] = useQueryState("pattern");
  const [state, setState] = useQueryState("state");
  const [taking, setTaking] = useState<RoleGrant>();
  const { roles } = useRoles(whose.tenant);
  const all = useGrants(whose.tenant);
  const filtered = user !== "" || role !== "" || pattern !== "" || state !== "";
  const rows = among(
    all,
    (one) =>
      (!user || one.user_name.toLowerCase().includes(user.trim().toLowerCase()) || one.user === user) &&
      (!role || one.role === role) &&
      (!pattern || within(one.pattern, pattern)) &&
      (!state || (state === "ending" ? one.expires > 0 && stateOf(one) !== "over" : stateOf(one) === state)),
  );
  const open = all.grants?.find((one) => one.id === query.get("peek"));
  const mayGrant = may("identity.grant:grant", whose.where);
  const mayTake = may("identity.grant:delete", whose.where);
  const lacks = say("needs", { permission: "identity.grant:grant" });
  const make = (): void => change({ new: "1", peek: "" });
  const clear = (): void => change({ user: "", role: "", pattern: "", state: "" });
  const title = say(whose.tenant ? "grants.title" : "grants.platformTitle");
  usePage({
    title,
    cli: `qiantang grant list${user ? ` --user ${user}` : ""}${whose.tenant ? ` -t ${whose.tenant}` : ""}`,
    api: asCurl(GRANTS(whose.tenant), { path: { tenant: whose.tenant } }),
    readAt: all.readAt,
    actions: mayGrant ? [{ key: "new", label: say("grants.new"), keys: "c", run: make }] : [],
  });
  const takeBack = (row: RoleGrant): ReactNode => <Button size="small" kind="quiet" disabled={!mayTake} reason={say("needs", { permission: "identity.grant:delete" })} onClick={() => setTaking(row)}>{say("grants.take")}</Button>;
  return (
    <>
      <PageHead title={title} note={whose.tenant ? undefined : say("grants.platformNote")} actions={<Button kind="primary" icon="plus" keys="C" disabled={!mayGrant} reason={lacks} onClick={make}>{say("grants.new")}</Button>} />
      <FilterBar
        right={
          <>
            {rows && all.grants && (filtered ? say("grants.of", { count: rows.length, total: all.grants.length }) : say("shown", { count: rows.length, more: all.cut ? "+" : "" }))}
            <SavedViews name="grants" query={query.toString()} onOpen={(saved) => void navigate(`?${saved}`)} />
          </>
        }
      >
        <SearchInput value={user} onChange={setUser} label={say("grants.filterUser")} width={200} />
        <Choice aria-label={say("grants.role")} value={role} onChange={setRole} width={170} options={[{ value: "", label: say("grants.anyRole"), text: "" }, ...(roles ?? []).map((one) => ({ value: one.name, label: one.name }))]} />
        <SearchInput value={pattern} onChange={setPattern} label={say("grants.filterPattern")} width={200} keys="" />
        <Choice
          aria-label={say("grants.time")}
          value={state}
          onChange={setState}
          width={150}
          options={[{ value: "", label: say("grants.anyTime") }, { value: "now", label: say("grants.inForce") }, { value: "later", label: say("grants.later") }, { value: "ending", label: say("grants.ending") }, { value: "over", label: say("grants.isOver") }]}
        />
      </FilterBar>
      {all.error && !all.grants ? (
        <Failed error={all.error} what={title} needs="identity.grant:list" again={all.again} />
      ) : (
        <DataTable
          label={title}
          name="grants"
          rows={rows}
          rowKey={(row) => row.id}
          rowName={(row) => `${row.role}, ${row.user_name}`}
          columns={[...grantColumns(say, whose.to, true), { key: "take", title: "", width: 100, align: "right", render: takeBack }]}
          onOpen={(row) => change({ peek: row.id })}
          openKey={open?.id}
          empty={
            filtered ? (
              <NoMatch title={say("grants.noMatch")} onClear={clear}>{say("grants.searched", { count: all.grants?.length ?? 0 })}</NoMatch>
            ) : (
              <Empty title={say("grants.none")} actions={<Button kind="primary" icon="plus" disabled={!mayGrant} reason={lacks} onClick={make}>{say("grants.new")}</Button>} cli={`qiantang grant add USER viewer ${whose.tenant || "'*' --platform"}`}>
                {say("grants.noneText")}
              </Empty>
            )
          }
          foot={all.cut ? say("grants.cut", { count: all.grants?.length }) : undefined}
        />
      )}
      <Peek open={open !== undefined} onClose={() => change({ peek: "" })} title={<code>{open?.role}</code>} foot={open && <>{takeBack(open)}<Button to={`${whose.to("users", open.user)}?tab=why`}>{say("user.why")}</Button></>}>
        {open && <GrantFacts grant={open} />}
      </Peek>
      <Peek open={query.get("new") === "1"} onClose={() => change({ new: "" })} title={say("grants.new")} width={520}>
        <GrantForm role={role} onDone={(made) => change({ new: "", peek: made.id })} />
      </Peek>
      <TakeBack grant={taking} onClose={() => setTaking(undefined)} onDone={() => change({ peek: "" })} />
    </>
  );
}
