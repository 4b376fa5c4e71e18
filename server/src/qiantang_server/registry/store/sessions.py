"""Rows of sessions, and of what is gone with them. A session is there until it is taken away, expired or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qiantang.kernel import scope
from qiantang_server.kernel import storage
from qiantang_server.registry.store.tables import Place, nodes, pulse, sessions, votes

_PULSE = 1
_OF_ID = sa.select(sessions.c.id).where(sessions.c.id == sa.bindparam("key"))


async def open_one(session: storage.Session, key: str, caller: scope.Scope, lease: int) -> None:
    """Write a new session."""
    now = await session.now()
    values = {
        "id": key,
        "tenant": caller.tenant,
        "environment": caller.environment,
        "center": caller.center,
        "application": caller.application,
        "opened_at": now,
        "expires_at": now + lease,
    }
    await session.execute(sa.insert(sessions).values(**values))


async def count(session: storage.Session, caller: scope.Scope) -> int:
    """Count the sessions of an application."""
    at = sessions.c
    return int(
        await session.scalar(
            sa.select(sa.func.count()).where(
                at.tenant == caller.tenant,
                at.environment == caller.environment,
                at.center == caller.center,
                at.application == caller.application,
            )
        )
    )


async def is_there(session: storage.Session, key: str) -> bool:
    """Say whether a session is."""
    return await session.first(_OF_ID, {"key": key}) is not None


async def renew(session: storage.Session, keys: Sequence[str], lease: int) -> set[str]:
    """Give sessions a full lease from now on; give those that are there."""
    await session.execute(sa.update(sessions).where(sessions.c.id.in_(keys)).values(expires_at=storage.now() + lease))
    rows = await session.all(sa.select(sessions.c.id).where(sessions.c.id.in_(keys)))
    return {row.id for row in rows}


async def spare(session: storage.Session, lease: int) -> int:
    """Give every session a full lease from now on; give how many had less."""
    until = storage.now() + lease
    return await session.execute(sa.update(sessions).where(sessions.c.expires_at < until).values(expires_at=until))


async def expired(session: storage.Session, limit: int) -> dict[Place, list[str]]:
    """Give sessions that nobody renewed in time, by place."""
    at = sessions.c
    rows = await session.all(
        sa.select(at.id, at.tenant, at.environment)
        .where(at.expires_at <= storage.now())
        .order_by(at.expires_at)
        .limit(limit)
    )
    found: dict[Place, list[str]] = {}
    for row in rows:
        found.setdefault(Place(row.tenant, row.environment), []).append(row.id)
    return found


async def take_away(session: storage.Session, keys: Sequence[str], *, expired: bool) -> list[str]:
    """Remove sessions with their nodes and votes, `expired` ones only if they still are; name the microservices whose nodes went.

    Call it with the place counted up.
    """
    due = [sessions.c.expires_at <= storage.now()] if expired else []
    await session.execute(sa.delete(sessions).where(sessions.c.id.in_(keys), *due))
    rows = await session.all(sa.select(sessions.c.id).where(sessions.c.id.in_(keys)))
    gone = sorted(set(keys) - {row.id for row in rows})
    names = await session.all(sa.select(nodes.c.microservice).where(nodes.c.session.in_(gone)).distinct())
    for table in (nodes, votes):
        await session.execute(sa.delete(table).where(table.c.session.in_(gone)))
    return [row.microservice for row in names]


async def remove_orphans(session: storage.Session) -> int:
    """Remove votes that were written while their session was taken away."""
    return await session.execute(sa.delete(votes).where(~sa.exists().where(sessions.c.id == votes.c.session)))


async def read_pulse(session: storage.Session) -> Mapping[str, Any]:
    """Give when a server was there last (`at`, None for never), the time, and whether anybody has a session (`any`)."""
    at = sa.select(pulse.c.at).where(pulse.c.id == _PULSE).scalar_subquery()
    some = sa.exists().where(sessions.c.id != "")
    row = await session.first(sa.select(at.label("at"), storage.now().label("now"), some.label("any")))
    assert row is not None  # noqa: S101  # it has no source that could be empty
    return {"at": row.at, "now": row.now, "any": bool(row.any)}


async def beat(session: storage.Session) -> None:
    """Say that a server is there."""
    await session.upsert(pulse, [{"id": _PULSE, "at": await session.now()}], ["at"])
