"""`qiantang credential`: what an application proves itself with, shown once and ready to be used."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click
import msgspec

from qiantang.cli import contexts, files, output, publishing, talk
from qiantang.cli.connection import Connection, connect, path
from qiantang.cli.contexts import Context
from qiantang.cli.identity.nouns import address, confirm, delete, yes_option
from qiantang.cli.output import Column, Table
from qiantang.cli.place import PARTS, Place, part_options
from qiantang.cli.publishing import moment
from qiantang.cli.session import Session, output_option
from qiantang.identity import model
from qiantang.kernel import scope, settings

CREDENTIALS = Table[model.Credential](
    noun="credentials",
    name=lambda one: one.id,
    columns=[
        Column("ID", lambda one: one.id),
        Column("TITLE", lambda one: one.title),
        Column("ACTIVE", lambda one: one.active),
        Column("CREATED", lambda one: moment(one.created_at)),
        Column("BY", lambda one: one.created_by),
        Column("EXPIRES", lambda one: moment(one.expires_at)),
        Column("REVOKED", lambda one: moment(one.revoked_at)),
        Column("LAST USED", lambda one: moment(one.last_used_at)),
    ],
)


class Issued(msgspec.Struct, frozen=True, omit_defaults=True):
    """A new credential as it is shown: with its secret, or with the file that holds it."""

    id: str
    application: str
    expires_at: int
    secret: str = ""
    file: str = ""


ISSUED = Table[Issued](
    noun="credential",
    name=lambda one: one.id,
    columns=[
        Column("ID", lambda one: one.id),
        Column("APPLICATION", lambda one: one.application),
        Column("EXPIRES", lambda one: moment(one.expires_at) or "never"),
        Column("SECRET", lambda one: one.secret or f"in {one.file}"),
    ],
)


@click.group()
def credential() -> None:
    """What applications prove themselves with; two may be active, to change them without a gap."""


def issuing_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command that issues a credential the ways to hand it over."""
    for option in (
        click.option("--force", is_flag=True, help="write over a file that is there"),
        click.option("--file", "target", default="", help="write it there, for you alone, and show no secret"),
        click.option(
            "--format",
            "form",
            type=click.Choice(["env", "dotenv"]),
            help="env: export lines for a shell; dotenv: the same without export, for services and containers",
        ),
    ):
        command = option(command)
    return command


@credential.command("list")
@part_options(*PARTS, argument=True)
@output_option
@click.pass_obj
def list_credentials(session: Session, *, place: Place) -> None:
    """List the credentials of an application in an environment, newest first."""
    with connect(session) as connection:
        target = _path(place.scope(contexts.in_use(session)))
        output.show_list(connection.pages(target, model.Credential), CREDENTIALS, session.form)


@credential.command()
@click.option("--title", default="", help="what it is for")
@click.option("--expires", default="", help="when it ends: 2026-12-01T08:00, or +720h; else never")
@issuing_options
@part_options(*PARTS, argument=True)
@output_option
@click.pass_obj
def create(
    session: Session, *, title: str, expires: str, form: str | None, target: str, force: bool, place: Place
) -> None:
    """Make a credential; its secret is shown this once."""
    until = publishing.parse_moment(expires, time.time()) if expires else 0
    where = place.scope(contexts.in_use(session))
    order = model.NewCredential(title=title, expires_at=until)
    _issue(session, _path(where), order, _Handing(form, target, force))


@credential.command()
@click.argument("identifier", metavar="ID")
@click.option("--overlap", default="24h", show_default=True, help="how long the old one stays good; 0 ends it at once")
@issuing_options
@part_options(*PARTS, argument=True)
@yes_option
@output_option
@click.pass_obj
def rotate(
    session: Session,
    *,
    identifier: str,
    overlap: str,
    form: str | None,
    target: str,
    force: bool,
    place: Place,
    yes: bool,
) -> None:
    """Make a credential in another one's place; its secret is shown this once."""
    try:
        seconds = settings.parse_duration(overlap) // timedelta(seconds=1)
    except ValueError as error:
        raise click.BadParameter(f"{overlap!r} is no duration: write 24h, or 30m") from error
    where = place.scope(contexts.in_use(session))
    if not seconds:
        confirm(session, f"end credential {identifier} of {where} at once?", yes=yes)
    order = model.RotateCredential(overlap_seconds=seconds)
    _issue(session, _path(where, identifier, "rotate"), order, _Handing(form, target, force))


@credential.command()
@click.argument("identifier", metavar="ID")
@part_options(*PARTS, argument=True)
@yes_option
@click.pass_obj
def revoke(session: Session, *, identifier: str, place: Place, yes: bool) -> None:
    """End a credential, and what runs with it, within seconds."""
    where = place.scope(contexts.in_use(session))
    confirm(session, f"revoke credential {identifier} of {where}?", yes=yes)
    with connect(session) as connection:
        delete(connection, _path(where, identifier))
    talk.say(f"revoked credential {identifier}")


class _Handing(msgspec.Struct, frozen=True):
    """How a new credential is handed over."""

    form: str | None
    file: str
    force: bool


def _issue(session: Session, target: str, order: msgspec.Struct, handing: _Handing) -> None:
    context = contexts.in_use(session)
    with connect(session, context) as connection:
        if not handing.file:
            issued = _issued(connection, target, order)
            if handing.form:
                click.echo(_lines(context, issued, handing.form), nl=False)
            else:
                shown = Issued(issued.id, str(issued.scope), issued.expires_at, secret=issued.secret)
                output.show_one(shown, ISSUED, session.form)
            return
        # the file is opened first: a secret that nobody could keep would be lost
        with files.whole(Path(handing.file), force=handing.force) as opened:
            issued = _issued(connection, target, order)
            opened.write(_lines(context, issued, handing.form or "env").encode())
    output.show_one(Issued(issued.id, str(issued.scope), issued.expires_at, file=handing.file), ISSUED, session.form)


def _issued(connection: Connection, target: str, order: msgspec.Struct) -> model.IssuedCredential:
    issued = connection.post(target, order, model.IssuedCredential)
    talk.say(f"made credential {issued.id} of {issued.scope}; its secret is shown this once")
    return issued


def _lines(context: Context, issued: model.IssuedCredential, form: str) -> str:
    """Write what an application reads from its environment, in the order of a README."""
    values = {
        "servers": ",".join(context.servers),
        **{part: getattr(issued.scope, part) for part in PARTS},
        "credential": issued.id,
        "secret": issued.secret,
    }
    if context.ca_file:
        values["authority_file"] = str(Path(context.ca_file).expanduser().absolute())
    named = {f"QIANTANG_CLIENT_{name.upper()}": value for name, value in values.items()}
    if form == "env":
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in named.items())
    return "".join(f"{name}={value}\n" for name, value in named.items())


def _path(where: scope.Scope, *more: str) -> str:
    parts = ("tenant", "center", "application", "environment")
    return path(*address(parts, [getattr(where, part) for part in parts]), "credentials", *more)
