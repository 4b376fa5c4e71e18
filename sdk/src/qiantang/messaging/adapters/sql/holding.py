"""Holding: what of the held messages may be taken now, and when the next may be."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.owned import OwnedQueue

_h, _m = tables.held.c, tables.messages.c
_earlier = tables.held.alias("earlier")
_SAME_KEY = sa.and_(*(_earlier.c[name] == _h[name] for name in ("topic", "grp", "queue", "k")))
_BEHIND = sa.exists(sa.select(_earlier.c.number).where(_SAME_KEY, _earlier.c.position < _h.position))
_MINE = (_h.topic == sa.bindparam("a"), _h.grp == sa.bindparam("b"))
_DUE = (
    sa.select(
        _h.queue,
        _h.priority,
        _h.position,
        *(_m[name] for name in ("id", "tag", "k", "deliver_at", "expires_at", "headers", "body")),
        _h.number,
        _h.attempt,
        _h.k.label("waits"),
    )
    .join(tables.messages, tables.HELD_IS)
    .where(
        *_MINE,
        _h.queue.in_(sa.bindparam("queues", expanding=True)),
        _h.due <= sa.bindparam("now"),
        sa.or_(_h.k == "", ~_BEHIND),
        _h.number.not_in(sa.bindparam("working", expanding=True)),
    )
    .order_by(_h.priority.desc(), _h.due, _h.position)
    .limit(sa.bindparam("most"))
)
_NEXT = sa.select(sa.func.min(_h.due)).where(*_MINE, _h.queue == sa.bindparam("queue"), _h.due > sa.bindparam("now"))


async def due(
    connection: AsyncConnection, own: Mapping[str, str], queues: Collection[OwnedQueue], count: int
) -> Sequence[Any]:
    """Give held messages whose time has come, of a key that waits only its first: the columns of a row of a log, then the
    number, the attempts and the key that waits with it. Queues of which there is no more know when there will be.
    """
    now = int(time.time() * 1000)
    mine = {"a": own["topic"], "b": own["grp"]}
    working = [number for queue in queues for number in queue.working]
    numbers = [queue.number for queue in queues]
    found = await connection.execute(_DUE, {**mine, "queues": numbers, "now": now, "working": working, "most": count})
    rows = found.all()
    if len(rows) < count:
        for queue in queues:
            # what is due and was not given is in hand, or behind what is: settling that says to look again
            later = await connection.execute(_NEXT, {**mine, "queue": queue.number, "now": now})
            soonest = later.scalar()
            queue.due = math.inf if soonest is None else soonest
    return rows
