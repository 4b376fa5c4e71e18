"""States: services put online and offline, and removed; each is published at once."""

from __future__ import annotations

from typing import Any

import click

from qiantang.catalog.model import kinds
from qiantang.catalog.model.kinds import CAPABILITY
from qiantang.cli import publishing, talk
from qiantang.cli.place import Place, Room, open_room, place_options
from qiantang.cli.service.drafting import body_of, drafted, only, reason_option, require_published, yes_option
from qiantang.cli.session import Session, output_option
from qiantang.kernel import errors

_names = click.argument("names", nargs=-1, required=True, metavar="SERVICE...")


@click.command()
@_names
@reason_option
@yes_option
@place_options
@output_option
@click.pass_obj
def online(session: Session, *, names: tuple[str, ...], place: Place, **given: Any) -> None:
    """Have services be given to those who subscribed."""
    _put(session, place, names, kinds.ONLINE, given)


@click.command()
@_names
@reason_option
@yes_option
@place_options
@output_option
@click.pass_obj
def offline(session: Session, *, names: tuple[str, ...], place: Place, **given: Any) -> None:
    """Have services no longer be given to those who subscribed.

    Their definitions and subscribers stay.
    """
    _put(session, place, names, kinds.OFFLINE, given)


@click.command()
@click.argument("name", metavar="SERVICE")
@click.option(
    "--force", is_flag=True, help="take it offline and drop its subscribers first, which is published as well"
)
@reason_option
@yes_option
@place_options
@output_option
@click.pass_obj
def deregister(session: Session, *, name: str, force: bool, place: Place, **given: Any) -> None:
    """Remove a service that nobody counts on.

    Refused while it is online or has subscribers.
    """
    with open_room(session, place, CAPABILITY) as room:
        detail = require_published(room, name)
        body = body_of(detail.published)
        if force and (body.state == kinds.ONLINE or body.subscribers):
            freed: dict[str, Any] = {**detail.published, "state": kinds.OFFLINE, "subscribers": []}
            _publish(session, room, {name: (detail, freed)}, given)
            detail = _require_done(room, name)
        _publish(session, room, {name: (detail, None)}, given)


def _put(session: Session, place: Place, names: tuple[str, ...], state: str, given: dict[str, Any]) -> None:
    with open_room(session, place, CAPABILITY) as room:
        found = {name: require_published(room, name) for name in dict.fromkeys(names)}
        for name, detail in found.items():
            if body_of(detail.published).state == state:
                talk.say(f"{name} is {state} already")
        bodies = {
            name: (detail, {**detail.published, "state": state})
            for name, detail in found.items()
            if body_of(detail.published).state != state
        }
        if bodies:
            _publish(session, room, bodies, given)


def _publish(session: Session, room: Room, bodies: dict[str, Any], given: dict[str, Any]) -> None:
    with drafted(room, bodies):
        publishing.publish(session, room, publishing.Order(only=only(list(bodies)), **given))


def _require_done(room: Room, name: str) -> Any:
    """Pass where the first of two publishes is through.

    Raises:
        ConflictError: it waits for another person.
    """
    try:
        return require_published(room, name)
    except errors.ConflictError as error:
        raise errors.ConflictError(
            f"{name} is removed when it is offline: run this again once that is approved"
        ) from error
