"""`qiantang dead`: dead letters in the store of an application's bus: what died of what, again to its group, or away with it."""

from __future__ import annotations

import asyncio
import base64
import getpass
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from qiantang.cli import output, talk
from qiantang.cli.commands.consume import app_option, find
from qiantang.cli.identity.nouns import confirm, yes_option
from qiantang.cli.output import Column, Table
from qiantang.cli.publishing import moment
from qiantang.cli.session import Session, output_option
from qiantang.kernel import errors, wire
from qiantang.messaging import MessageBus
from qiantang.messaging.errors import UndecodableError
from qiantang.messaging.model import DeadAction, DeadCause, DeadLetter, DeadOutcome
from qiantang.messaging.model.message import RESERVED

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")
PAGE: Final = 1000


class Shown(wire.Wire, frozen=True):
    """A dead letter with its message. A body that cannot be read here is in base64, and `unread` says why."""

    letter: DeadLetter
    headers: dict[str, str]
    body: Any
    unread: str = ""


class Done(wire.Wire, frozen=True):
    """What became of one letter: `done`, or the code of what kept it from that, and its words."""

    number: int
    outcome: str
    detail: str = ""


LETTERS = Table[DeadLetter](
    noun="dead letters",
    name=lambda one: str(one.number),
    columns=[
        Column("NUMBER", lambda one: one.number),
        Column("DIED", lambda one: moment(int(one.at * 1000))),
        Column("GROUP", lambda one: one.group),
        Column("TOPIC", lambda one: one.topic),
        Column("ID", lambda one: one.id),
        Column("KEY", lambda one: one.key),
        Column("CAUSE", lambda one: one.fingerprint),
        Column("ERROR", lambda one: one.error),
    ],
)

CAUSES = Table[DeadCause](
    noun="dead letters",
    name=lambda one: one.fingerprint,
    columns=[
        Column("CAUSE", lambda one: one.fingerprint),
        Column("COUNT", lambda one: one.count),
        Column("GROUP", lambda one: one.group),
        Column("TOPIC", lambda one: one.topic),
        Column("FIRST", lambda one: moment(int(one.first * 1000))),
        Column("LAST", lambda one: moment(int(one.last * 1000))),
        Column("NEWEST", lambda one: one.newest),
        Column("ERROR", lambda one: one.error),
    ],
)

SHOWN = Table[Shown](
    noun="dead letter",
    name=lambda one: str(one.letter.number),
    columns=[
        *(Column(column.title, lambda one, read=column.read: read(one.letter)) for column in LETTERS.columns),
        Column("TAG", lambda one: one.letter.tag),
        Column("SENDER", lambda one: f"{one.letter.center}/{one.letter.application}".strip("/")),
        Column("ATTEMPTS", lambda one: one.letter.attempts),
        Column("QUEUE", lambda one: f"{one.letter.queue} at {one.letter.position}"),
        Column("HEADERS", lambda one: one.headers),
        Column("BODY", lambda one: msgspec.json.encode(one.body, enc_hook=str).decode()),
        Column("UNREAD", lambda one: one.unread),
    ],
)

ACTIONS = Table[DeadAction](
    noun="history of dead letters",
    name=lambda one: str(one.number),
    columns=[
        Column("NUMBER", lambda one: one.number),
        Column("WHEN", lambda one: moment(int(one.at * 1000))),
        Column("WHO", lambda one: one.by),
        Column("WHAT", lambda one: one.what),
        Column("CHANGED", lambda one: list(one.changed)),
        Column("LETTER", lambda one: one.letter.number),
        Column("GROUP", lambda one: one.letter.group),
        Column("TOPIC", lambda one: one.letter.topic),
        Column("ID", lambda one: one.letter.id),
        Column("REASON", lambda one: one.reason),
    ],
)

OUTCOMES = Table[Done](
    noun="dead letters",
    name=lambda one: str(one.number),
    columns=[
        Column("NUMBER", lambda one: one.number),
        Column("OUTCOME", lambda one: one.outcome),
        Column("DETAIL", lambda one: one.detail),
    ],
)


@click.group()
def dead() -> None:
    """Messages that nobody could handle: look at them, send them again, delete them.

    They are in the store of the application's estate, where its processes collect them.
    """


def _looking(command: C) -> C:
    """Have a command that lists: which ones, of which bus, in which form."""
    listing: Any = app_option(output_option(click.pass_obj(command)))
    for option in (
        click.option("--count", type=click.IntRange(1, PAGE), default=100, show_default=True, help="at most so many"),
        click.option("--before", type=click.IntRange(min=0), default=0, help="with lower numbers than this"),
        click.option("--words", default="", help="with these words in the error"),
        click.option("--cause", "fingerprint", default="", help="of this cause"),
        click.option("--group", default="", help="that died in this group"),
        click.option("--topic", default="", help="that died in this topic"),
    ):
        listing = option(listing)
    return listing


def _doing(command: C) -> C:
    command = click.option("--by", default="", metavar="NAME", help="who does it; else the user of this machine")(
        command
    )
    return click.option("--reason", default="", help="why; it is kept in the history")(command)


_numbers = click.argument("numbers", nargs=-1, type=click.IntRange(min=1), metavar="[NUMBER]...")
_number = click.argument("number", type=click.IntRange(min=1))


@dead.command("list")
@_looking
def list_letters(session: Session, where: str, **asked: Any) -> None:
    """List dead letters, the newest first."""
    output.show_list(_run(where, lambda bus: bus.dead_letters(**asked)), LETTERS, session.form)


@dead.command()
@_looking
def causes(session: Session, where: str, **asked: Any) -> None:
    """List what messages died of, and how many of each."""
    output.show_list(_run(where, lambda bus: bus.dead_causes(**asked)), CAUSES, session.form)


