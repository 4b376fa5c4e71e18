"""Finding: rows by what somebody types, those of that very name first; what may be seen is part of the statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import sqlalchemy as sa

from qiantang_server.identity.store import tables
from qiantang_server.kernel.access import Columns
from qiantang_server.kernel.storage import Session
from qiantang_server.kernel.storage.words import holding

Row = sa.Row[Any]
Condition = sa.ColumnElement[bool]
What = Literal["application", "environment", "user"]
_TABLES: dict[What, sa.Table] = {
    "application": tables.applications,
    "environment": tables.environments,
    "user": tables.users,
}
_credentials = tables.credentials.c
CREDENTIAL_COLUMNS = Columns(
    _credentials.tenant, _credentials.environment, _credentials.center, _credentials.application
)
"""Where a credential says what it belongs to, for `access.visible`."""


async def find(session: Session, what: What, wanted: Sequence[Condition], words: str, limit: int) -> Sequence[Row]:
    """Give rows that fulfil all that is wanted and hold the words in name or title."""
    table = _TABLES[what]
    name, typed = table.c.name, words.lower()
    rank = sa.case((name == typed, 0), (name.startswith(typed, autoescape=True), 1), else_=2)
    held = holding(words, name, table.c.title)
    return await session.all(sa.select(table).where(*wanted, held).order_by(rank, name).limit(limit))


def of_tenant(what: What, tenant: str) -> Condition:
    """Give the condition under which a row is one of a tenant."""
    return _TABLES[what].c.tenant == tenant


async def find_credential(session: Session, shown: Condition, tenant: str, credential: str) -> Row | None:
    """Give a tenant's credential of this very id."""
    statement = sa.select(tables.credentials).where(shown, _credentials.tenant == tenant, _credentials.id == credential)
    return await session.first(statement)
