"""Sweeping: the removal of messages that nobody needs any more, in slices, so that no transaction is long."""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.model.message import DEAD

SLICE: Final = 1000
SWEEP_SECONDS: Final = 30.0
TURN_SECONDS: Final = 300.0
UNCLAIMED_LOOK_SECONDS: Final = 300.0
UNCLAIMED_SECONDS: Final = 7 * 24 * 3600.0
"""How long a message is kept on a topic that has no group: nobody will receive it, for a new group begins at the end."""
DEAD_SECONDS: Final = 90 * 24 * 3600.0
"""The same of dead letters, which somebody may still want to look at."""

_m, _o, _g, _l = tables.messages.c, tables.offsets.c, tables.groups.c, tables.logs.c


async def finished(database: Database, topic: str, logs: Iterable[tuple[int, int]]) -> None:
    """Remove what every group has finished of logs, given by queue and priority."""
    for queue, priority in logs:
        await in_slices(database, functools.partial(_remove_finished, topic=topic, queue=queue, priority=priority))


async def unclaimed(database: Database, topic: str) -> None:
    """Remove what is old of a topic that no group has ever claimed."""
    async with database.reading() as connection:
        if await _groups(connection, topic):
            return
        found = await connection.execute(sa.select(_l.queue, _l.priority).where(_l.topic == topic))
        logs = found.all()
    for queue, priority in logs:
        await in_slices(database, functools.partial(_remove_old, topic=topic, queue=queue, priority=priority))


async def in_slices(database: Database, remove: Callable[[AsyncConnection], Awaitable[int]]) -> None:
    """Have `remove` remove a slice, until it removes less than one."""
    removed = SLICE
    while removed == SLICE:
        removed = await database.write(remove)
        await asyncio.sleep(0)


class Turn:
    """Says now and then whether it is time to sweep what many write: at first, and each five minutes."""

    def __init__(self) -> None:
        self._last = -math.inf

    def comes(self) -> bool:
        """Say whether it is time; then it is not again for a while."""
        now = time.monotonic()
        if now - self._last < TURN_SECONDS:
            return False
        self._last = now
        return True


async def older(database: Database, number: sa.Column[Any], since: sa.Column[Any], seconds: float) -> None:
    """Remove the rows of a table that are older than so many seconds; `since` is in milliseconds since 1970."""
    table = number.table
    before = int((time.time() - seconds) * 1000)

    async def remove(connection: AsyncConnection) -> int:
        old = sa.select(number).where(since < before).order_by(since).limit(SLICE)
        numbers = [row[0] for row in await connection.execute(old)]
        if numbers:
            await connection.execute(sa.delete(table).where(number.in_(numbers)))
        return len(numbers)

    await in_slices(database, remove)


async def _groups(connection: AsyncConnection, topic: str) -> int:
    found = await connection.execute(sa.select(sa.func.count()).select_from(tables.groups).where(_g.topic == topic))
    return found.scalar_one()


async def _remove_finished(connection: AsyncConnection, topic: str, queue: int, priority: int) -> int:
    here = (_o.topic == topic, _o.queue == queue, _o.priority == priority)
    found = await connection.execute(sa.select(sa.func.count(), sa.func.min(_o.position)).where(*here))
    known, lowest = found.one()
    if known < await _groups(connection, topic):
        return 0  # a group that has written no offset yet has finished nothing
    log = (_m.topic == topic, _m.queue == queue, _m.priority == priority)
    held = sa.exists(sa.select(tables.held.c.number).where(tables.HELD_IS))
    rows = await connection.execute(sa.select(_m.position).where(*log, _m.position < lowest, ~held).limit(SLICE))
    positions = [row.position for row in rows]
    if positions:
        await connection.execute(sa.delete(tables.messages).where(*log, _m.position.in_(positions)))
    return len(positions)


async def _remove_old(connection: AsyncConnection, topic: str, queue: int, priority: int) -> int:
    if await _groups(connection, topic):
        return 0
    log = (_m.topic == topic, _m.queue == queue, _m.priority == priority)
    oldest = sa.select(_m.position, _m.stored_at).where(*log).order_by(_m.position).limit(SLICE)
    before = (time.time() - (DEAD_SECONDS if topic.startswith(DEAD) else UNCLAIMED_SECONDS)) * 1000
    positions: list[int] = []
    for row in await connection.execute(oldest):
        if row.stored_at >= before:
            break
        positions.append(row.position)
    if positions:
        await connection.execute(sa.delete(tables.messages).where(*log, _m.position <= positions[-1]))
    return len(positions)