@dead.command()
@_number
@app_option
@output_option
@click.pass_obj
def show(session: Session, number: int, where: str) -> None:
    """Show one dead letter with its message and its stack."""
    shown = _run(where, lambda bus: _shown(bus, number))
    output.show_one(shown, SHOWN, session.form)
    if session.form == "table" and shown.letter.stack:
        click.echo(f"\n{talk.printable(shown.letter.stack)}".rstrip())


@dead.command()
@_looking
def history(session: Session, where: str, **asked: Any) -> None:
    """List what was done with dead letters, the newest first."""
    output.show_list(_run(where, lambda bus: bus.dead_history(**asked)), ACTIONS, session.form)


@dead.command()
@_numbers
@click.option("--cause", "fingerprint", default="", help="all of this cause")
@click.option("--body", "file", default="", metavar="FILE", help="another body, as JSON; - for stdin")
@click.option("--text", is_flag=True, help="the body is text, not JSON")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="other headers, in place of all")
@click.option("--key", default=None, help="another key")
@click.option("--tag", default=None, help="another tag")
@click.option(
    "--per-second",
    type=click.FloatRange(min=0, min_open=True),
    default=50.0,
    show_default=True,
    help="no faster than this",
)
@_doing
@app_option
@output_option
@click.pass_obj
def resend(session: Session, numbers: tuple[int, ...], where: str, fingerprint: str, **given: Any) -> None:
    """Send dead letters again, each to the group in which it died; of one letter the message may be edited."""
    edits = _edits(**{name: given[name] for name in ("file", "text", "headers", "key", "tag")})
    if not numbers and not fingerprint:
        raise click.UsageError("which ones? give their numbers, or --cause")
    if edits and (fingerprint or len(numbers) != 1):
        raise click.UsageError("only one message can be edited at a time")
    by, reason = given["by"] or getpass.getuser(), given["reason"]

    async def work(bus: MessageBus) -> list[DeadOutcome]:
        if edits:
            await bus.resend(numbers[0], by=by, reason=reason, **edits)
            return [DeadOutcome(number=numbers[0])]
        some = sorted({*numbers, *(await _of_cause(bus, fingerprint) if fingerprint else ())})
        return await bus.resend_many(some, by=by, reason=reason, per_second=given["per_second"])

    _tell(session, _run(where, work))


@dead.command()
@_numbers
@click.option("--cause", "fingerprint", default="", help="all of this cause")
@_doing
@yes_option
@app_option
@output_option
@click.pass_obj
def delete(session: Session, numbers: tuple[int, ...], where: str, fingerprint: str, **given: Any) -> None:
    """Delete dead letters; the history keeps them for a while."""
    if not numbers and not fingerprint:
        raise click.UsageError("which ones? give their numbers, or --cause")
    which = f"those of the cause {fingerprint}" if fingerprint else talk.count(len(numbers), "dead letter")
    confirm(session, f"delete {which}?", yes=given["yes"])

    async def work(bus: MessageBus) -> list[DeadOutcome]:
        some = sorted({*numbers, *(await _of_cause(bus, fingerprint) if fingerprint else ())})
        return await bus.delete_dead(some, by=given["by"] or getpass.getuser(), reason=given["reason"])

    _tell(session, _run(where, work))


def _run(where: str, work: Callable[[MessageBus], Awaitable[T]]) -> T:
    """Do something with the bus, whose handlers are not called."""
    bus = find(where)

    async def opened() -> T:
        await bus.open(receive=False)
        try:
            return await work(bus)
        finally:
            await bus.close()

    return asyncio.run(opened())


async def _of_cause(bus: MessageBus, fingerprint: str) -> list[int]:
    numbers: list[int] = []
    while some := await bus.dead_letters(fingerprint=fingerprint, before=min(numbers, default=0), count=PAGE):
        numbers += [one.number for one in some]
    return numbers


async def _shown(bus: MessageBus, number: int) -> Shown:
    letter = await bus.dead_letter(number)
    frame = letter.frame
    if frame is None:
        return Shown(
            letter=letter, headers={}, body="", unread="its message is not in the store: the error says where it is"
        )
    unread = ""
    try:
        body = bus.dead_body(frame)
    except UndecodableError as error:
        body, unread = base64.b64encode(frame.body).decode(), error.detail
    headers = {name: value for name, value in frame.text.items() if not name.startswith(RESERVED)}
    headers |= {name: base64.b64encode(value).decode() for name, value in frame.binary.items()}
    return Shown(letter=msgspec.structs.replace(letter, frame=None), headers=headers, body=body, unread=unread)


def _edits(*, file: str, text: bool, headers: Sequence[str], key: str | None, tag: str | None) -> dict[str, Any]:
    edits: dict[str, Any] = {name: value for name, value in (("key", key), ("tag", tag)) if value is not None}
    if headers:
        pairs = [one.partition("=") for one in headers]
        edits["headers"] = {name: value for name, _, value in pairs}
    if file:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        try:
            edits["body"] = data.decode() if text else msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{file} is no {'text' if text else 'JSON'}: {error}") from error
    return edits


def _tell(session: Session, outcomes: Sequence[DeadOutcome]) -> None:
    """Show what became of each, and fail as the first that was not done did."""
    failed: list[errors.QiantangError] = [one.error for one in outcomes if one.error is not None]
    rows = [
        Done(number=one.number, outcome="done")
        if one.error is None
        else Done(number=one.number, outcome=one.error.code, detail=one.error.detail)
        for one in outcomes
    ]
    output.show_list(rows, OUTCOMES, session.form)
    if failed:
        raise failed[0]
