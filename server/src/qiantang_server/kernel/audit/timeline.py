"""Timeline: the trail as it is read, filtered, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Columns, Principal, visible
from qiantang_server.kernel.audit import store
from qiantang_server.kernel.audit.chain import Record, shown

PERMISSION = "audit.record:list"
MAX_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What to show of a chain; an empty filter lets everything pass.

    `action` and `resource` match by their beginning; `since` and `until` are moments in milliseconds, the
    second excluded.
    """

    chain: str
    actor: str = ""
    action: str = ""
    outcome: str = ""
    resource: str = ""
    environment: str = ""
    center: str = ""
    application: str = ""
    request_id: str = ""
    since: int = 0
    until: int = 0

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Give the filters in SQL."""
        columns = store.records.c
        exact = {
            columns.actor_id: self.actor,
            columns.outcome: self.outcome,
            columns.environment: self.environment,
            columns.center: self.center,
            columns.application: self.application,
            columns.request_id: self.request_id,
        }
        begins = {columns.action: self.action, columns.resource: self.resource}
        found: list[sa.ColumnElement[bool]] = [column == value for column, value in exact.items() if value]
        found += [column.startswith(value, autoescape=True) for column, value in begins.items() if value]
        if self.since:
            found.append(columns.at >= self.since)
        if self.until:
            found.append(columns.at < self.until)
        return found


async def timeline(
    database: storage.Database, principal: Principal, wanted: Timeline, *, before: int = 0, limit: int = 100
) -> tuple[Sequence[Record], int]:
    """Give a page of records older than number `before` (0: from the newest), and where the next page begins
    (0: none).

    Shows only what the principal may see of the chain.
    """
    limit = max(1, min(limit, MAX_PAGE))
    columns = store.records.c
    conditions = wanted.conditions()
    conditions.append(
        visible(
            principal,
            PERMISSION,
            Columns(columns.chain, columns.environment, columns.center, columns.application),
        )
    )
    if before:
        conditions.append(columns.seq < before)
    async with database.reading() as session:
        rows = await store.read_timeline(session, wanted.chain, conditions, limit + 1)
    shown_rows = [shown(row) for row in rows[:limit]]
    return shown_rows, (shown_rows[-1].seq if len(rows) > limit else 0)
