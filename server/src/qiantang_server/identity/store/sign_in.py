"""Rows of signing in: sessions, known networks, throttles, and the tokens of a first start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qiantang_server.identity.rules.throttle import Bucket
from qiantang_server.identity.store import tables
from qiantang_server.kernel.storage import Session

Row = sa.Row[Any]
sessions, sources, throttles, first_starts = tables.sessions, tables.sources, tables.throttles, tables.first_starts


async def insert_session(session: Session, values: Mapping[str, Any]) -> None:
    """Write a session."""
    await session.execute(sa.insert(sessions).values(**values))


async def find_session(session: Session, token_hash: str) -> Row | None:
    """Give a session by its token's hash."""
    return await session.first(sa.select(sessions).where(sessions.c.token_hash == token_hash))


async def list_sessions(session: Session, user: str, now: int, idle: int) -> Sequence[Row]:
    """Give a user's sessions that are good, newest first."""
    return await session.all(
        sa.select(sessions)
        .where(sessions.c.user_id == user, sessions.c.expires_at > now, sessions.c.seen_at > now - idle)
        .order_by(sessions.c.created_at.desc())
        .limit(500)
    )


async def end_session(session: Session, user: str, session_id: str) -> int:
    """Remove one session of a user; give how many there were."""
    return await session.execute(sa.delete(sessions).where(sessions.c.user_id == user, sessions.c.id == session_id))


async def end_sessions(session: Session, user: str, *, but: str = "") -> int:
    """Remove a user's sessions, but for one id."""
    return await session.execute(sa.delete(sessions).where(sessions.c.user_id == user, sessions.c.id != but))


async def end_sessions_of(session: Session, tenant: str) -> int:
    """Remove the sessions of all people of a tenant."""
    people = sa.select(tables.users.c.id).where(tables.users.c.tenant == tenant)
    return await session.execute(sa.delete(sessions).where(sessions.c.user_id.in_(people)))


async def touch_sessions(session: Session, seen: Mapping[str, int]) -> None:
    """Note when sessions were used last, by their token's hash."""
    if seen:
        statement = (
            sa.update(sessions)
            .where(sessions.c.token_hash == sa.bindparam("key"))
            .values(seen_at=sa.bindparam("moment"))
        )
        await session.execute(statement, [{"key": key, "moment": moment} for key, moment in sorted(seen.items())])


async def is_familiar(session: Session, user: str, network: str, since: int) -> bool:
    """Say whether a user signed in from a network after a moment."""
    found = sa.select(sources.c.seen_at).where(
        sources.c.user_id == user, sources.c.network == network, sources.c.seen_at > since
    )
    return await session.first(found) is not None


async def note_source(session: Session, user: str, network: str, now: int) -> None:
    """Note that a user signed in from a network."""
    await session.upsert(sources, [{"user_id": user, "network": network, "seen_at": now}], ["seen_at"])


async def forget_sources(session: Session, user: str) -> None:
    """Forget every network that a user signed in from."""
    await session.execute(sa.delete(sources).where(sources.c.user_id == user))


async def lock_buckets(session: Session, keys: Sequence[str]) -> dict[str, Bucket]:
    """Give the throttle's counts under these keys, locked until the transaction ends; made where they are missing."""
    empty = [{"id": key, "failures": 0, "blocked_until": 0, "updated_at": 0} for key in sorted(keys)]
    await session.insert_new(throttles, empty)
    rows = await session.all(
        sa.select(throttles).where(throttles.c.id.in_(sorted(keys))).order_by(throttles.c.id).with_for_update()
    )
    return {row.id: Bucket(row.failures, row.blocked_until, row.updated_at) for row in rows}


async def save_bucket(session: Session, key: str, bucket: Bucket) -> None:
    """Write a count back."""
    await session.execute(
        sa.update(throttles)
        .where(throttles.c.id == key)
        .values(failures=bucket.failures, blocked_until=bucket.blocked_until, updated_at=bucket.updated_at)
    )


async def clear_bucket(session: Session, key: str) -> None:
    """Forget a count."""
    await session.execute(sa.delete(throttles).where(throttles.c.id == key))


async def insert_first_start(session: Session, token_hash: str, expires_at: int) -> None:
    """Write a one-time token of a first start."""
    await session.execute(sa.insert(first_starts).values(token_hash=token_hash, expires_at=expires_at))


async def first_start_ends(session: Session, token_hash: str) -> int:
    """Give the moment at which a one-time token ends; 0 where there is none."""
    found = await session.first(sa.select(first_starts.c.expires_at).where(first_starts.c.token_hash == token_hash))
    return int(found.expires_at) if found is not None else 0


async def clear_first_starts(session: Session, *, before: int | None = None) -> None:
    """Remove the one-time tokens: all, or those that ended before a moment."""
    statement = sa.delete(first_starts)
    if before is not None:
        statement = statement.where(first_starts.c.expires_at <= before)
    await session.execute(statement)


async def expire(session: Session, *, now: int, idle_since: int, quiet_since: int, strange_since: int) -> int:
    """Remove sessions that ended, throttles gone quiet and networks not seen for long; give the count."""
    return sum(
        [
            await session.execute(
                sa.delete(sessions).where(sa.or_(sessions.c.expires_at <= now, sessions.c.seen_at <= idle_since))
            ),
            await session.execute(sa.delete(throttles).where(throttles.c.updated_at <= quiet_since)),
            await session.execute(sa.delete(sources).where(sources.c.seen_at <= strange_since)),
            await session.execute(sa.delete(first_starts).where(first_starts.c.expires_at <= now)),
        ]
    )
