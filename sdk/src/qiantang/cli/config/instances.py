"""Instances and watch: who holds what, and what is published as it happens."""

from __future__ import annotations

import time

import click

from qiantang.cli import output, publishing, talk
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, Room, open_room, place_options
from qiantang.cli.session import Session, output_option
from qiantang.config.model import CAPABILITY
from qiantang.kernel import errors, release

INSTANCES = Table[release.InstanceStatus](
    noun="instances",
    name=lambda one: one.instance.name,
    columns=[
        Column("INSTANCE", lambda one: one.instance.name),
        Column("CLUSTER", lambda one: one.instance.cluster),
        Column("ALIVE", lambda one: one.alive),
        Column("STATUS", lambda one: one.status),
        Column("POSITION", lambda one: str(one.position)),
        Column("CURRENT", lambda one: one.current),
        Column("GRAY", lambda one: one.gray),
        Column("SEEN", lambda one: f"{age(one.age_ms)} ago"),
        Column("ERROR", lambda one: one.error),
    ],
)


@click.command()
@click.option("--behind", is_flag=True, help="only those that do not hold what is current, or failed at it")
@place_options
@output_option
@click.pass_obj
def instances(session: Session, *, behind: bool, place: Place) -> None:
    """List the running instances with what each holds.

    And since when, and the error of its callback.
    """
    with open_room(session, place, CAPABILITY) as room:
        found = room.pages(release.InstanceStatus, "instances")
    if behind:
        found = [one for one in found if not one.current or one.status in {"failed", "rejected"}]
    output.show_list(found, INSTANCES, session.form)


@click.command()
@click.option("--every", type=click.FloatRange(min=0.2), default=1.0, show_default=True, help="seconds between looks")
@click.option("--count", type=click.IntRange(min=1), default=None, help="end after so many releases")
@click.option("--within", type=click.FloatRange(min=0), default=None, help="fail (6) after so many seconds")
@place_options
@output_option
@click.pass_obj
def watch(session: Session, *, every: float, count: int | None, within: float | None, place: Place) -> None:
    """Tell of each release as it is published.

    Until Ctrl-C. A server that is away is told of, and waited for.
    """
    ends = None if within is None else time.monotonic() + within
    with open_room(session, place, CAPABILITY) as room:
        seen = room.status().position.revision
        talk.say(f"watching {room.bundle.scope} from revision {seen}")
        told, away = 0, False
        while count is None or told < count:
            if ends is not None and time.monotonic() > ends:
                raise errors.DeadlineError(f"{told} releases in {within:g} s")
            time.sleep(every)
            try:
                fresh = _since(room, seen)
            except (errors.UnavailableError, errors.DeadlineError) as error:
                if not away:
                    talk.warn(error.detail)
                away = True
                continue
            away = False
            for one in fresh[: None if count is None else count - told]:
                _tell(one, session.form)
                told += 1
            seen = max([seen, *(one.revision for one in fresh)])


def _since(room: Room, seen: int) -> list[release.Release]:
    if room.status().position.revision == seen:
        return []
    newest = room.pages(release.Release, "releases", most=500, limit=100)
    return sorted((one for one in newest if one.revision > seen), key=lambda one: one.revision)


def _tell(one: release.Release, form: str) -> None:
    if form == "json":
        click.echo(output.one_line(one))
    elif form == "name":
        click.echo(str(one.revision))
    elif form == "yaml":
        output.show_value([output.plain(one)], form)
    else:
        changed = talk.names(name for _, name, _ in one.changed)
        what = f"{one.action} of {changed}" if changed else one.action
        message = f": {one.message}" if one.message else ""
        when = publishing.moment(one.created_at)
        click.echo(talk.printable(f"{when}  revision {one.revision}  {what} by {one.author}{message}"))


def age(milliseconds: int) -> str:
    """Write how long ago, in the one unit that matters."""
    seconds = milliseconds / 1000
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
