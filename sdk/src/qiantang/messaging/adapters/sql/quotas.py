"""Quotas: rates that all processes keep together, each a row that says up to when what was taken is paid for."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.kernel.rate import Rate
from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.database import Database

MICRO: Final = 1_000_000

quotas = sa.Table(
    "mf_quota",
    tables.metadata,
    sa.Column("name", tables.TEXT, primary_key=True),
    sa.Column("paid", sa.BigInteger, nullable=False),
)
_q = quotas.c


async def draw(database: Database, name: str, rate: Rate, wanted: float, most: float) -> float:
    """See the port. By the database's clock, so that all processes mean the same moment."""

    async def work(connection: AsyncConnection) -> float:
        paid = await _paid(connection, name)
        now = await tables.now(connection) / 1000
        wait = rate.wait(paid, now)
        if wait <= most:
            taken = int(rate.take(paid, now, wanted) * MICRO)
            await connection.execute(sa.update(quotas).where(_q.name == name).values(paid=taken))
        return wait

    return await database.write(work)


async def _paid(connection: AsyncConnection, name: str) -> float:
    """Read the row, locked, which is made where it is missing."""
    query = sa.select(_q.paid).where(_q.name == name).with_for_update()
    found = (await connection.execute(query)).scalar()
    if found is None:
        try:
            async with connection.begin_nested():
                await connection.execute(sa.insert(quotas), {"name": name, "paid": 0})
        except exc.IntegrityError:  # another process was first
            pass
        found = (await connection.execute(query)).scalar_one()
    return found / MICRO
