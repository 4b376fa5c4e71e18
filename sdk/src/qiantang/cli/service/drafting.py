"""Drafting: the services of an application as its room keeps them, and drafts that are thrown away where they come to nothing."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click

from qiantang.catalog.model.kinds import SERVICE_KIND, ServiceBody
from qiantang.cli.place import Room
from qiantang.kernel import errors, release, wire

PLURAL = "services"

reason_option = click.option("-m", "--message", default="", help="why; kept in the history")
yes_option = click.option("-y", "--yes", is_flag=True, help="do not ask")


def only(names: Sequence[str]) -> list[tuple[str, str]]:
    """Name services as a publish takes them."""
    return [(SERVICE_KIND, name) for name in names]


def require_published(room: Room, name: str) -> release.ResourceDetail:
    """Give a service that is published and of which no draft waits.

    Raises:
        NotFoundError: it is not published.
        ConflictError: a draft waits, which would be published along.
    """
    found = room.find(PLURAL, name)
    if found is None or found.published is None:
        raise errors.NotFoundError(f"{room.bundle.scope} has no published service {name!r}")
    if found.state != "published":
        raise errors.ConflictError(
            f"a draft of {name} by {found.edited_by} waits, which would be published as well: publish it or throw it away first"
        )
    return found


def body_of(body: Mapping[str, Any]) -> ServiceBody:
    """Read the body of a service."""
    return wire.convert(body, ServiceBody)


@contextmanager
def drafted(room: Room, bodies: Mapping[str, tuple[release.ResourceDetail, Any]]) -> Generator[None]:
    """Draft bodies over published services, None to remove one; where what follows fails, or the person says no, the drafts are
    thrown away.
    """
    saved: list[str] = []
    try:
        for name, (detail, body) in bodies.items():
            if body is None:
                target = room.path(PLURAL, name)
                room.connection.call("DELETE", target, None, type(None), version=detail.version, idempotent=False)
            else:
                room.save(PLURAL, name, body, detail.version)
            saved.append(name)
        yield
    except BaseException:
        for name in saved:
            _discard(room, name)
        raise


def _discard(room: Room, name: str) -> None:
    with suppress(errors.QiantangError):  # the first error is the one to be told
        found = room.find(PLURAL, name)
        if found is not None and found.state != "published":
            target = room.path(PLURAL, name, "draft")
            room.connection.call("DELETE", target, None, type(None), version=found.version, idempotent=False)
