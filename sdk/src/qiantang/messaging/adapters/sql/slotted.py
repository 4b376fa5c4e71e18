"""Slotted: messages in a table until their broker has them, sent by whichever process holds their slot.

Members share the slots out by leases; the messages of a key lie in one slot, and who owns it sends them in the order in which they
were written. They are not read by a cursor but removed once they were sent, so that a transaction that commits late loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.kernel import observe
from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.leases import Leases
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.port import Kept, Lag

log = observe.BoundedLog(logging.getLogger(__name__))

SLOTS: Final = 16
RENEW_SECONDS: Final = 2.5
SWEEP_SECONDS: Final = 60.0

_c = tables.cursors.c


def slotted(name: str, *columns: sa.Column[Any] | sa.Index) -> sa.Table:
    """Make a table of messages in slots, with columns and indexes beside."""
    return sa.Table(
        name,
        tables.metadata,
        sa.Column("number", tables.NUMBER, primary_key=True, autoincrement=True),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("written_at", sa.BigInteger, nullable=False),
        sa.Column("data", tables.BYTES, nullable=False),
        *columns,
        sa.Index(f"ix_{name}_slot", "slot", "number"),
    )


class SlottedTable:
    """Of one bus; `member` is a name that no other bus has. `name` is that of the leases, and of what is logged."""

    slots = SLOTS

    def __init__(self, url: str, member: str, table: sa.Table, name: str) -> None:
        self._database = Database(url)
        self._table = table
        self._name = name
        self._own = {"topic": name, "grp": "relay"}
        self._leases = Leases(self._database, dict(self._own), member, SLOTS)
        self._keeper: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        async with self._turn:
            if self._keeper is None:
                await self._open()

    async def _open(self) -> None:
        await self._database.open()
        try:
            await self._database.write(self._have_slots)
            await self._leases.renew()
        except BaseException:
            await self._database.close()
            raise
        self._keeper = asyncio.create_task(self._keep(), name=f"lease of the {self._name}")

    async def close(self) -> None:
        if self._keeper is None:
            return
        self._keeper.cancel()
        await asyncio.wait({self._keeper})
        self._keeper = None
        try:
            await self._leases.leave()
        except BrokerAwayError as error:  # then the leases end by themselves
            log.failure(self._database.name, f"slots of the {self._name} could not be given up", error=error)
        await self._database.close()

    async def take(self, count: int) -> Sequence[Kept]:
        owned = [number for number, queue in self._leases.queues.items() if not queue.leaving]
        if not owned:
            return ()
        rows = self._table.c
        async with self._database.reading() as connection:
            found = await connection.execute(
                sa.select(rows.number, rows.slot, rows.data)
                .where(rows.slot.in_(owned))
                .order_by(rows.number)
                .limit(count)
            )
            return [Kept(row.number, row.slot, bytes(row.data)) for row in found]

    async def gone(self, numbers: Collection[int]) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.delete(self._table).where(self._table.c.number.in_(numbers)))

        if numbers:
            await self._database.write(work)

    async def waiting(self) -> Lag:
        async with self._database.reading() as connection:
            found = await connection.execute(sa.select(sa.func.count(), sa.func.min(self._table.c.written_at)))
            count, oldest = found.one()
        return Lag(messages=count, seconds=max(0.0, time.time() - oldest / 1000) if oldest else 0.0)

    async def _sweep(self, connection: AsyncConnection) -> None:
        """Remove what nobody needs, now and then."""

    async def _have_slots(self, connection: AsyncConnection) -> None:
        found = await connection.execute(sa.select(_c.queue).where(*self._leases.mine(_c)))
        have = {row.queue for row in found}
        missing = [
            {**self._own, "queue": number, "member": "", "until": 0, "epoch": 0}
            for number in range(SLOTS)
            if number not in have
        ]
        if missing:
            await connection.execute(sa.insert(tables.cursors), missing)

    async def _keep(self) -> None:
        swept = 0.0
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self._leases.renew()
                if time.monotonic() - swept >= SWEEP_SECONDS:
                    await self._database.write(self._sweep)
                    swept = time.monotonic()
                log.recovered(self._database.name, f"the lease of the {self._name} is renewed again")
            except Exception as error:
                log.failure(self._database.name, f"the lease of the {self._name} cannot be renewed", error=error)
