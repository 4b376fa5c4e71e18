"""Lagging: what a group has not finished of a topic, counted by the database."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.port import Lag

_l, _m, _o, _h = tables.logs.c, tables.messages.c, tables.offsets.c, tables.held.c
_LOG = ("topic", "queue", "priority")
_first = sa.func.coalesce(_o.position, 0)
_OFFSET = sa.and_(*(_o[name] == _l[name] for name in _LOG), _o.grp == sa.bindparam("b"))
_WHEN: sa.ColumnElement[int] = sa.case((_m.deliver_at > _m.stored_at, _m.deliver_at), else_=_m.stored_at)
"""Since when a message could be had."""
_UNDONE = (
    sa.select(_l.tail - _first, _WHEN)
    .select_from(
        tables.logs.join(tables.offsets, _OFFSET, isouter=True).join(
            tables.messages, sa.and_(*(_m[name] == _l[name] for name in _LOG), _m.position == _first), isouter=True
        )
    )
    .where(_l.topic == sa.bindparam("a"), _l.queue >= sa.bindparam("first"), _l.tail > _first)
)
"""Of each log what stands behind the offset, and how old its first is."""
_DONE = sa.and_(*(_o[name] == _h[name] for name in (*_LOG, "grp")), _h.position < _o.position)
_WAITING = sa.or_(_h.due <= sa.bindparam("now"), _h.attempt > 1)
_HELD = (
    sa.select(sa.func.count(), sa.func.min(sa.case((_WAITING, _h.number))))
    .select_from(tables.held.join(tables.offsets, _DONE))
    .where(
        _h.topic == sa.bindparam("a"),
        _h.grp == sa.bindparam("b"),
        _h.queue >= sa.bindparam("first"),
        sa.or_(sa.bindparam("first") == 0, _WAITING),  # what waits for its own time has no place in an order yet
    )
)
"""What is held before the offsets, and the first of it that does not merely wait for its own time."""
_OLD = (
    sa.select(_WHEN)
    .select_from(tables.held.join(tables.messages, tables.HELD_IS))
    .where(_h.number == sa.bindparam("c"))
)


async def lag(connection: AsyncConnection, topic: str, group: str, from_queue: int = 0) -> Lag:
    """Say what a group has not finished, of the queues from a number on.

    `seconds` is the age of the oldest that could be had, by the clocks of those who sent.
    """
    now = int(time.time() * 1000)
    own: dict[str, Any] = {"a": topic, "b": group, "first": from_queue}
    logs = (await connection.execute(_UNDONE, own)).all()
    waiting, first = (await connection.execute(_HELD, {**own, "now": now})).one()
    since = [when for _, when in logs if when is not None]
    if first is not None:
        since += (await connection.execute(_OLD, {"c": first})).scalars().all()
    seconds = max(0.0, (now - min(since)) / 1000) if since else 0.0
    return Lag(messages=sum(behind for behind, _ in logs) + waiting, seconds=seconds)
