"""`qiantang context`: the control planes that a person works with, as kubectl has them."""

from __future__ import annotations

import os

import click
import msgspec

from qiantang.cli import contexts, output, talk
from qiantang.cli.contexts import Context
from qiantang.cli.output import Column, Table
from qiantang.cli.session import Session, output_option
from qiantang.kernel import scope


class Shown(msgspec.Struct, frozen=True):
    """A context without its token."""

    name: str
    current: bool
    servers: list[str]
    user: str
    signed_in: bool
    tenant: str
    environment: str
    center: str
    application: str


TABLE = Table[Shown](
    noun="contexts",
    name=lambda one: one.name,
    columns=[
        Column("NAME", lambda one: one.name),
        Column("CURRENT", lambda one: "*" if one.current else ""),
        Column("SERVERS", lambda one: one.servers),
        Column("USER", lambda one: one.user),
        Column("SIGNED IN", lambda one: one.signed_in),
        Column("SCOPE", lambda one: "/".join((one.tenant, one.environment, one.center, one.application)).rstrip("/")),
    ],
)


@click.group()
def context() -> None:
    """The control planes that you work with, and your scope in each."""


@context.command("list")
@output_option
@click.pass_obj
def list_contexts(session: Session) -> None:
    """List the contexts."""
    known = contexts.load(_file())
    shown = [_shown(name, one, known.current) for name, one in sorted(known.contexts.items())]
    output.show_list(shown, TABLE, session.form, empty="no contexts yet: run qiantang login http://HOST:PORT")


@context.command()
@click.argument("name", default="")
@output_option
@click.pass_obj
def show(session: Session, name: str) -> None:
    """Show one context, the current one if none is named."""
    known = contexts.load(_file())
    wanted = name or session.context_name or known.current
    output.show_one(_shown(wanted, known.find(wanted), known.current), TABLE, session.form)


@context.command()
@click.argument("name")
def use(name: str) -> None:
    """Work with another context from now on."""
    known = contexts.load(_file())
    contexts.save(_file(), known.put(name, known.find(name)))
    talk.say(f"working with {name}")


@context.command("set")
@click.argument("name", default="")
@click.option("--servers", metavar="URL[,URL]", help="addresses of the servers")
@click.option("--ca-file", help="file of the authorities to trust")
@click.option("-t", "--tenant", help="tenant that is meant where none is given")
@click.option("-e", "--environment", help="environment that is meant where none is given")
@click.option("-c", "--center", help="center that is meant where none is given")
@click.option("-a", "--application", help="application that is meant where none is given")
@click.pass_obj
def set_context(session: Session, name: str, servers: str | None, ca_file: str | None, **place: str | None) -> None:
    """Make a context, or change what is given of one; an empty text takes a default back."""
    known = contexts.load(_file())
    wanted = name or session.context_name or known.current
    if not wanted:
        raise click.UsageError("which context? name one")
    before = known.contexts.get(wanted, Context())
    changes: dict[str, object] = {}
    for what, value in place.items():
        if value is not None:
            changes[what] = scope.check_name(value, what) if value else ""
    if ca_file is not None:
        changes["ca_file"] = ca_file
    if servers is not None:
        named = [one.strip() for one in servers.split(",") if one.strip()]
        # a token is for the servers that gave it
        changes |= {"servers": named, "token": before.token if named == before.servers else ""}
    after = msgspec.structs.replace(before, **changes)
    contexts.save(_file(), known.put(wanted, after, use=False))
    talk.say(f"changed {wanted}")


@context.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a context with its token; the token stays valid: see qiantang logout."""
    contexts.save(_file(), contexts.load(_file()).remove(name))
    talk.say(f"removed {name}")


def _file() -> contexts.Path:
    return contexts.default_file(os.environ)


def _shown(name: str, one: Context, current: str) -> Shown:
    return Shown(
        name=name,
        current=name == current,
        servers=one.servers,
        user=one.user,
        signed_in=bool(one.token),
        tenant=one.tenant,
        environment=one.environment,
        center=one.center,
        application=one.application,
    )
