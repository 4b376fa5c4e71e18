"""`qiantang token`, `session` and `password`: what everybody looks after for himself."""

from __future__ import annotations

from typing import TypeVar

import click

from qiantang.cli import output, signing_in, talk
from qiantang.cli.connection import connect, path
from qiantang.cli.identity.nouns import confirm, delete, yes_option
from qiantang.cli.output import Column, Table
from qiantang.cli.publishing import moment
from qiantang.cli.session import Session, output_option
from qiantang.identity import model

T = TypeVar("T")

TOKENS = Table[model.AccessToken](
    noun="tokens",
    name=lambda one: one.id,
    columns=[
        Column("ID", lambda one: one.id),
        Column("NAME", lambda one: one.name),
        Column("SCOPE", lambda one: one.pattern),
        Column("PERMISSIONS", lambda one: one.permissions),
        Column("CREATED", lambda one: moment(one.created_at)),
        Column("EXPIRES", lambda one: moment(one.expires_at)),
        Column("LAST USED", lambda one: moment(one.last_used_at)),
    ],
)

ISSUED = Table[model.IssuedAccessToken](
    noun="token",
    name=lambda one: one.info.id,
    columns=[
        Column("ID", lambda one: one.info.id),
        Column("NAME", lambda one: one.info.name),
        Column("SCOPE", lambda one: one.info.pattern),
        Column("PERMISSIONS", lambda one: one.info.permissions),
        Column("EXPIRES", lambda one: moment(one.info.expires_at)),
        Column("TOKEN", lambda one: one.token),
    ],
)

SESSIONS = Table[model.SessionInfo](
    noun="sessions",
    name=lambda one: one.id,
    columns=[
        Column("ID", lambda one: one.id),
        Column("CURRENT", lambda one: one.current),
        Column("SINCE", lambda one: moment(one.created_at)),
        Column("SEEN", lambda one: moment(one.seen_at)),
        Column("ENDS", lambda one: moment(one.expires_at)),
        Column("ADDRESS", lambda one: one.address),
        Column("PROGRAM", lambda one: one.agent),
    ],
)

insecure_option = click.option("--insecure", is_flag=True, help="send the password without TLS to another machine")


@click.group()
def token() -> None:
    """Your own tokens for programs: they may never more than you."""


@token.command("list")
@output_option
@click.pass_obj
def list_tokens(session: Session) -> None:
    """List your tokens, newest first."""
    _list(session, "tokens", model.AccessToken, TOKENS)


@token.command()
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="how long it is good")
@click.option("--permission", "permissions", multiple=True, help="only this, such as config.*:read; may be repeated")
@click.option("--scope", "pattern", default="*", help="only there, such as acme/dev")
@click.option("--password-stdin", is_flag=True, help="read your password from stdin")
@insecure_option
@output_option
@click.pass_obj
def create(
    session: Session,
    *,
    name: str,
    days: int,
    permissions: tuple[str, ...],
    pattern: str,
    password_stdin: bool,
    insecure: bool,
) -> None:
    """Make a token for a program; it is shown this once.

    Needs your password: a token must not make another one.
    """
    order = model.NewAccessToken(
        name=name, lifetime_days=days, permissions=list(permissions) or ["*:*"], pattern=pattern
    )
    with signing_in.with_password(session, stdin=password_stdin, insecure=insecure) as (line, _):
        issued = line.post(path("identity", "tokens"), order, model.IssuedAccessToken)
    talk.say("keep it now: it is shown this once")
    output.show_one(issued, ISSUED, session.form)


@token.command("revoke")
@click.argument("identifier", metavar="ID")
@yes_option
@click.pass_obj
def revoke_token(session: Session, *, identifier: str, yes: bool) -> None:
    """End one of your tokens, within seconds."""
    _end(session, "token", identifier, yes=yes)


@click.group("session")
def browser_session() -> None:
    """Your own sessions in browsers."""


@browser_session.command("list")
@output_option
@click.pass_obj
def list_sessions(session: Session) -> None:
    """List your sessions, newest first."""
    _list(session, "sessions", model.SessionInfo, SESSIONS)


@browser_session.command("revoke")
@click.argument("identifier", metavar="ID")
@yes_option
@click.pass_obj
def revoke_session(session: Session, *, identifier: str, yes: bool) -> None:
    """End one of your sessions, within seconds."""
    _end(session, "session", identifier, yes=yes)


@click.command()
@click.option("--password-stdin", is_flag=True, help="read two lines of stdin: the password as it is, and the new one")
@insecure_option
@click.pass_obj
def password(session: Session, *, password_stdin: bool, insecure: bool) -> None:
    """Change your own password; your sessions end, your tokens stay."""
    with signing_in.with_password(session, stdin=password_stdin, insecure=insecure) as (line, current):
        fresh = signing_in.read_password(session, stdin=password_stdin, new=True)
        change = model.PasswordChange(current=current, new=fresh)
        line.post(path("identity", "me", "password"), change, type(None))
    talk.say("your password is changed")


def _list(session: Session, plural: str, kind: type[T], table: Table[T]) -> None:
    with connect(session) as connection:
        output.show_list(connection.pages(path("identity", plural), kind), table, session.form)


def _end(session: Session, noun: str, identifier: str, *, yes: bool) -> None:
    confirm(session, f"end {noun} {identifier}?", yes=yes)
    with connect(session) as connection:
        delete(connection, path("identity", f"{noun}s", identifier))
    talk.say(f"ended {noun} {identifier}")
