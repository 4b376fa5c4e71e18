"""Rows of the estate: tenants, environments, centers, applications, and the tombstones of what was deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qiantang_server.identity.store import tables
from qiantang_server.kernel.access import Target
from qiantang_server.kernel.storage import Session

Row = sa.Row[Any]
Condition = sa.ColumnElement[bool]


def _keys(table: sa.Table, key: Sequence[str]) -> list[Condition]:
    return [column == value for column, value in zip(table.primary_key.columns, key, strict=True)]


async def find(session: Session, table: sa.Table, *key: str) -> Row | None:
    """Give a row by its whole key."""
    return await session.first(sa.select(table).where(*_keys(table, key)))


async def insert(session: Session, table: sa.Table, values: Mapping[str, Any]) -> None:
    """Write a new row."""
    await session.execute(sa.insert(table).values(**values))


async def update(session: Session, table: sa.Table, key: Sequence[str], values: Mapping[str, Any]) -> None:
    """Change a row; nothing to change is well."""
    if values:
        await session.execute(sa.update(table).where(*_keys(table, key)).values(**values))


async def delete(session: Session, table: sa.Table, *key: str) -> None:
    """Remove a row."""
    await session.execute(sa.delete(table).where(*_keys(table, key)))


async def page(
    session: Session, table: sa.Table, conditions: Sequence[Condition], after: str, limit: int
) -> Sequence[Row]:
    """Give rows in order of name, after a name."""
    return await session.all(
        sa.select(table).where(*conditions, table.c.name > after).order_by(table.c.name).limit(limit)
    )


async def has_applications(session: Session, tenant: str, center: str) -> bool:
    """Say whether anything belongs to a center."""
    t = tables.applications
    found = await session.first(sa.select(t.c.name).where(t.c.tenant == tenant, t.c.center == center).limit(1))
    return found is not None


async def bury(session: Session, place: Target, at: int) -> None:
    """Put up a tombstone: whoever asks for something at this place is told that it was removed."""
    row = {**place._asdict(), "at": at}
    await session.upsert(tables.gone, [row], ["at"])


async def unbury(session: Session, place: Target) -> None:
    """Take a tombstone away: the name is in use again."""
    await delete(session, tables.gone, *place)


async def is_buried(session: Session, place: Target) -> bool:
    """Say whether a place, or one that it lies in, was removed."""
    matches = [tables.gone.c[name].in_([value, "*"]) for name, value in place._asdict().items()]
    return await session.first(sa.select(tables.gone.c.at).where(*matches).limit(1)) is not None
