"""`qiantang role` and `qiantang grant`: sets of permissions, and who holds which of them where."""

from __future__ import annotations

import time

import click

from qiantang.cli import output, publishing, talk
from qiantang.cli.connection import path
from qiantang.cli.identity.home import open_home
from qiantang.cli.identity.nouns import confirm, delete, yes_option
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, part_options
from qiantang.cli.publishing import moment
from qiantang.cli.session import Session, output_option
from qiantang.identity import model
from qiantang.kernel import errors

ROLES = Table[model.Role](
    noun="roles",
    name=lambda one: one.name,
    columns=[
        Column("NAME", lambda one: one.name),
        Column("TENANT", lambda one: one.tenant or "(built in)"),
        Column("TITLE", lambda one: one.title),
        Column("PERMISSIONS", lambda one: one.permissions),
    ],
)

GRANTS = Table[model.RoleGrant](
    noun="grants",
    name=lambda one: one.id,
    columns=[
        Column("ID", lambda one: one.id),
        Column("USER", lambda one: one.user_name),
        Column("ROLE", lambda one: one.role),
        Column("SCOPE", lambda one: one.pattern),
        Column("FROM", lambda one: moment(one.not_before)),
        Column("UNTIL", lambda one: moment(one.expires)),
        Column("BY", lambda one: one.granted_by),
        Column("REASON", lambda one: one.reason),
    ],
)

LEVELS = ("platform", "tenant", "environment", "center", "application")
STATES = ("now", "later", "ending", "over")


@click.group()
def role() -> None:
    """Named sets of permissions, built in or of a tenant."""


@role.command("list")
@part_options("tenant")
@output_option
@click.pass_obj
def list_roles(session: Session, *, place: Place) -> None:
    """List the built-in roles, and a tenant's own."""
    with open_home(session, place, anywhere=True) as home:
        output.show_list(home.pages("roles", model.Role), ROLES, session.form)


@role.command()
@click.argument("name")
@part_options("tenant")
@output_option
@click.pass_obj
def show(session: Session, *, name: str, place: Place) -> None:
    """Show one role with its permissions."""
    with open_home(session, place, anywhere=True) as home:
        found = [one for one in home.pages("roles", model.Role) if one.name == name]
    if not found:
        raise errors.NotFoundError(f"there is no role {name!r} of {home}")
    output.show_one(found[0], ROLES, session.form)


@role.command()
@click.argument("name")
@click.argument("permissions", nargs=-1, required=True)
@click.option("--title", default="", help="what people call it")
@part_options("tenant")
@output_option
@click.pass_obj
def create(session: Session, *, name: str, permissions: tuple[str, ...], title: str, place: Place) -> None:
    """Make a role of a tenant.

    PERMISSIONS are such as config.namespace:publish, config.*:read or *:list.
    """
    with open_home(session, place) as home:
        command = model.NewRole(name=name, permissions=list(permissions), title=title)
        made = home.connection.post(home.path("roles"), command, model.Role)
    talk.say(f"created role {made.name} of {home}")
    output.show_one(made, ROLES, session.form)


@role.command("delete")
@click.argument("name")
@yes_option
@part_options("tenant")
@click.pass_obj
def delete_role(session: Session, *, name: str, yes: bool, place: Place) -> None:
    """Delete a role of a tenant that nobody holds."""
    with open_home(session, place) as home:
        confirm(session, f"delete role {name} of {home}?", yes=yes)
        delete(home.connection, home.path("roles", name))
    talk.say(f"deleted role {name}")


@click.group()
def grant() -> None:
    """Who holds which role where, and until when."""


@grant.command("list")
@click.option("--user", help="only those of this user, by name or id")
@click.option("--role", help="only those of this role")
@click.option("--place", "where", help="only those there: acme/prod")
@click.option("--level", type=click.Choice(LEVELS), help="only those whose scope names this last")
@click.option("--state", type=click.Choice(STATES), help="only those that count now, later, for a time, or no more")
@click.option("--words", help="only those that hold this in user, role, giver or reason")
@part_options("tenant")
@output_option
@click.pass_obj
def list_grants(session: Session, *, place: Place, where: str | None, **wanted: str | None) -> None:
    """List the grants in a tenant, or all where none is known."""
    with open_home(session, place, anywhere=True) as home:
        found = home.pages("grants", model.RoleGrant, place=where, **wanted)
    output.show_list(found, GRANTS, session.form)


@grant.command()
@click.argument("name", metavar="USER")
@click.argument("role_name", metavar="ROLE")
@click.argument("pattern", metavar="SCOPE")
@click.option("--from", "begins", default="", help="not before: 2026-12-01T08:00, or +10m")
@click.option("--until", "ends", default="", help="not after: 2026-12-01T08:00, or +8h; else for good")
@click.option("--reason", default="", help="why; kept in the audit log")
@click.option("--platform", is_flag=True, help="the user is one of the platform itself")
@output_option
@click.pass_obj
def add(session: Session, *, name: str, role_name: str, pattern: str, platform: bool, **given: str) -> None:
    """Give a user a role in a place.

    SCOPE is such as acme, acme/prod or acme/*/trade/order, or * for the platform as a whole. The user is one of the
    scope's tenant, or with --platform one of the platform.
    """
    tenant = pattern.partition("/")[0].replace("*", "")
    at = time.time()
    with open_home(session, Place(tenant=tenant), platform=platform or not tenant) as home:
        command = model.NewGrant(
            user=home.user(name).id,
            role=role_name,
            pattern=pattern,
            not_before=publishing.parse_moment(given["begins"], at) if given["begins"] else 0,
            expires=publishing.parse_moment(given["ends"], at) if given["ends"] else 0,
            reason=given["reason"],
        )
        made = home.connection.post(path("identity", "grants"), command, model.RoleGrant)
    talk.say(f"{made.user_name} holds {made.role} on {made.pattern}")
    output.show_one(made, GRANTS, session.form)


@grant.command()
@click.argument("identifier", metavar="ID")
@yes_option
@click.pass_obj
def remove(session: Session, *, identifier: str, yes: bool) -> None:
    """Take a grant back; it counts no more within seconds."""
    with open_home(session, Place(), anywhere=True) as home:
        confirm(session, f"take grant {identifier} back?", yes=yes)
        delete(home.connection, path("identity", "grants", identifier))
    talk.say(f"took grant {identifier} back")
