"""Releases: publish, history, show, roll back."""

from __future__ import annotations

import time

import click

from qiantang.cli import changes, output, publishing, talk
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, open_room, place_options
from qiantang.cli.session import Session, output_option
from qiantang.config.model import CAPABILITY, KIND
from qiantang.kernel import errors, release

RESOURCES = Table[release.ReleaseResource](
    noun="resources",
    name=lambda one: one.name,
    columns=[
        Column("KIND", lambda one: one.kind),
        Column("NAME", lambda one: one.name),
        Column("DIGEST", lambda one: one.digest[:12]),
    ],
)


@click.command()
@click.argument("namespaces", nargs=-1)
@click.option("-m", "--message", default="", help="why; kept in the history")
@click.option("--at", default="", help="publish later: 2026-12-01T08:00, or +10m")
@click.option("--expect", type=click.IntRange(min=0), default=None, help="fail unless this is still the revision")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="seconds to wait until every instance took it")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@place_options
@output_option
@click.pass_obj
def publish(
    session: Session, *, namespaces: tuple[str, ...], at: str, message: str, place: Place, **given: int | float | None
) -> None:
    """Publish drafts as a release.

    All of the application, or only those of the namespaces named.
    """
    order = publishing.Order(
        message=message,
        only=[(KIND, name) for name in namespaces] or None,
        at=publishing.parse_moment(at, time.time()) if at else None,
        **given,  # type: ignore[arg-type]  # expect, wait, yes: as the options declare them
    )
    with open_room(session, place, CAPABILITY) as room:
        publishing.publish(session, room, order)


@click.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="how many")
@place_options
@output_option
@click.pass_obj
def history(session: Session, *, limit: int, place: Place) -> None:
    """List the releases, newest first."""
    with open_room(session, place, CAPABILITY) as room:
        found = room.pages(release.Release, "releases", most=limit, limit=min(limit, 500))
    output.show_list(found, publishing.RELEASES, session.form)


@click.command()
@click.argument("revision", type=click.IntRange(min=1))
@click.argument("namespace", default="")
@place_options
@output_option
@click.pass_obj
def show(session: Session, *, revision: int, namespace: str, place: Place) -> None:
    """Show one release with its content.

    Or one namespace as it was then. Secrets show as their marks.
    """
    with open_room(session, place, CAPABILITY) as room:
        detail = room.get(release.ReleaseDetail, "releases", str(revision))
    if namespace:
        found = [one for one in detail.resources if one.name == namespace]
        if not found:
            raise errors.NotFoundError(f"revision {revision} has no namespace {namespace!r}")
        output.show_value(found[0].body, session.form)
    elif session.form in {"json", "yaml"}:
        output.show_one(detail, Table("release", lambda one: str(one.release.revision), []), session.form)
    else:
        output.show_one(detail.release, publishing.RELEASES, session.form)
        if session.form == "table":
            click.echo()
            output.show_list(detail.resources, RESOURCES, session.form)


@click.command()
@click.argument("revision", type=click.IntRange(min=0))
@click.option("-m", "--message", default="", help="why; kept in the history")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="seconds to wait until every instance took it")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@place_options
@output_option
@click.pass_obj
def rollback(session: Session, *, revision: int, message: str, wait: float, yes: bool, place: Place) -> None:
    """Publish an earlier revision again.

    Its content becomes a new revision; the history stays.
    """
    with open_room(session, place, CAPABILITY) as room:
        now = room.status().position.revision
        found = room.get(list[release.PendingChange], "releases", str(revision), "changes", since=now)
        changes.tell(found)
        publishing.ask(session, f"roll {room.bundle.scope} back from {now} to {revision}?", yes=yes)
        command = release.RollbackCommand(to_revision=revision, expected_revision=now, message=message)
        made = room.post(release.Release, command, "rollback")
        talk.say(f"published revision {made.revision} with the content of {revision}")
        output.show_one(made, publishing.RELEASES, session.form)
        if wait:
            publishing.wait(room, made, wait)
