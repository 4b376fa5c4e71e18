import type { ReactNode } from "react";
import { asCurl, type Role } from "../api";
import { Button, DataTable, FilterBar, NoMatch, PageHead, Reading, Ref, SearchInput, type Column } from "../kit";
import { Marked, useMay, usePage, useQueryState, useQueryStates, useText, useWhose } from "../shell";
import { Failed } from "./Failed";
import { expanded, usePermissions, useRoles } from "./people";
import { RoleEditor } from "./RoleEditor";
import { ROLES } from "./operations";
import "./identity.css";

/** The roles that are built in, and a tenant's own. */
export function Roles(): ReactNode {
  const say = useText("identity");
  const whose = useWhose();
  const may = useMay();
  const [query, change] = useQueryStates();
  const [words, setWords] = useQueryState("words");
  const list = ROLES(whose.tenant);
  const args = { path: { tenant: whose.tenant } };
  const found = useRoles(whose.tenant);
  const permissions = usePermissions();
  const mayMake = whose.tenant !== "" && may("identity.role:create", whose.where);
  const making = query.get("new") === "1" && mayMake;
  const make = (): void => change({ new: "1" });
  usePage({
    title: say(making ? "roles.new" : "roles.title"),
    cli: making ? `qiantang role create NAME PERMISSIONS... ${whose.flag}` : whose.tenant ? `qiantang role list ${whose.flag}` : "qiantang role list",
    api: asCurl(list, args),
    readAt: found.readAt,
    actions: mayMake ? [{ key: "new", label: say("roles.new"), keys: "c", run: make }] : [],
  });
  if (making) return permissions ? <RoleEditor permissions={permissions} /> : <Reading />;
  const wanted = words.trim().toLowerCase();
  const rows = found.roles?.filter((one) => `${one.name} ${one.title} ${one.permissions.join(" ")}`.toLowerCase().includes(wanted));
  const columns: Column<Role>[] = [
    { key: "name", title: say("estate.name"), names: true, width: 200, render: (row) => <Ref mono name={<Marked text={row.name} words={words} />} title={row.name} to={whose.to("roles", row.name)} /> },
    { key: "kind", title: say("roles.kind"), width: 120, render: (row) => (row.tenant ? say("roles.own") : <span className="k-quiet">{say("roles.builtIn")}</span>) },
    { key: "title", title: say("roles.means"), width: 420, render: (row) => <bdi className="k-ellipsis" title={row.title}>{row.title ? <Marked text={row.title} words={words} /> : "—"}</bdi> },
    { key: "count", title: say("roles.permissions"), width: 120, align: "right", render: (row) => (permissions ? `${expanded(row.permissions, permissions).size} / ${permissions.length}` : "—") },
    { key: "lines", title: say("roles.written"), width: 320, optional: true, render: (row) => <code className="k-ellipsis" title={row.permissions.join(" ")}>{row.permissions.join(" ")}</code> },
  ];
  return (
    <>
      <PageHead
        title={say("roles.title")}
        note={say(whose.tenant ? "roles.note" : "roles.platformNote")}
        actions={whose.tenant && <Button kind="primary" icon="plus" keys="C" disabled={!mayMake} reason={say("needs", { permission: "identity.role:create" })} onClick={make}>{say("roles.new")}</Button>}
      />
      <FilterBar right={rows && say("shown", { count: rows.length, more: "" })}>
        <SearchInput value={words} onChange={setWords} label={say("roles.filter")} />
      </FilterBar>
      {found.error && !found.roles ? (
        <Failed error={found.error} what={say("roles.title")} needs="identity.role:list" again={found.again} />
      ) : (
        <DataTable label={say("roles.title")} name="roles" rows={rows} rowKey={(row) => `${row.tenant}/${row.name}`} columns={columns} empty={<NoMatch title={say("roles.noMatch", { words })} onClear={() => setWords("")}>{say("roles.searched")}</NoMatch>} />
      )}
    </>
  );
}
