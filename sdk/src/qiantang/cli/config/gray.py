"""`qiantang config gray`: a release to some instances first, then to all or to none."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from qiantang.cli import output, publishing, talk
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Place, Room, open_room, place_options
from qiantang.cli.session import Session, output_option
from qiantang.config.model import CAPABILITY, KIND
from qiantang.kernel import errors, release

STATUS = Table[release.GrayStatus](
    noun="gray release",
    name=lambda one: one.id,
    columns=[
        Column("ID", lambda one: one.id),
        Column("REVISION", lambda one: one.revision),
        Column("AUTHOR", lambda one: one.author),
        Column("SINCE", lambda one: publishing.moment(one.started_at)),
        Column("RULE", lambda one: describe(one.rule)),
        Column("CHANGED", lambda one: talk.names(name for _, name, _ in one.resources)),
        Column("INSTANCES", lambda one: one.instances),
    ],
)


def rule_options(command: Any) -> Any:
    """Give a command the options of a rule."""
    for option in (
        click.option("--count", type=click.IntRange(0, 10_000), default=0, help="so many live instances"),
        click.option("--percent", type=click.FloatRange(0, 100), default=0.0, help="sticky share of all instances"),
        click.option("--instance", "instances", multiple=True, help="an instance by name; may be repeated"),
        click.option(
            "--labels", multiple=True, metavar="A=B[,C=D]", help="instances with all of these; may be repeated"
        ),
    ):
        command = option(command)
    return command


def parse_rule(*, labels: tuple[str, ...], instances: tuple[str, ...], percent: float, count: int) -> release.GrayRule:
    """Make a rule of its options.

    Raises:
        UsageError: it would choose nobody, or a label is not written A=B.
    """
    if not (labels or instances or percent or count):
        raise click.UsageError("for whom? give --labels, --instance, --percent or --count")
    return release.GrayRule(
        labels=[_labels(text) for text in labels], instances=list(instances), percent=percent, count=count
    )


def _labels(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name.strip() and equals for name, equals, _ in pairs):
        raise click.UsageError(f"{text!r} are no labels: write a=b,c=d")
    return {name.strip(): value.strip() for name, _, value in pairs}


def describe(rule: release.GrayRule) -> str:
    """Write a rule as a person reads it."""
    parts = [" and ".join(f"{name}={value}" for name, value in labels.items()) for labels in rule.labels]
    parts += rule.instances
    parts += [f"{rule.percent:g} %"] if rule.percent else []
    parts += [f"{rule.count} instances"] if rule.count else []
    return ", or ".join(parts)


@click.group()
def gray() -> None:
    """Release to some instances first."""


@gray.command("show")
@place_options
@output_option
@click.pass_obj
def show_gray(session: Session, *, place: Place) -> None:
    """Show the running gray release, and who holds it."""
    with open_room(session, place, CAPABILITY) as room:
        running = _running(room)
        held = [one for one in room.pages(release.InstanceStatus, "instances") if one.alive and one.gray == running.id]
    names = [one.instance.name for one in held]
    output.show_one(msgspec.structs.replace(running, instances=names), STATUS, session.form)


@gray.command()
@click.argument("namespaces", nargs=-1)
@rule_options
@click.option("-m", "--message", default="", help="why; kept in the history")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="seconds to wait until the chosen took it")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@place_options
@output_option
@click.pass_obj
def start(
    session: Session, *, namespaces: tuple[str, ...], message: str, wait: float, yes: bool, place: Place, **rule: Any
) -> None:
    """Publish drafts to the instances that the rule chooses, all drafts or those of the namespaces named."""
    only = [(KIND, name) for name in namespaces] or None
    order = publishing.Order(message=message, only=only, gray=parse_rule(**rule), yes=yes, wait=wait)
    with open_room(session, place, CAPABILITY) as room:
        publishing.publish(session, room, order)


@gray.command()
@rule_options
@place_options
@output_option
@click.pass_obj
def change(session: Session, *, place: Place, **rule: Any) -> None:
    """Change whom the running gray release is for."""
    wanted = parse_rule(**rule)
    with open_room(session, place, CAPABILITY) as room:
        _running(room)
        command = release.GrayChangeCommand(rule=wanted, expected_revision=room.status().position.revision)
        target = room.path("gray")
        outcome = room.connection.call("PUT", target, command, release.PublishOutcome, idempotent=False)
    publishing.show(session, outcome, f"the gray release is for: {describe(wanted)}")


@gray.command()
@click.option("-m", "--message", default="", help="why; kept in the history")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@place_options
@output_option
@click.pass_obj
def promote(session: Session, *, message: str, yes: bool, place: Place) -> None:
    """Release the gray changes to everyone."""
    _end(session, place, "promote", message, yes=yes)


@gray.command()
@click.option("-m", "--message", default="", help="why; kept in the history")
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@place_options
@output_option
@click.pass_obj
def abort(session: Session, *, message: str, yes: bool, place: Place) -> None:
    """Take the gray changes back; they become drafts again."""
    _end(session, place, "abort", message, yes=yes)


def _end(session: Session, place: Place, how: str, message: str, *, yes: bool) -> None:
    with open_room(session, place, CAPABILITY) as room:
        running = _running(room)
        publishing.ask(session, f"{how} the gray release of {talk.names(n for _, n, _ in running.resources)}?", yes=yes)
        command = release.GrayEndCommand(expected_revision=room.status().position.revision, message=message)
        if how == "promote":
            outcome = room.post(release.PublishOutcome, command, "gray", how)
            publishing.show(session, outcome, "everyone has the changes")
        else:
            made = room.post(release.Release, command, "gray", how)
            publishing.show(session, release.PublishOutcome(release=made), "the changes are drafts again")


def _running(room: Room) -> release.GrayStatus:
    found = room.running_gray()
    if found is None:
        raise errors.NotFoundError(f"no gray release is running for {room.bundle.scope}")
    return found
