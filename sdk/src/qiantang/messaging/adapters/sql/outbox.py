"""Outbox: messages that are committed together with an application's own rows, in the application's own database.

`mf_outbox` holds them until their broker has them; `mf_handled` says what was handled in a transaction of the application.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.joining import join, join_once
from qiantang.messaging.adapters.sql.slotted import SlottedTable, slotted
from qiantang.messaging.model import Resource

KEEP_SECONDS: Final = 7 * 86400.0
"""So long it is known what was handled."""

outbox = slotted("mf_outbox")
handled = sa.Table(
    "mf_handled",
    tables.metadata,
    sa.Column("grp", tables.NAME, primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("handled_at", sa.BigInteger, nullable=False),
    sa.Index("ix_mf_handled_at", "handled_at"),
)


class SqlOutbox(SlottedTable):
    """See the port."""

    def __init__(self, url: str, member: str) -> None:
        super().__init__(url, member, outbox, "outbox")

    def write(self, connection: object, rows: Sequence[tuple[int, bytes]]) -> object:
        now = int(time.time() * 1000)
        return join(connection, outbox, [(slot, now, data) for slot, data in rows])

    def once(self, connection: object, group: str, id: str) -> Any:
        return join_once(connection, handled, (group, id, int(time.time() * 1000)))

    async def _sweep(self, connection: AsyncConnection) -> None:
        """Remove what was handled so long ago that it does not come again."""
        before = int((time.time() - KEEP_SECONDS) * 1000)
        await connection.execute(sa.delete(handled).where(handled.c.handled_at < before))


def make(resource: Resource, member: str) -> SqlOutbox:
    """Make an outbox in the database of an application."""
    return SqlOutbox(resource.url, member)
