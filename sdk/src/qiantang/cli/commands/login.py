"""`qiantang login`: from a password, or the first start's token, to a token that the context keeps."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from typing import Any

import click
import msgspec

from qiantang.cli import contexts, signing_in, talk
from qiantang.cli.connection import connect, path
from qiantang.cli.contexts import Context
from qiantang.cli.direct import Direct
from qiantang.cli.session import Session
from qiantang.identity import model
from qiantang.kernel import errors

TOKEN_FORM = "qt_pat_"  # noqa: S105  # how tokens begin


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What was asked for."""

    first: str | None = field(repr=False)
    user: str
    tenant: str
    password_stdin: bool
    token_stdin: bool
    days: int
    ca_file: str
    name: str
    insecure: bool


@click.command()
@click.argument("server", default="")
@click.option("--first", metavar="TOKEN", help="token that the first start printed: makes you the administrator")
@click.option("--user", default="", help="name of the user")
@click.option("--tenant", default="", help="tenant of the user; none for an administrator of the platform")
@click.option("--password-stdin", is_flag=True, help="read the password from stdin")
@click.option("--token-stdin", is_flag=True, help="keep a token that you have already, read from stdin")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="how long the token is good")
@click.option("--ca-file", default="", help="file of the authorities to trust")
@click.option("--name", default="", help="name of the context to keep it in")
@click.option("--insecure", is_flag=True, help="send the password without TLS to another machine")
@click.pass_obj
def login(session: Session, server: str, **given: Any) -> None:
    """Sign in to a control plane and keep a token for it.

    The password is used once and not kept. The token is kept in the contexts file, which only you can read.
    """
    wanted = _Wanted(**given)
    file = contexts.default_file(os.environ)
    known = contexts.load(file)
    name = wanted.name or session.context_name or _name_of(known, server)
    context = _context(session, known.contexts.get(name, Context()), server, wanted.ca_file)
    line = signing_in.private_line(session, context, insecure=wanted.insecure)
    token = signing_in.line_of_stdin("token") if wanted.token_stdin else _sign_in(session, line, wanted)
    context = msgspec.structs.replace(context, token=token)
    with connect(session, context) as connection:
        me = connection.get(path("identity", "me"), model.Me)
    context = msgspec.structs.replace(context, user=me.name, tenant=context.tenant or me.tenant)
    contexts.save(file, known.put(name, context))
    talk.say(f"signed in to {line.address} as {me.name}; context {name}")


@click.command()
@click.pass_obj
def logout(session: Session) -> None:
    """Revoke the token of the context and forget it."""
    file = contexts.default_file(os.environ)
    known = contexts.load(file)
    name = session.context_name or known.current
    context = known.find(name)
    if context.token:
        _revoke(session, context)
    contexts.save(file, known.put(name, msgspec.structs.replace(context, token=""), use=False))
    talk.say(f"signed out of {name}")


def _revoke(session: Session, context: Context) -> None:
    identifier = context.token.removeprefix(TOKEN_FORM).partition("_")[0]
    try:
        with connect(session, context) as connection:
            connection.call("DELETE", path("identity", "tokens", identifier), None, type(None))
    except (errors.UnauthenticatedError, errors.NotFoundError):
        pass  # it was not valid any more
    except errors.UnavailableError as error:
        talk.warn(f"the token is forgotten here, but stays valid until it expires: {error.detail}")


def _sign_in(session: Session, line: Direct, wanted: _Wanted) -> str:
    user = wanted.user or talk.ask(
        "user", allowed=session.asks, instead="--user", default="admin" if wanted.first else None
    )
    password = signing_in.read_password(session, stdin=wanted.password_stdin, new=bool(wanted.first))
    if wanted.first:
        target, proof = "first-start", model.FirstStart(token=wanted.first, name=user, password=password)
    else:
        target, proof = "login", model.SignIn(name=user, password=password, tenant=wanted.tenant)
    order = model.NewAccessToken(name=f"command line on {socket.gethostname()}"[:64], lifetime_days=wanted.days)
    with signing_in.opened(line, target, proof):
        return line.post(path("identity", "tokens"), order, model.IssuedAccessToken).token


def _context(session: Session, before: Context, server: str, ca_file: str) -> Context:
    servers = [server] if server else session.servers or before.servers
    if not servers:
        raise click.UsageError("which server? qiantang login http://HOST:PORT")
    return msgspec.structs.replace(before, servers=servers, ca_file=ca_file or before.ca_file)


def _name_of(known: contexts.Contexts, server: str) -> str:
    if not server:
        return known.current or "default"
    same = (name for name, one in sorted(known.contexts.items()) if server in one.servers)
    return next(same, "default" if not known.contexts else server.partition("//")[2])
