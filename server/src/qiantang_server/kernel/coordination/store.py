"""Rows where the database coordinates: leases, announcements, servers. All times are the database's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from qiantang.kernel.resource import Position
from qiantang_server.kernel import storage

KEY_LENGTH = 330
FREE = ""

leases = sa.Table(
    "lease",
    storage.metadata,
    storage.name_column("name", primary_key=True),
    sa.Column("holder", sa.String(128), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("expires", storage.Millis, nullable=False),
)
"""One row per lease that was ever taken. Rows stay for good: their epochs must never fall."""

announcements = sa.Table(
    "announcement",
    storage.metadata,
    storage.name_column("bundle", KEY_LENGTH, primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("at", storage.Millis, nullable=False),
    sa.Index("ix_announcement_at", "at"),
)

servers = sa.Table(
    "server",
    storage.metadata,
    storage.name_column("node", 128, primary_key=True),
    sa.Column("address", sa.String(255), nullable=False),
    sa.Column("seen", storage.Millis, nullable=False),
)


async def take_lease(session: storage.Session, name: str, holder: str, ttl: int) -> sa.Row[Any] | None:
    """Take a lease that is free, expired or the holder's own; give its epoch and expiry, None where it is another's."""
    take = (
        sa.update(leases)
        .where(
            leases.c.name == name,
            sa.or_(leases.c.expires <= storage.now(), leases.c.holder.in_([FREE, holder])),
        )
        .values(holder=holder, epoch=leases.c.epoch + 1, expires=storage.now() + ttl)
    )
    state = sa.select(leases.c.epoch, leases.c.expires).where(leases.c.name == name)
    if not await session.execute(take):
        if await session.first(state) is not None:
            return None
        await session.insert_new(leases, [{"name": name, "holder": FREE, "epoch": 0, "expires": 0}])
        if not await session.execute(take):
            return None
    return await session.first(state)


async def extend_lease(session: storage.Session, name: str, holder: str, epoch: int, ttl: int) -> sa.Row[Any] | None:
    """Move the expiry of a lease that is still held under this epoch; None where it is not."""
    extended = await session.execute(
        sa.update(leases)
        .where(
            leases.c.name == name,
            leases.c.holder == holder,
            leases.c.epoch == epoch,
            leases.c.expires > storage.now(),
        )
        .values(expires=storage.now() + ttl)
    )
    if not extended:
        return None
    return await session.first(sa.select(leases.c.epoch, leases.c.expires).where(leases.c.name == name))


async def free_lease(session: storage.Session, name: str, holder: str, epoch: int) -> None:
    """Free a lease that is held under this epoch."""
    await session.execute(
        sa.update(leases)
        .where(leases.c.name == name, leases.c.holder == holder, leases.c.epoch == epoch)
        .values(holder=FREE, expires=0)
    )


async def announce(session: storage.Session, key: str, position: Position) -> bool:
    """Set a position if it is newer; say whether it was."""
    columns = announcements.c
    older = sa.or_(
        columns.epoch < position.epoch,
        sa.and_(columns.epoch == position.epoch, columns.revision < position.revision),
    )
    values = {"epoch": position.epoch, "revision": position.revision, "at": storage.now()}
    newer = sa.update(announcements).where(columns.bundle == key, older).values(**values)
    if await session.execute(newer):
        return True
    # -1 is older than every position, so the row made here is set by the update like any other
    first = {"bundle": key, "epoch": -1, "revision": -1, "at": 0}
    await session.insert_new(announcements, [first])
    return await session.execute(newer) > 0


async def position(session: storage.Session, key: str) -> Position | None:
    """Give a key's position."""
    row = await session.first(
        sa.select(announcements.c.epoch, announcements.c.revision).where(announcements.c.bundle == key)
    )
    return None if row is None else Position(epoch=row.epoch, revision=row.revision)


async def recent(session: storage.Session, window: int, limit: int, after: str = "") -> Sequence[sa.Row[Any]]:
    """Give what was announced in the last `window` milliseconds, in order of key."""
    columns = announcements.c
    return await session.all(
        sa.select(columns.bundle, columns.epoch, columns.revision)
        .where(columns.at >= storage.now() - window, columns.bundle > after)
        .order_by(columns.bundle)
        .limit(limit)
    )


async def page(session: storage.Session, after: str, limit: int) -> Sequence[sa.Row[Any]]:
    """Give announcements in order of key."""
    columns = announcements.c
    return await session.all(
        sa.select(columns.bundle, columns.epoch, columns.revision)
        .where(columns.bundle > after)
        .order_by(columns.bundle)
        .limit(limit)
    )


async def greet(session: storage.Session, node: str, address: str, forget: int) -> None:
    """Say that a server lives, and forget those that were not seen for `forget` milliseconds."""
    seen = await session.now()
    await session.upsert(servers, [{"node": node, "address": address, "seen": seen}], ["address", "seen"])
    await session.execute(sa.delete(servers).where(servers.c.seen < seen - forget))


async def leave(session: storage.Session, node: str) -> None:
    """Take a server off the list."""
    await session.execute(sa.delete(servers).where(servers.c.node == node))


async def live(session: storage.Session, within: int, limit: int = 1000) -> list[str]:
    """Give the addresses of servers seen in the last `within` milliseconds."""
    rows = await session.all(sa.select(servers.c.address).where(servers.c.seen >= storage.now() - within).limit(limit))
    return [row.address for row in rows]
