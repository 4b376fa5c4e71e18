"""Publishing: from drafts to a release that the instances have taken, told on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click

from qiantang.cli import changes, output, talk
from qiantang.cli.output import Column, Table
from qiantang.cli.place import Room
from qiantang.cli.session import Session
from qiantang.kernel import errors, release, settings

CONFIG = "config"
"""What has commands of its own for requests to publish; those of the others are approved in the portal."""
POLL_SECONDS = 0.5
LISTED_SECONDS = 1.5
"""How long an instance that just connected may be missing from the list: servers write it in batches."""

RELEASES = Table[release.Release](
    noun="releases",
    name=lambda one: str(one.revision),
    columns=[
        Column("REVISION", lambda one: one.revision),
        Column("ACTION", lambda one: one.action),
        Column("AUTHOR", lambda one: one.author),
        Column("WHEN", lambda one: moment(one.created_at)),
        Column("GRAY", lambda one: one.gray),
        Column("CHANGED", lambda one: talk.names(name for _, name, _ in one.changed)),
        Column("MESSAGE", lambda one: one.message),
    ],
)

REQUESTS = Table[release.PublishRequest](
    noun="requests to publish",
    name=lambda one: one.id,
    columns=[
        Column("ID", lambda one: one.id),
        Column("ACTION", lambda one: one.action),
        Column("STATE", lambda one: one.state),
        Column("AUTHOR", lambda one: one.author),
        Column("WHEN", lambda one: moment(one.at or one.created_at)),
        Column("CHANGED", lambda one: talk.names(name for _, name, _ in one.resources)),
        Column("REVIEWER", lambda one: one.reviewer),
        Column("MESSAGE", lambda one: one.error or one.message),
    ],
)


@dataclass(frozen=True, kw_only=True)
class Order:
    """How drafts are to be published. `only` names resources as (kind, name); None means all drafts."""

    message: str = ""
    only: Sequence[tuple[str, str]] | None = None
    gray: release.GrayRule | None = None
    at: int | None = None
    expect: int | None = None
    yes: bool = False
    wait: float = 0.0


def publish(session: Session, room: Room, order: Order) -> None:
    """Check the drafts, show what they change, ask a person who is there, publish, and wait if asked to.

    Raises:
        InvalidRequestError: a draft cannot be published; every problem is listed.
        StaleRevisionError: somebody published since.
        DeadlineError: not every instance took it within the wait.
    """
    pending = room.get(release.Difference, "drafts")
    chosen = [one for one in pending.pending if order.only is None or (one.kind, one.name) in order.only]
    if not chosen:
        talk.say("nothing to publish: no drafts")
        return
    _require_good(room, chosen)
    changes.tell(chosen)
    ask(session, f"publish {len(chosen)} changes to {room.bundle.scope}?", yes=order.yes)
    command = release.PublishCommand(
        expected_revision=pending.revision if order.expect is None else order.expect,
        message=order.message,
        only=None if order.only is None else [(one.kind, one.name) for one in chosen],
        gray=order.gray,
        at=order.at,
    )
    outcome = room.post(release.PublishOutcome, command, "releases")
    show(session, outcome, capability=room.bundle.capability)
    if outcome.release is not None and order.wait:
        wait(room, outcome.release, order.wait)


def show(session: Session, outcome: release.PublishOutcome, meaning: str = "", *, capability: str = CONFIG) -> None:
    """Say and show what became of something that was to be published; `meaning` is what a release of it means."""
    _tell(outcome, meaning, capability)
    if outcome.request is not None:
        output.show_one(outcome.request, REQUESTS, session.form)
    if outcome.release is not None:
        output.show_one(outcome.release, RELEASES, session.form)


def ask(session: Session, question: str, *, yes: bool) -> None:
    """Ask a person who is there; a script that says what it wants is not asked.

    Raises:
        Abort: he says no.
    """
    if not yes and session.asks and talk.is_terminal():
        talk.confirm(question, allowed=True)


def _require_good(room: Room, chosen: Sequence[release.PendingChange]) -> None:
    result = room.connection.post(room.path("check"), None, release.CheckResult, idempotent=True)
    names = {(one.kind, one.name) for one in chosen}
    wrong = [one for one in result.problems if not one.name or (one.kind, one.name) in names]
    if wrong:
        raise errors.InvalidRequestError(
            "the drafts cannot be published",
            problems=[
                errors.Problem(one.message, ": ".join(filter(None, (one.name, one.path))), one.line, one.column)
                for one in wrong
            ],
        )


def _tell(outcome: release.PublishOutcome, meaning: str, capability: str) -> None:
    if outcome.request is not None:
        request = outcome.request
        does = f"qiantang config request approve {request.id}" if capability == CONFIG else f"request {request.id}"
        talk.say(
            f"scheduled for {moment(request.at)}: request {request.id}"
            if request.state == "scheduled"
            else f"waits for another person: {does}"
        )
    if outcome.release is not None:
        gray = f" (gray {outcome.release.gray})" if outcome.release.gray and not meaning else ""
        talk.say(f"published revision {outcome.release.revision}{gray}" + (f": {meaning}" if meaning else ""))


def wait(room: Room, published: release.Release, seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Wait until every live instance took what is current for it.

    Raises:
        DeadlineError: some did not in time; the first few are named.
        RejectedError: some took it and failed at it.
    """
    ends = time.monotonic() + seconds
    shown = 0
    alive = _alive(room)
    listed = time.monotonic() + min(seconds, LISTED_SECONDS)
    while not alive and time.monotonic() < listed:
        sleep(POLL_SECONDS)
        alive = _alive(room)
    if not alive:
        talk.say("no instance is connected")
        return
    with talk.progress(len(alive), "instances") as bar:
        while True:
            taken = [one for one in alive if _took(one, published)]
            bar.update(max(0, len(taken) - shown))
            shown = max(shown, len(taken))
            _require_well(taken)
            if len(taken) == len(alive):
                break
            if time.monotonic() > ends:
                late = talk.names(one.instance.name for one in alive if not _took(one, published))
                raise errors.DeadlineError(
                    f"{len(taken)} of {talk.count(len(alive), 'instance')} took it in {seconds:g} s, not: {late}"
                )
            sleep(POLL_SECONDS)
            alive = _alive(room)
    chosen = [one.instance.name for one in alive if one.gray == published.gray]
    talk.say(
        f"{talk.count(len(alive), 'instance')} took it"
        + (f", {len(chosen)} with the gray changes" if published.gray else "")
    )


