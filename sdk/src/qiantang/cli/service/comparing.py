"""Comparing: what another definition means for those who call a service."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from qiantang.catalog.model import exchange
from qiantang.catalog.model.compatibility import Finding, compare, is_breaking, same_major
from qiantang.catalog.model.kinds import CAPABILITY
from qiantang.cli import output, talk
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, Room, open_room, place_options
from qiantang.cli.service.drafting import PLURAL, body_of
from qiantang.cli.session import Session, output_option
from qiantang.kernel import errors
from qiantang.rpc.model.definition import ServiceDocument

COLOURS = {"breaking": "red", "unclear": "yellow", "compatible": "green"}

FINDINGS = Table[Finding](
    noun="differences",
    name=lambda one: one.path,
    columns=[
        Column("MEANS", lambda one: one.level),
        Column("WHERE", lambda one: one.path),
        Column("WHAT", lambda one: one.what),
    ],
)


@click.command()
@click.argument("name", metavar="SERVICE")
@click.option("-f", "--file", "source", default="", help="file of definitions; else the draft; - for stdin")
@click.option("--strict", is_flag=True, help="fail (code 5) where it is breaking within one major version")
@place_options
@output_option
@click.pass_obj
def diff(session: Session, *, name: str, source: str, strict: bool, place: Place) -> None:
    """Show what another definition means for those who call a service.

    It is compared with the published one.
    """
    wanted = {one.name: one for one in read(source)} if source else {}
    if source and name not in wanted:
        raise errors.NotFoundError(f"{source} defines {talk.names(sorted(wanted))}, not {name}")
    with open_room(session, place, CAPABILITY) as room:
        before, draft = _both(room, name)
    after = wanted.get(name) or draft
    if after is None:
        talk.say(f"no draft of {name}: give a file with --file")
        return
    found = compare(before, after)
    output.show_list(found, FINDINGS, session.form, empty=f"{name} {after.version} is called as {before.version} is")
    if strict and is_breaking(found) and same_major(before.version, after.version):
        raise errors.ConflictError(
            f"{name} {after.version} breaks who calls {before.version}: give it another major version"
        )


def read(source: str) -> list[ServiceDocument]:
    """Read a file of definitions.

    Raises:
        NotFoundError: there is no such file.
        InvalidRequestError: it is none.
    """
    if source == "-":
        return exchange.read(sys.stdin.buffer.read(exchange.MOST_BYTES + 1))
    try:
        with Path(source).open("rb") as opened:
            return exchange.read(opened.read(exchange.MOST_BYTES + 1))
    except OSError as error:
        raise errors.NotFoundError(f"{source} cannot be read: {error.strerror}") from error


def tell(findings: Sequence[Finding]) -> None:
    """Say what a change means, before a person decides."""
    for one in findings:
        talk.say(
            f"    {click.style(one.level, fg=COLOURS[one.level])} {talk.printable(one.path)}: {talk.printable(one.what)}"
        )


def _both(room: Room, name: str) -> tuple[ServiceDocument, ServiceDocument | None]:
    found = room.find(PLURAL, name)
    if found is None or found.published is None:
        raise errors.NotFoundError(f"{room.bundle.scope} has no published service {name!r} to compare with")
    return body_of(found.published).document, None if found.draft is None else body_of(found.draft).document
