"""Nouns: the verbs that every kind of thing of the estate has, made from one description of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import click
import msgspec

from qiantang.cli import contexts, output, talk
from qiantang.cli.connection import Connection, connect, path
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, part_options
from qiantang.cli.publishing import moment
from qiantang.cli.session import Session, output_option
from qiantang.kernel import wire

T = TypeVar("T")
Option = Callable[[Any], Any]

MOST_IN_A_PAGE = 500
sort_option = click.option("--sort", help="name, title or created_at, with - in front the other way round")

yes_option = click.option("-y", "--yes", is_flag=True, help="do not ask")


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[T]):
    """A kind of thing that is named by a path of names. `risky` says for each field what setting it does to others."""

    parts: tuple[str, ...]
    model: type[T]
    new: type[msgspec.Struct]
    change: type[msgspec.Struct] | None = None
    columns: Sequence[Column[T]] = ()
    loss: str = ""
    risky: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def noun(self) -> str:
        """What one is called."""
        return self.parts[-1]

    @property
    def table(self) -> Table[T]:
        """How it is shown: named by its path, as arguments take it."""
        return Table(
            noun=f"{self.noun}s",
            name=lambda one: "/".join(getattr(one, part, "") or getattr(one, "name", "") for part in self.parts),
            columns=[
                *(Column(part.upper(), lambda one, part=part: getattr(one, part)) for part in self.parts[:-1]),
                Column("NAME", lambda one: getattr(one, "name", "")),
                Column("TITLE", lambda one: getattr(one, "title", "")),
                *self.columns,
                Column("CREATED", lambda one: moment(getattr(one, "created_at", 0))),
            ],
        )


def address(parts: Sequence[str], names: Sequence[str]) -> list[str]:
    """Give the segments of a thing's path: identity/tenants/acme/centers/trade."""
    return ["identity", *(segment for pair in zip(parts, names, strict=True) for segment in (f"{pair[0]}s", pair[1]))]


def find_all(connection: Connection, kind: Kind[T], parents: Sequence[str]) -> list[T]:
    """Read all of a kind below its parents."""
    target = path(*address(kind.parts[:-1], parents), f"{kind.noun}s", limit=MOST_IN_A_PAGE)
    return connection.pages(target, kind.model)


def names_of(session: Session, place: Place, kind: Kind[Any]) -> list[str]:
    """Give the names that say which one is meant; only what is above it may come from the context.

    Raises:
        UsageError: it is not said.
    """
    if not getattr(place, kind.noun):
        raise click.UsageError(f"which {kind.noun}? write {'/'.join(kind.parts)}, or give --{kind.noun}")
    return place.names(contexts.in_use(session), kind.parts)


def confirm(session: Session, question: str, *, yes: bool) -> None:
    """Go on only where the person says yes, now or with --yes.

    Raises:
        UsageError: nobody can be asked.
        Abort: he says no.
    """
    if not yes:
        talk.confirm(question, allowed=session.asks)


def list_verb(kind: Kind[Any]) -> click.Command:
    """Make the command that lists a kind."""

    @part_options(*kind.parts[:-1])
    @output_option
    @click.pass_obj
    def run(session: Session, *, place: Place) -> None:
        parents = place.names(contexts.in_use(session), kind.parts[:-1]) if kind.parts[:-1] else []
        with connect(session) as connection:
            output.show_list(find_all(connection, kind, parents), kind.table, session.form)

    return click.command("list", help=f"List the {kind.noun}s in order of name.")(run)


def show_verb(kind: Kind[Any]) -> click.Command:
    """Make the command that shows one of a kind."""

    @part_options(*kind.parts, argument=True, own=kind.noun)
    @output_option
    @click.pass_obj
    def run(session: Session, *, place: Place) -> None:
        names = names_of(session, place, kind)
        with connect(session) as connection:
            found = connection.get(path(*address(kind.parts, names)), kind.model)
        output.show_one(found, kind.table, session.form)

    return click.command("show", help=f"Show one {kind.noun}.")(run)


def create_verb(kind: Kind[Any], *options: Option) -> click.Command:
    """Make the command that makes one of a kind; the options are fields of the request."""

    @part_options(*kind.parts, argument=True, own=kind.noun)
    @output_option
    @click.pass_obj
    def run(session: Session, *, place: Place, **given: Any) -> None:
        names = names_of(session, place, kind)
        command = wire.convert({"name": names[-1], **_said(given)}, kind.new)
        with connect(session) as connection:
            target = path(*address(kind.parts, names)[:-1])
            made = connection.post(target, command, kind.model)
        talk.say(f"created {kind.noun} {'/'.join(names)}")
        output.show_one(made, kind.table, session.form)

    return click.command("create", help=f"Make one {kind.noun}.")(_with(options, run))


def update_verb(kind: Kind[Any], *options: Option) -> click.Command:
    """Make the command that changes one of a kind; the options are fields of the request."""
    change = kind.change
    assert change is not None  # noqa: S101  # the tables below say so

    @part_options(*kind.parts, argument=True, own=kind.noun)
    @yes_option
    @output_option
    @click.pass_obj
    def run(session: Session, *, place: Place, yes: bool, **given: Any) -> None:
        names, said = names_of(session, place, kind), _said(given)
        if not said:
            raise click.UsageError(f"change what? see qiantang {kind.noun} update --help")
        for one, what in kind.risky.items():
            if said.get(one):
                confirm(session, f"{kind.noun} {'/'.join(names)}: {what}. Go on?", yes=yes)
        with connect(session) as connection:
            target = path(*address(kind.parts, names))
            changed = connection.call("PATCH", target, wire.convert(said, change), kind.model, idempotent=True)
        talk.say(f"changed {kind.noun} {'/'.join(names)}")
        output.show_one(changed, kind.table, session.form)

    return click.command("update", help=f"Change one {kind.noun}; what is not given stays.")(_with(options, run))


def delete_verb(kind: Kind[Any]) -> click.Command:
    """Make the command that deletes one of a kind."""

    @part_options(*kind.parts, argument=True, own=kind.noun)
    @yes_option
    @click.pass_obj
    def run(session: Session, *, place: Place, yes: bool) -> None:
        names = names_of(session, place, kind)
        what = f"{kind.noun} {'/'.join(names)}"
        confirm(session, f"delete {what}?{kind.loss}", yes=yes)
        with connect(session) as connection:
            delete(connection, path(*address(kind.parts, names)))
        talk.say(f"deleted {what}")

    return click.command("delete", help=f"Delete one {kind.noun}.{kind.loss}")(run)


def delete(connection: Connection, target: str) -> None:
    """Delete something, once: a repeated call would not find it and say that it was never there."""
    connection.call("DELETE", target, None, type(None), idempotent=False)


def _said(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _with(options: Sequence[Option], command: Any) -> Any:
    for option in reversed(options):
        command = option(command)
    return command
