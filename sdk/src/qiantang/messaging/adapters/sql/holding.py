"""Holding: what of the held messages may be taken now, and when the next may be."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Container, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.owned import OwnedQueue

R = TypeVar("R", bound=sa.Row[Any])

_h, _m = tables.held.c, tables.messages.c
_MINE = (_h.topic == sa.bindparam("a"), _h.grp == sa.bindparam("b"))
_QUEUES: sa.BindParameter[Any] = sa.bindparam("queues", expanding=True)
_other = tables.held.alias("other")
# asked once, and not for each message: a database that knows no better compares each of them with all others
_FIRSTS = (
    sa.select(_other.c.queue, _other.c.k, sa.func.min(_other.c.position))
    .where(
        _other.c.topic == sa.bindparam("a"),
        _other.c.grp == sa.bindparam("b"),
        _other.c.queue.in_(_QUEUES),
        _other.c.k != "",
    )
    .group_by(_other.c.queue, _other.c.k)
)
_ROWS = sa.select(
    _h.queue,
    _h.priority,
    _h.position,
    *(_m[name] for name in ("id", "tag", "k", "deliver_at", "expires_at", "headers", "body")),
    _h.number,
    _h.attempt,
    _h.k.label("waits"),
).join(tables.messages, tables.HELD_IS)
_DUE = (
    _ROWS.where(
        *_MINE,
        _h.queue.in_(_QUEUES),
        _h.due <= sa.bindparam("now"),
        sa.or_(_h.k == "", sa.tuple_(_h.queue, _h.k, _h.position).in_(_FIRSTS)),
        _h.number.not_in(sa.bindparam("working", expanding=True)),
    )
    .order_by(_h.priority.desc(), _h.due, _h.position)
    .limit(sa.bindparam("most"))
)
_FOLLOW = (
    _ROWS.add_columns(_h.due)
    .where(
        *_MINE,
        sa.tuple_(_h.queue, _h.k).in_(sa.bindparam("keys", expanding=True)),
        _h.number.not_in(sa.bindparam("given", expanding=True)),
    )
    .order_by(_h.position)
    .limit(sa.bindparam("most"))
)
_NEXT = sa.select(sa.func.min(_h.due)).where(*_MINE, _h.queue == sa.bindparam("queue"), _h.due > sa.bindparam("now"))


async def due(
    connection: AsyncConnection, own: Mapping[str, str], queues: Collection[OwnedQueue], count: int
) -> Sequence[Any]:
    """Give held messages whose time has come, of a key that waits its first and what follows that: the columns of a row of a log,
    then the number, the attempts and the key that waits with it. Queues of which there is no more know when there will be.
    """
    now = int(time.time() * 1000)
    mine = {"a": own["topic"], "b": own["grp"]}
    working = [number for queue in queues for number in queue.working]
    numbers = [queue.number for queue in queues]
    found = await connection.execute(_DUE, {**mine, "queues": numbers, "now": now, "working": working, "most": count})
    rows = found.all()
    behind = await _behind(connection, mine, rows, count - len(rows))
    following = [row[:-1] for row in in_turn(behind, lambda row: (row.queue, row.waits), now, working)]
    if len(rows) < count:
        for queue in queues:
            # what is due and was not given is in hand, or behind what is: settling that says to look again
            later = await connection.execute(_NEXT, {**mine, "queue": queue.number, "now": now})
            soonest = later.scalar()
            queue.due = math.inf if soonest is None else soonest
    return [*rows, *following]


async def _behind(
    connection: AsyncConnection, mine: Mapping[str, str], firsts: Sequence[Any], count: int
) -> Sequence[sa.Row[Any]]:
    """Give what stands behind the first ones of keys that wait, with when its time comes.

    Who gets them gets them with their first one: nothing of a key is given while something of it is in hand.
    """
    keys = {(row.queue, row.waits) for row in firsts if row.waits}
    if not keys or count <= 0:
        return []
    said = {**mine, "keys": list(keys), "given": [row.number for row in firsts], "most": count}
    return (await connection.execute(_FOLLOW, said)).all()


def in_turn(rows: Iterable[R], key: Callable[[R], Hashable], now: int, in_hand: Container[int]) -> list[R]:
    """Give rows of keys, in their order, of each up to the first whose time has not come or that is in hand."""
    over: set[Hashable] = set()
    found: list[R] = []
    for row in rows:
        if row.due > now or row.number in in_hand:
            over.add(key(row))
        if key(row) not in over:
            found.append(row)
    return found
