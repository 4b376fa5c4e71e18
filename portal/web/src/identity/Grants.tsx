import { useState, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { asCurl, quoted, type RoleGrant } from "../api";
import { Button, Choice, DataTable, Empty, FilterBar, NoMatch, PageHead, Peek, SavedViews, SearchInput } from "../kit";
import { useLate, useMay, usePage, useQueryState, useQueryStates, useText, useWhose } from "../shell";
import { Failed } from "./Failed";
import { GrantForm } from "./GrantForm";
import { GrantFacts, grantColumns, TakeBack } from "./GrantParts";
import { useGrant, useGrants, useRoles, type WantedGrants } from "./people";
import { GRANTS } from "./operations";
import "./identity.css";

const FILTERS = ["words", "role", "place", "level", "state", "user"] as const;
const LEVELS = ["platform", "tenant", "environment", "center", "application"] as const;

/** Who holds which role where, and until when. */
export function Grants(): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const may = useMay();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const [place, setPlace] = useQueryState("place");
  const role = query.get("role") ?? "";
  const [taking, setTaking] = useState<RoleGrant>();
  const { roles } = useRoles(whose.tenant);
  const set = FILTERS.filter((name) => query.get(name));
  const wanted: WantedGrants = { ...Object.fromEntries(set.map((name) => [name, query.get(name)])), words: useLate(words, 200), place: useLate(place, 200) };
  const found = useGrants(whose.tenant, wanted, { keep: true });
  const peek = query.get("peek") ?? "";
  const listed = found.rows?.find((one) => one.id === peek);
  const alone = useGrant(whose.tenant, peek, found.rows !== undefined && listed === undefined);
  const open = listed ?? alone;
  const mayGrant = may("identity.grant:grant", whose.where);
  const mayTake = may("identity.grant:delete", whose.where);
  const lacks = say("needs", { permission: "identity.grant:grant" });
  const make = (): void => change({ new: "1", peek: "" });
  const clear = (): void => change(Object.fromEntries(FILTERS.map((name) => [name, ""])));
  const title = say(whose.tenant ? "grants.title" : "grants.platformTitle");
  usePage({
    title,
    cli: `qiantang grant list${set.map((name) => ` --${name} ${quoted(query.get(name) ?? "")}`).join("")}${whose.tenant ? ` -t ${whose.tenant}` : ""}`,
    api: asCurl(GRANTS(whose.tenant), { path: { tenant: whose.tenant }, query: wanted }),
    readAt: found.readAt,
    actions: mayGrant ? [{ key: "new", label: say("grants.new"), keys: "c", run: make }] : [],
  });
  const takeBack = (row: RoleGrant): ReactNode => <Button size="small" kind="quiet" disabled={!mayTake} reason={say("needs", { permission: "identity.grant:delete" })} onClick={() => setTaking(row)}>{say("grants.take")}</Button>;
  return (
    <>
      <PageHead title={title} note={whose.tenant ? undefined : say("grants.platformNote")} actions={<Button kind="primary" icon="plus" keys="C" disabled={!mayGrant} reason={lacks} onClick={make}>{say("grants.new")}</Button>} />
      <FilterBar
        right={
          <>
            {found.rows && say("shown", { count: found.rows.length, more: found.more ? "+" : "" })}
            <SavedViews name="grants" query={query.toString()} onOpen={(saved) => void navigate(`?${saved}`)} />
          </>
        }
      >
        <SearchInput value={words} onChange={setWords} label={say("grants.filter")} width={230} />
        <Choice aria-label={say("grants.role")} value={role} onChange={(next) => change({ role: next })} width={170} options={[{ value: "", label: say("grants.anyRole"), text: "" }, ...(roles ?? []).map((one) => ({ value: one.name, label: one.name }))]} />
        <SearchInput value={place} onChange={setPlace} label={say("grants.filterPattern")} width={230} keys="" />
        <Choice
          aria-label={say("grants.level")}
          value={query.get("level") ?? ""}
          onChange={(next) => change({ level: next })}
          width={150}
          options={[{ value: "", label: say("grants.anyLevel") }, ...LEVELS.map((value) => ({ value, label: say(`grants.levels.${value}`) }))]}
        />
        <Choice
          aria-label={say("grants.time")}
          value={query.get("state") ?? ""}
          onChange={(next) => change({ state: next })}
          width={150}
          options={[{ value: "", label: say("grants.anyTime") }, { value: "now", label: say("grants.inForce") }, { value: "later", label: say("grants.later") }, { value: "ending", label: say("grants.ending") }, { value: "over", label: say("grants.isOver") }]}
        />
      </FilterBar>
      {found.error && !found.rows ? (
        <Failed error={found.error} what={title} needs="identity.grant:list" again={found.again} />
      ) : (
        <DataTable
          label={title}
          name="grants"
          rows={found.rows}
          rowKey={(row) => row.id}
          rowName={(row) => `${row.role}, ${row.user_name}`}
          columns={[...grantColumns(say, whose.to, true), { key: "take", title: "", width: 100, align: "right", render: takeBack }]}
          onOpen={(row) => change({ peek: row.id })}
          openKey={open?.id}
          empty={
            set.length > 0 ? (
              <NoMatch title={say("grants.noMatch")} onClear={clear}>{say("grants.searched")}</NoMatch>
            ) : (
              <Empty title={say("grants.none")} actions={<Button kind="primary" icon="plus" disabled={!mayGrant} reason={lacks} onClick={make}>{say("grants.new")}</Button>} cli={`qiantang grant add USER viewer ${whose.tenant || "'*' --platform"}`}>
                {say("grants.noneText")}
              </Empty>
            )
          }
          onMore={found.more}
          loadingMore={found.loadingMore}
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
