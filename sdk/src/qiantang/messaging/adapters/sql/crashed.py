"""Crashed: what brokers that are away did not take, in a table that outlives the machine on which it was sent."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.slotted import SLOTS, SlottedTable, slotted
from qiantang.messaging.port import Moved

crashed = slotted(
    "msg_broker_crash",
    sa.Column("member", tables.TEXT, nullable=False),
    sa.Column("topic", tables.NAME, nullable=False),
    sa.Column("id", sa.String(64), nullable=False),
    sa.Index("ix_msg_broker_crash_member", "member"),
)
"""`member` says which process sent a message; topic and id are for people who look."""


class SqlCrashed(SlottedTable):
    """See the port."""

    def __init__(self, url: str, member: str) -> None:
        super().__init__(url, member, crashed, "crashed")

    async def put(self, moved: Sequence[Moved]) -> None:
        now = int(time.time() * 1000)
        rows = [
            {
                "slot": (one.slot if one.slot >= 0 else place) % SLOTS,  # without a key, any
                "written_at": now,
                "data": one.data,
                "member": one.member,
                "topic": one.topic[:100],
                "id": one.id[:64],
            }
            for place, one in enumerate(moved)
        ]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.insert(crashed), rows)

        if rows:
            await self._database.write(work)

    async def members(self) -> set[str]:
        async with self._database.reading() as connection:
            return {row.member for row in await connection.execute(sa.select(crashed.c.member).distinct())}

    async def left(self, members: Collection[str]) -> int:
        async with self._database.reading() as connection:
            of_them = sa.select(sa.func.count()).select_from(crashed).where(crashed.c.member.in_(members))
            return int((await connection.execute(of_them)).scalar_one())
