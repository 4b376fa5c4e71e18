"""Subscribing: an application says which services of another it calls; those for subscribers alone are asked for."""

from __future__ import annotations

from typing import Any

import click

from qiantang.catalog.model.answers import AccessRequest, AskCommand
from qiantang.catalog.model.kinds import CAPABILITY, SUBSCRIPTION_KIND, SubscriptionBody
from qiantang.cli import changes, publishing, talk
from qiantang.cli.place import Place, Room, current_body, open_room, place_options
from qiantang.cli.service.drafting import reason_option, yes_option
from qiantang.cli.session import Session, output_option
from qiantang.kernel import errors, release, scope, wire

PLURAL = "subscriptions"


@click.command()
@click.argument("provider", metavar="CENTER/APPLICATION")
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@click.option("--name", default="", help="of the subscription; else center.application")
@click.option("--ask", "asks", is_flag=True, help="ask for those that are for subscribers alone; needs --message")
@click.option("--publish", "publishes", is_flag=True, help="publish it; needs --message")
@reason_option
@yes_option
@place_options
@output_option
@click.pass_obj
def subscribe(
    session: Session,
    *,
    provider: str,
    services: tuple[str, ...],
    name: str,
    asks: bool,
    publishes: bool,
    place: Place,
    **given: Any,
) -> None:
    """Draft that an application calls services of another.

    The services are added to those that it names already. Its instances are given those that are online.
    """
    if (asks or publishes) and not given["message"].strip():
        raise click.UsageError("--ask and --publish need a reason: give --message")
    center, application = provider_of(provider)
    with open_room(session, place, CAPABILITY) as room:
        chosen = scope.check_name(name or f"{center}.{application}", "name")
        _draft(room, chosen, center, application, services)
        if asks:
            for service in services:
                _ask(room, AskCommand(center=center, application=application, service=service, reason=given["message"]))
        if publishes:
            publishing.publish(session, room, publishing.Order(only=[(SUBSCRIPTION_KIND, chosen)], **given))
        else:
            pending = room.get(release.Difference, "drafts").pending
            changes.show([one for one in pending if one.name == chosen], session.form, empty="nothing new: no draft")


def provider_of(written: str) -> tuple[str, str]:
    """Read center/application.

    Raises:
        UsageError: it is none.
        InvalidRequestError: a part is not a name.
    """
    center, _, application = written.partition("/")
    if not application:
        raise click.UsageError(f"{written!r} is no application: write center/application")
    return scope.check_name(center, "center"), scope.check_name(application, "application")


def _draft(room: Room, name: str, center: str, application: str, services: tuple[str, ...]) -> None:
    found = room.find(PLURAL, name)
    before = None if found is None else current_body(found)
    own = {"center": center, "application": application}
    if before is not None and {part: before[part] for part in own} != own:
        raise errors.ConflictError(
            f"the subscription {name!r} is to {before['center']}/{before['application']}: give another with --name"
        )
    known: list[str] = [] if before is None else before["services"]
    body: dict[str, Any] = {**(before or own), "services": list(dict.fromkeys([*known, *services]))}
    wire.convert(body, SubscriptionBody)
    if body != before:
        room.save(PLURAL, name, body, release.NO_VERSION if found is None else found.version)


def _ask(room: Room, command: AskCommand) -> None:
    try:
        made = room.post(AccessRequest, command, "access-requests")
        talk.say(f"asked {made.provider} for {made.service}: request {made.id}")
    except errors.ConflictError as error:  # it is open, or was asked for before
        talk.say(error.detail)
