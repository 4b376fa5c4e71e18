"""Finding: what somebody jumps to by typing a part of it: resources by name, values by key or text, requests by their id.

A finder gives at most `limit` hits in a tenant, and none of what its reader may not see: the permission is part of the query.
Capabilities bring finders of their own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa

from qiantang.kernel.release import Hit
from qiantang_server.kernel.access import Columns, Principal
from qiantang_server.kernel.resources import store, visibility
from qiantang_server.kernel.resources.service.ground import Ground
from qiantang_server.kernel.storage.words import holding

Finder = Callable[[Principal, str, str, int], Awaitable[list[Hit]]]
"""(who asks, tenant, words, limit) → hits."""

_ID = re.compile(r"^[0-9a-f]{32}$")
_PLACE = (
    store.bundles.c.tenant,
    store.bundles.c.environment,
    store.bundles.c.center,
    store.bundles.c.application,
    store.bundles.c.capability,
)


class Finding:
    """Finders over the resources of every capability."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    @property
    def finders(self) -> list[Finder]:
        """All of them, in the order in which their hits are shown."""
        return [self.resources, self.texts, self.requests]

    async def resources(self, principal: Principal, tenant: str, words: str, limit: int) -> list[Hit]:
        """Find resources by a part of their name, drafts among them."""
        names = [
            sa.select(*_PLACE, table.c.kind, table.c.name)
            .join(table, table.c.bundle == store.bundles.c.id)
            .where(self._visible(principal, tenant), holding(words, table.c.name))
            .limit(limit)
            for table in (store.drafts, store.names)
        ]
        found: dict[tuple[Any, ...], Hit] = {}
        async with self._parts.database.reading() as session:
            for statement in names:
                for row in await session.all(statement):
                    found.setdefault(
                        tuple(row), _hit(row, type="resource", title=row.name, kind=row.kind, name=row.name)
                    )
        return list(found.values())[:limit]

    async def texts(self, principal: Principal, tenant: str, words: str, limit: int) -> list[Hit]:
        """Find published values by a part of their key or of themselves; never secrets, which are not indexed."""
        columns = (store.texts.c.kind, store.texts.c.name, store.texts.c.path, store.texts.c.text)
        statement = (
            sa.select(*_PLACE, *columns)
            .join(store.texts, store.texts.c.bundle == store.bundles.c.id)
            .where(self._visible(principal, tenant), holding(words, store.texts.c.path, store.texts.c.text))
            .limit(limit)
        )
        async with self._parts.database.reading() as session:
            rows = await session.all(statement)
        return [
            _hit(row, type="text", title=row.path, kind=row.kind, name=row.name, path=row.path, said=row.text[:120])
            for row in rows
        ]

    async def requests(self, principal: Principal, tenant: str, words: str, limit: int) -> list[Hit]:
        """Find the request to publish whose id was pasted."""
        pasted = words.strip()
        if not _ID.match(pasted):
            return []
        statement = (
            sa.select(*_PLACE, store.requests.c.id.label("request"), store.requests.c.message)
            .join(store.requests, store.requests.c.bundle == store.bundles.c.id)
            .where(self._visible(principal, tenant), store.requests.c.id == pasted)
            .limit(limit)
        )
        async with self._parts.database.reading() as session:
            rows = await session.all(statement)
        return [_hit(row, type="request", title=row.message or pasted, name=row.request) for row in rows]

    def _visible(self, principal: Principal, tenant: str) -> sa.ColumnElement[bool]:
        columns = store.bundles.c
        place = Columns(columns.tenant, columns.environment, columns.center, columns.application)
        shown = visibility.bundles(principal, self._parts.kinds, "read", place, columns.capability)
        return sa.and_(columns.tenant == tenant, shown)


def _hit(row: store.Row, *, type: str, title: str, said: str = "", **more: str) -> Hit:
    place = f"{row.center}/{row.application}"
    return Hit(
        type=type,
        title=title,
        detail=f"{place} · {said}" if said else place,
        tenant=row.tenant,
        environment=row.environment,
        center=row.center,
        application=row.application,
        capability=row.capability,
        **more,
    )