def _alive(room: Room) -> list[release.InstanceStatus]:
    """Give those that are there: a gray release, too, is a revision for all, though it changes something for some only."""
    return [one for one in room.pages(release.InstanceStatus, "instances") if one.alive]


def _took(one: release.InstanceStatus, published: release.Release) -> bool:
    return (one.position.epoch, one.position.revision) >= (published.epoch, published.revision)


def _require_well(taken: Sequence[release.InstanceStatus]) -> None:
    failed = [one for one in taken if one.status in {"failed", "rejected"}]
    if failed:
        raise errors.RejectedError(
            f"{len(failed)} instances took the release and failed at it",
            problems=[errors.Problem(one.error or one.status, one.instance.name) for one in failed[:20]],
        )


def moment(milliseconds: int) -> str:
    """Write a moment in the person's own time zone; nothing for never."""
    if not milliseconds:
        return ""
    local = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S")


def parse_moment(text: str, now: float) -> int:
    """Read "2026-12-01T08:00", or "+10m" from now, as milliseconds since 1970.

    Raises:
        BadParameter: neither.
    """
    try:
        if text.startswith("+"):
            return round((now + settings.parse_duration(text[1:]) / timedelta(seconds=1)) * 1000)
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is no moment: write 2026-12-01T08:00, or +10m") from error


def parse_past(text: str, now: float) -> int:
    """Read "2026-12-01T08:00", or "1h" for an hour ago, as milliseconds since 1970.

    Raises:
        BadParameter: neither.
    """
    try:
        return round((now - settings.parse_duration(text) / timedelta(seconds=1)) * 1000)
    except ValueError:
        return parse_moment(text, now)
