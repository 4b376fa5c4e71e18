"""Asking: what cannot be done at once becomes a request, which waits for a second person or for its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qiantang.kernel import errors, ids, release, resource, wire
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.ground import Ground, Head
from qiantang_server.kernel.resources.service.plan import Plan

MAX_DELAY_MS = 366 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asks for. `at` names a time; `waits` says that a second person must agree."""

    plan: Plan
    message: str = ""
    at: int | None = None
    waits: bool = False


async def ask(
    session: storage.Session, parts: Ground, principal: Principal, head: Head, asked: Asked, *, bundle: resource.Bundle
) -> release.PublishOutcome:
    """Write a request over a locked bundle, and its audit row.

    Raises:
        InvalidRequestError: the time is not in the future, or too far in it.
    """
    if asked.at is not None and not 0 < asked.at - await parts.shared_clock(session) < MAX_DELAY_MS:
        raise errors.InvalidRequestError("`at` must lie in the future, within a year (milliseconds since 1970 UTC)")
    values: dict[str, Any] = {
        "id": ids.ordered_id(),
        "bundle": head.key,
        "state": "waiting" if asked.waits else "scheduled",
        "author": principal.name or principal.id,
        "author_id": principal.id,
        "reviewer": "",
        "message": asked.message,
        "created_at": parts.clock(),
        "decided_at": 0,
        "publish_at": asked.at or 0,
        "base_revision": head.position.revision,
        "revision": 0,
        "plan": wire.encode(asked.plan),
        "error": "",
    }
    await store.add_request(session, values)
    parts.tell(session, bundle, "request")
    permission = ground.permission(bundle, parts.kinds, "publish")
    name = f"request/{values['id']}"
    reason = f"{asked.plan.action} requested"
    await audit.record(session, ground.event(principal, bundle, permission, name, reason=reason))
    row = await store.find_request(session, values["id"])
    assert row is not None, "written in this transaction"  # noqa: S101
    return release.PublishOutcome(request=view(row))


def is_own(principal: Principal, row: store.Row, wanted: Plan) -> bool:
    """Say whether somebody asked for a request or wrote what it publishes: then another must approve it."""
    name = principal.name or principal.id
    return principal.id == row.author_id or name in {line.author for line in wanted.lines}


def view(row: store.Row) -> release.PublishRequest:
    """Give a request row as it crosses the wire."""
    wanted = wire.decode(bytes(row.plan), Plan)
    return release.PublishRequest(
        id=row.id,
        action=wanted.action,
        state=row.state,
        author=row.author,
        message=row.message,
        created_at=row.created_at,
        base_revision=row.base_revision,
        resources=wanted.changed(),
        at=row.publish_at,
        reviewer=row.reviewer,
        decided_at=row.decided_at,
        error=row.error,
        gray=wanted.gray,
        revision=row.revision,
    )
