"""`qiantang tenant`, `environment`, `center` and `application`: where everything belongs."""

from __future__ import annotations

import click

from qiantang.cli import contexts, output
from qiantang.cli.connection import connect, path
from qiantang.cli.identity.nouns import (
    MOST_IN_A_PAGE,
    Kind,
    create_verb,
    delete_verb,
    list_verb,
    show_verb,
    sort_option,
    update_verb,
)
from qiantang.cli.output import Column
from qiantang.cli.place import Place, part_options
from qiantang.cli.session import Session, output_option
from qiantang.identity import model

TENANT = Kind(
    parts=("tenant",),
    model=model.Tenant,
    new=model.NewTenant,
    change=model.TenantChange,
    columns=[Column("DISABLED", lambda one: one.disabled)],
    risky={"disabled": "nobody of it gets in, neither people nor applications"},
)
ENVIRONMENT = Kind(
    parts=("tenant", "environment"),
    model=model.Environment,
    new=model.NewEnvironment,
    change=model.EnvironmentChange,
    columns=[Column("PROTECTED", lambda one: one.protected)],
    loss=" What runs there drops all that it holds.",
)
CENTER = Kind(
    parts=("tenant", "center"),
    model=model.Center,
    new=model.NewCenter,
    loss=" It must have no applications.",
)
APPLICATION = Kind(
    parts=("tenant", "center", "application"),
    model=model.Application,
    new=model.NewApplication,
    change=model.ApplicationChange,
    columns=[Column("OWNER", lambda one: one.owner)],
    loss=" What runs of it drops all that it holds, in every environment.",
)

TITLE = click.option("--title", help="what people call it")
DISABLED = click.option("--disabled/--enabled", default=None, help="let nobody of it in, or let them in again")
PROTECTED = click.option(
    "--protected/--unprotected", default=None, help="whether a second person approves each publish"
)
OWNER = click.option("--owner", metavar="ID", help="id of the user it belongs to; empty for nobody")


@click.command("list")
@click.option("--all", "everywhere", is_flag=True, help="of every center, even where the context names one")
@sort_option
@part_options("tenant", "center")
@output_option
@click.pass_obj
def list_applications(session: Session, *, everywhere: bool, sort: str | None, place: Place) -> None:
    """List the applications of a center, or of every one."""
    context = contexts.in_use(session)
    (tenant,) = place.names(context, ["tenant"])
    center = None if everywhere else place.center or context.center or None
    target = path("identity", "tenants", tenant, "applications", limit=MOST_IN_A_PAGE, center=center, sort=sort)
    with connect(session) as connection:
        found = connection.pages(target, model.Application)
    output.show_list(found, APPLICATION.table, session.form)


tenant = click.Group(
    "tenant",
    help="Customers or companies: nothing of one is seen by another.",
    commands=[list_verb(TENANT), show_verb(TENANT), create_verb(TENANT, TITLE), update_verb(TENANT, TITLE, DISABLED)],
)
environment = click.Group(
    "environment",
    help="Stages of a tenant, such as dev and prod.",
    commands=[
        list_verb(ENVIRONMENT),
        create_verb(ENVIRONMENT, TITLE, PROTECTED),
        update_verb(ENVIRONMENT, TITLE, PROTECTED),
        delete_verb(ENVIRONMENT),
    ],
)
center = click.Group(
    "center",
    help="Business centers of a tenant, which applications belong to.",
    commands=[list_verb(CENTER), create_verb(CENTER, TITLE), delete_verb(CENTER)],
)
application = click.Group(
    "application",
    help="Applications of a center; each exists in every environment of its tenant.",
    commands=[
        list_applications,
        show_verb(APPLICATION),
        create_verb(APPLICATION, TITLE, OWNER),
        update_verb(APPLICATION, TITLE, OWNER),
        delete_verb(APPLICATION),
    ],
)
