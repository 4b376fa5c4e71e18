import type { ReactNode } from "react";
import { useNavigate, useParams } from "react-router";
import { asCurl, call, failureOf, useDo } from "../api";
import { Button, Confirm, DataTable, Empty, ErrorState, FilterBar, PageHead, Reading, SearchInput, StatusTag, Tabs } from "../kit";
import { useMay, usePage, useQueryState, useQueryStates, useText, useWhose } from "../shell";
import { Failed } from "./Failed";
import { grantColumns } from "./GrantParts";
import { Matrix } from "./Matrix";
import { expanded, useGrants, usePermissions, useRoles } from "./people";
import { RoleEditor } from "./RoleEditor";
import { ROLES } from "./operations";
import "./identity.css";

/** A role: what it permits, who holds it, and changing it where it is a tenant's own. */
export function Role(): ReactNode {
  const { role: name = "" } = useParams();
  const say = useText("identity");
  const whose = useWhose();
  const may = useMay();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const list = ROLES(whose.tenant);
  const found = useRoles(whose.tenant);
  const permissions = usePermissions();
  const role = found.roles?.find((one) => one.name === name);
  const seesGrants = may("identity.grant:list", whose.where);
  const granted = useGrants(whose.tenant, { role: name }, { enabled: seesGrants });
  const holders = granted.rows;
  const count = granted.more ? undefined : holders?.length;
  const own = (role?.tenant ?? "") !== "";
  const mayChange = own && may("identity.role:update", whose.where);
  const mayDelete = own && may("identity.role:delete", whose.where);
  const editing = query.get("edit") === "1" && mayChange;
  const tab = query.get("tab") === "holders" ? "holders" : "permissions";
  const here = whose.to("roles", name);
  const remove = useDo(async () => {
    await call("DELETE /api/v1/identity/tenants/{tenant}/roles/{role}", { path: { tenant: whose.tenant, role: name } });
    void navigate(whose.to("roles"));
  });
  usePage({
    title: name,
    cli: `qiantang role show ${name}${whose.tenant ? ` ${whose.flag}` : ""}`,
    api: asCurl(list, { path: { tenant: whose.tenant } }),
    readAt: found.readAt,
    actions: mayChange ? [{ key: "edit", label: say("roles.edit"), keys: "e", run: () => change({ edit: "1" }) }] : [],
  });
  if (found.error && !found.roles) return <Failed error={found.error} what={name} needs="identity.role:list" again={found.again} />;
  if (!found.roles || !permissions) return <Reading />;
  if (!role) return <Empty title={say("roles.missing", { name: name.slice(0, 80) })} actions={<Button to={whose.to("roles")}>{say("roles.all")}</Button>} />;
  if (editing) return <RoleEditor role={role} permissions={permissions} holders={count} />;
  const held = holders !== undefined && holders.length > 0;
  const why = !own ? say("roles.builtInFixed") : held ? say("roles.firstTakeBack", { count: holders.length }) : say("needs", { permission: "identity.role:delete" });
  return (
    <>
      <PageHead
        crumbs={[{ label: say("roles.title"), to: whose.to("roles") }]}
        title={role.name}
        mono
        tags={<><StatusTag boxed hue={own ? "info" : "idle"}>{say(own ? "roles.own" : "roles.builtIn")}</StatusTag><bdi className="k-quiet k-ellipsis i-title">{role.title}</bdi></>}
        actions={
          <>
            <Button kind="danger" disabled={!mayDelete || held} reason={why} onClick={() => change({ do: "delete" })}>{say("roles.delete")}</Button>
            <Button kind="primary" icon="edit" keys="E" disabled={!mayChange} reason={own ? say("needs", { permission: "identity.role:update" }) : say("roles.builtInFixed")} onClick={() => change({ edit: "1" })}>{say("roles.edit")}</Button>
          </>
        }
      />
      <Tabs
        label={role.name}
        active={tab}
        items={[
          { key: "permissions", label: say("roles.permissions"), to: here, count: expanded(role.permissions, permissions).size },
          { key: "holders", label: say("roles.holders"), to: `${here}?tab=holders`, count },
        ]}
      />
      {tab === "permissions" ? (
        <>
          <FilterBar right={<code className="k-ellipsis i-written" title={role.permissions.join(" ")}>{role.permissions.join(" ")}</code>}>
            <SearchInput value={words} onChange={setWords} label={say("roles.filterPermissions")} />
          </FilterBar>
          <Matrix permissions={permissions} lines={role.permissions} words={words} />
        </>
      ) : !seesGrants ? (
        <Empty title={say("roles.holdersHidden")}>{say("needs", { permission: "identity.grant:list" })}</Empty>
      ) : granted.error && !holders ? (
        <Failed error={granted.error} what={say("roles.holders")} needs="identity.grant:list" again={granted.again} />
      ) : (
        <DataTable
          label={say("roles.holders")}
          name="role-holders"
          rows={holders}
          rowKey={(row) => row.id}
          rowName={(row) => `${row.role}, ${row.user_name}`}
          columns={grantColumns(say, whose.to, true).filter((column) => column.key !== "role")}
          onOpen={(row) => void navigate(`${whose.to("grants")}?peek=${row.id}`)}
          empty={<Empty title={say("roles.nobody")} actions={<Button to={`${whose.to("grants")}?new=1&role=${encodeURIComponent(role.name)}`}>{say("grants.new")}</Button>} cli={`qiantang grant add USER ${role.name} ${whose.tenant || "'*'"}`}>{say("roles.nobodyText")}</Empty>}
          onMore={granted.more}
          loadingMore={granted.loadingMore}
        />
      )}
      <Confirm
        open={query.get("do") === "delete" && mayDelete}
        onClose={() => change({ do: "" })}
        onConfirm={() => remove.mutate(undefined)}
        title={say("roles.deleteTitle", { name: role.name })}
        consequence={<strong>{say("roles.deleteConsequence", { name: role.name })}</strong>}
        action={say("roles.deleteTitle", { name: role.name })}
        typed={role.name}
        busy={remove.isPending}
        error={remove.error && <ErrorState failure={failureOf(remove.error, say("estate.notDeleted"))} />}
      />
    </>
  );
}
