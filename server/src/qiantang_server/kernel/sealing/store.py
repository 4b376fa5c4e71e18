"""Rows of the data keys, wrapped by a master key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qiantang_server.kernel import storage

data_keys = sa.Table(
    "data_key",
    storage.metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("purpose", sa.String(64), nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("wrapped", sa.String(255), nullable=False),
    sa.Column("master", sa.String(64), nullable=False),
    sa.Column("created_at", storage.Millis, nullable=False),
    sa.Column("active_from", storage.Millis, nullable=False),
    sa.UniqueConstraint("tenant", "purpose", "slot"),
)

Row = sa.Row[Any]
MOST_SHARED = 20


async def keys_of(session: storage.Session, tenant: str, purpose: str | None = None) -> Sequence[Row]:
    """Give a tenant's keys, oldest first."""
    statement = sa.select(data_keys).where(data_keys.c.tenant == tenant)
    if purpose is not None:
        statement = statement.where(data_keys.c.purpose == purpose)
    return await session.all(statement.order_by(data_keys.c.purpose, data_keys.c.slot))


async def add_key(session: storage.Session, values: Mapping[str, Any]) -> None:
    """Add a key; where another server was faster with the same slot, its key stays."""
    await session.insert_new(data_keys, [values])


async def masters(session: storage.Session) -> set[str]:
    """Name the master keys that some key is wrapped by."""
    return {row.master for row in await session.all(sa.select(data_keys.c.master).distinct())}


async def not_under(session: storage.Session, master: str, limit: int) -> Sequence[Row]:
    """Give keys that are wrapped by another master key than this."""
    return await session.all(sa.select(data_keys).where(data_keys.c.master != master).limit(limit))


async def rewrap(session: storage.Session, key: str, master: str, wrapped: str) -> None:
    """Put a key under another master key."""
    await session.execute(sa.update(data_keys).where(data_keys.c.id == key).values(master=master, wrapped=wrapped))


async def shared_keys(session: storage.Session, table: sa.Table) -> Sequence[Row]:
    """Give the sealed keys of a table, newest first."""
    return await session.all(sa.select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(MOST_SHARED))


async def insert_shared_key(session: storage.Session, table: sa.Table, values: Mapping[str, Any]) -> None:
    """Write a sealed key."""
    await session.execute(sa.insert(table).values(**values))


async def expire_shared_keys(session: storage.Session, table: sa.Table, before: int) -> int:
    """Remove keys made before a moment."""
    return await session.execute(sa.delete(table).where(table.c.created_at < before))
