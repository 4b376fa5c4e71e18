"""Rows of the estate: tenants, environments, centers, applications, and the tombstones of what was deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from qiantang_server.identity.store import tables
from qiantang_server.kernel.access import Columns, Target
from qiantang_server.kernel.storage import Session
from qiantang_server.kernel.storage.paging import By, Order, Sorting
from qiantang_server.kernel.storage.words import holding

Row = sa.Row[Any]
Condition = sa.ColumnElement[bool]
What = Literal["tenant", "environment", "center", "application"]

_TABLES: dict[What, sa.Table] = {
    "tenant": tables.tenants,
    "environment": tables.environments,
    "center": tables.centers,
    "application": tables.applications,
}
COLUMNS: dict[What, Columns] = {
    "tenant": Columns(tables.tenants.c.name),
    "environment": Columns(tables.environments.c.tenant, tables.environments.c.name),
    "center": Columns(tables.centers.c.tenant, center=tables.centers.c.name),
    "application": Columns(
        tables.applications.c.tenant, center=tables.applications.c.center, application=tables.applications.c.name
    ),
}
"""Where rows say what they belong to, for `access.visible`."""
_application = tables.applications.c
SORTING = Sorting(
    {
        "name": By(_application.name),
        "title": By(_application.title, folded=True),
        "center": By(_application.center),
        "created_at": By(_application.created_at),
    },
    key=(_application.center, _application.name),
)
"""What a tenant's applications can be sorted by."""


def _keys(table: sa.Table, key: Sequence[str]) -> list[Condition]:
    return [column == value for column, value in zip(table.primary_key.columns, key, strict=True)]


def _find(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(
        *(column == sa.bindparam(f"at_{column.name}") for column in table.primary_key.columns)
    )


_FIND = {what: _find(table) for what, table in _TABLES.items()}  # made once: every request about an application asks


async def find(session: Session, what: What, *key: str) -> Row | None:
    """Give a row by its whole key."""
    columns = _TABLES[what].primary_key.columns
    names = {f"at_{column.name}": value for column, value in zip(columns, key, strict=True)}
    return await session.first(_FIND[what], names)


async def insert(session: Session, what: What, values: Mapping[str, Any]) -> None:
    """Write a new row."""
    await session.execute(sa.insert(_TABLES[what]).values(**values))


async def update(session: Session, what: What, key: Sequence[str], values: Mapping[str, Any]) -> None:
    """Change a row; nothing to change is well."""
    table = _TABLES[what]
    if values:
        await session.execute(sa.update(table).where(*_keys(table, key)).values(**values))


async def delete(session: Session, what: What, *key: str) -> None:
    """Remove a row."""
    table = _TABLES[what]
    await session.execute(sa.delete(table).where(*_keys(table, key)))


async def page(
    session: Session, what: What, wanted: Sequence[Condition], after: str, limit: int, **within: str
) -> Sequence[Row]:
    """Give rows that fulfil all that is wanted in order of name, after a name; `within` names their tenant, their center."""
    table = _TABLES[what]
    equal = [table.c[column] == value for column, value in within.items()]
    return await session.all(
        sa.select(table).where(*wanted, *equal, table.c.name > after).order_by(table.c.name).limit(limit)
    )


async def page_applications(
    session: Session, wanted: Sequence[Condition], tenant: str, order: Order, limit: int
) -> Sequence[Row]:
    """Give a tenant's applications over all centers in an order of `SORTING`."""
    t = tables.applications
    return await session.all(order.page(sa.select(t).where(*wanted, t.c.tenant == tenant), limit))


def of_center(center: str) -> Condition:
    """Give the condition under which an application is one of a center."""
    return tables.applications.c.center == center


def titled(what: What, words: str) -> Condition:
    """Give the condition under which a row's name or title holds some words."""
    table = _TABLES[what]
    return holding(words, table.c.name, table.c.title)


async def tenant_names(session: Session, after: str, limit: int) -> list[str]:
    """Give the names of all tenants, after a name."""
    t = tables.tenants.c.name
    return [row.name for row in await session.all(sa.select(t).where(t > after).order_by(t).limit(limit))]


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
    await session.execute(sa.delete(tables.gone).where(*_keys(tables.gone, place)))


async def is_buried(session: Session, place: Target) -> bool:
    """Say whether a place, or one that it lies in, was removed."""
    matches = [tables.gone.c[name].in_([value, "*"]) for name, value in place._asdict().items()]
    return await session.first(sa.select(tables.gone.c.at).where(*matches).limit(1)) is not None
