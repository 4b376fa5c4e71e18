"""Signing in: passwords from a person or from stdin, and the short session that a password opens."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

import click
import msgspec

from qiantang.cli import contexts, talk
from qiantang.cli.connection import connect, path, trust
from qiantang.cli.contexts import Context
from qiantang.cli.direct import Direct
from qiantang.cli.session import Session
from qiantang.identity import model
from qiantang.kernel import errors

MAX_LINE = 4096


def private_line(session: Session, context: Context, *, insecure: bool) -> Direct:
    """Give a line to a server that a password may go over.

    Raises:
        MisconfiguredError: it leaves this machine without TLS, and `insecure` does not allow that.
    """
    line = Direct(context.servers[0], trust(context), session.timeout)
    if not line.private and not insecure:
        raise errors.MisconfiguredError(f"{line.address} is another machine without TLS: use https, or --insecure")
    return line


@contextmanager
def opened(line: Direct, target: str, command: msgspec.Struct) -> Generator[None]:
    """Open a session with a password or the first token, and end it after the block.

    Raises:
        BadSignInError: the proof is wrong.
    """
    line.post(path("identity", target), command, msgspec.Raw)
    try:
        yield
    finally:
        try:
            line.post(path("identity", "logout"), None, msgspec.Raw)
        except errors.QiantangError as error:
            talk.warn(f"the session could not be ended, and ends when it is idle: {error.detail}")


@contextmanager
def with_password(session: Session, *, stdin: bool, insecure: bool) -> Generator[tuple[Direct, str]]:
    """Prove again who the context's user is, for what no token may do; gives the line and the password.

    Raises:
        BadSignInError: the password is wrong.
    """
    context = contexts.in_use(session)
    line = private_line(session, context, insecure=insecure)
    with connect(session, context) as connection:
        me = connection.get(path("identity", "me"), model.Me)
    password = read_password(session, stdin=stdin, what=f"password of {me.name}")
    with opened(line, "login", model.SignIn(name=me.name, password=password, tenant=me.tenant)):
        yield line, password


def read_password(session: Session, *, stdin: bool, new: bool = False, what: str = "password") -> str:
    """Take a password from stdin, or ask for it; for a new one twice."""
    if stdin:
        return line_of_stdin("password")
    if new:
        return talk.ask_new_password(allowed=session.asks, instead="--password-stdin")
    return talk.ask(what, allowed=session.asks, instead="--password-stdin", hidden=True)


def line_of_stdin(what: str) -> str:
    """Take one line of stdin.

    Raises:
        UsageError: there is none.
    """
    line = sys.stdin.readline(MAX_LINE).rstrip("\r\n")
    if not line:
        raise click.UsageError(f"stdin holds no {what}")
    return line
