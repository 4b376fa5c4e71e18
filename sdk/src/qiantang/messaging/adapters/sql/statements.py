"""Statements: what is done for every batch, in words that every database understands.

Sending takes positions and writes the messages; a look asks how far the logs go and reads what is new; settling locks the leases,
moves offsets and notes what is held. PostgreSQL has faster words for them: see its module.
"""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.owned import Changes
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Frame

FEW: Final = 8
"""So many messages are not worth the ways of many."""

_encoder = msgspec.msgpack.Encoder()
_l, _m, _c, _o, _h = tables.logs.c, tables.messages.c, tables.cursors.c, tables.offsets.c, tables.held.c

Row = Sequence[Any]
"""Queue, priority, position, id, tag, key, deliver_at, expires_at, headers, body."""
COLUMNS: Final = (
    "queue",
    "priority",
    "position",
    "id",
    "tag",
    "k",
    "deliver_at",
    "expires_at",
    "headers",
    "body",
)


Log = tuple[str, int, int]
"""A log: its topic, queue and priority."""


class Span(NamedTuple):
    """A part of a log: from `start` to before `end`."""

    queue: int
    priority: int
    start: int
    end: int


class Move(NamedTuple):
    """An offset to write. `known` says that it was written before."""

    queue: int
    priority: int
    position: int
    known: bool


End = tuple[int, int, int, int]
"""Queue, priority, end, and the longest body that the log ever had."""
Choose = Callable[[Sequence[End]], Sequence[Span]]
"""Say what to read."""

_LOG = (_l.topic == sa.bindparam("a"), _l.queue == sa.bindparam("b"), _l.priority == sa.bindparam("c"))
_MOST: sa.BindParameter[int] = sa.bindparam("most", type_=sa.BigInteger())
_LONGER = sa.case((_l.largest < _MOST, _MOST), else_=_l.largest)
_TAKE = sa.update(tables.logs).where(*_LOG).values(tail=_l.tail + sa.bindparam("count"), largest=_LONGER)
_TAKE_RETURNING = _TAKE.returning(_l.tail)
_TAIL = sa.select(_l.tail).where(*_LOG)
_ENDS = sa.select(_l.queue, _l.priority, _l.tail, _l.largest).where(
    _l.topic == sa.bindparam("a"), _l.queue.in_(sa.bindparam("queues", expanding=True))
)
_MINE = (_c.topic == sa.bindparam("a"), _c.grp == sa.bindparam("b"), _c.member == sa.bindparam("c"))
_LEASES = (
    sa.select(_c.queue, _c.epoch)
    .where(*_MINE, _c.queue.in_(sa.bindparam("queues", expanding=True)))
    .order_by(_c.queue)
    .with_for_update()
)
_MOVE = (
    sa.update(tables.offsets)
    .where(
        _o.topic == sa.bindparam("a"),
        _o.grp == sa.bindparam("b"),
        _o.queue == sa.bindparam("c"),
        _o.priority == sa.bindparam("d"),
    )
    .values(position=sa.bindparam("to"))
)


class Statements:
    """Of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, frames: Sequence[Frame], logs: Mapping[Log, Sequence[int]]) -> dict[Log, int]:
        """Write frames, given by their places, at the ends of logs; give the position of each log's first.

        Raises:
            BrokerAwayError: it was not done.
            OutcomeUnknownError: the commit was not answered.
        """
        work = functools.partial(self._append, frames=frames, logs=logs)
        try:
            return await self._database.write(work)
        except BrokerAwayError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
        return await self._database.write(work)  # somebody else began a log at the same time

    async def look(
        self, topic: str, queues: Collection[int], choose: Choose, size: int
    ) -> tuple[Sequence[Span], Sequence[Row]]:
        """Ask how far logs go, and read what `choose` says of them, up to about `size` bytes; give what was read, and its messages.

        Raises:
            BrokerAwayError: the database is away.
        """
        async with self._reading() as connection:
            ends = await self._ends(connection, topic, queues)
            spans = choose(ends)
            if sum(one.end - one.start for one in spans) * max((one[3] for one in ends), default=0) > size:
                spans = _fitting(spans, await self._sizes(connection, topic, spans), size)
            return spans, await self._bodies(connection, topic, spans) if spans else ()

    async def settle(
        self,
        own: Mapping[str, str],
        member: str,
        epochs: Mapping[int, int],
        moves: Sequence[Move],
        changes: Changes,
        *,
        sure: bool = False,
    ) -> set[int]:
        """Write offsets and what is held, of those queues that are this member's still, under their epochs; give these queues.

        Offsets alone may be forgotten by a server that dies, unless it is to be `sure`.

        Raises:
            BrokerAwayError, OutcomeUnknownError: what the database holds is not known.
        """
        del sure  # here it is always

        async def work(connection: AsyncConnection) -> set[int]:
            kept = await self._kept(connection, own, member, epochs)
            await self._move(connection, own, [one for one in moves if one.queue in kept])
            await self._change(connection, kept, changes)
            return kept

        return await self._database.write(work)

    # -- reading -----------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[Any]:
        async with self._database.reading() as connection:
            yield connection

    async def _ends(self, connection: Any, topic: str, queues: Collection[int]) -> Sequence[End]:
        found = await connection.execute(_ENDS, {"a": topic, "queues": list(queues)})
        return found.all()

    async def _sizes(self, connection: Any, topic: str, spans: Sequence[Span]) -> Sequence[tuple[int, int, int, int]]:
        """Give queue, priority, position and bytes of each message."""
        found = await connection.execute(_parts("sizes", len(spans)), _bounds(topic, spans))
        return [tuple(row) for row in found]

    async def _bodies(self, connection: Any, topic: str, spans: Sequence[Span]) -> Sequence[Row]:
        found = await connection.execute(_parts("bodies", len(spans)), _bounds(topic, spans))
        return found.all()

    # -- writing -----------------------------------------------------------------------------------------

    async def _append(
        self, connection: AsyncConnection, frames: Sequence[Frame], logs: Mapping[Log, Sequence[int]]
    ) -> dict[Log, int]:
        now = int(time.time() * 1000)
        starts: dict[Log, int] = {}
        rows: list[dict[str, Any]] = []
        for one in sorted(logs):  # always in the same order: two senders never wait for each other
            places = logs[one]
            most = max(len(frames[place].body) for place in places)
            start = starts[one] = await self._positions(connection, one, len(places), most)
            for offset, place in enumerate(places):
                rows.append(_row(frames[place], one, start + offset, now))
        await connection.execute(sa.insert(tables.messages), rows)
        return starts

    async def _positions(self, connection: AsyncConnection, log: Log, count: int, most: int) -> int:
        here = dict(zip("abc", log, strict=True))
        grown = {**here, "count": count, "most": most}
        if connection.dialect.update_returning:
            moved = (await connection.execute(_TAKE_RETURNING, grown)).scalar()
        elif (await connection.execute(_TAKE, grown)).rowcount:
            moved = (await connection.execute(_TAIL, here)).scalar_one()
        else:
            moved = None
        if moved is None:
            await connection.execute(sa.insert(tables.logs), {**_named(log), "tail": count, "largest": most})
            return 0
        return int(moved) - count

    async def _kept(
        self, connection: AsyncConnection, own: Mapping[str, str], member: str, epochs: Mapping[int, int]
    ) -> set[int]:
        """Give the queues that are this member's still, and keep them so until the transaction ends."""
        mine = {"a": own["topic"], "b": own["grp"], "c": member, "queues": list(epochs)}
        return {row.queue for row in await connection.execute(_LEASES, mine) if row.epoch == epochs[row.queue]}

    async def _move(self, connection: AsyncConnection, own: Mapping[str, str], moves: Sequence[Move]) -> None:
        mine = {"a": own["topic"], "b": own["grp"]}
        known = [{**mine, "c": one.queue, "d": one.priority, "to": one.position} for one in moves if one.known]
        if known:
            await connection.execute(_MOVE, known)
        fresh = [
            {**own, "queue": one.queue, "priority": one.priority, "position": one.position}
            for one in moves
            if not one.known
        ]
        if fresh:
            await connection.execute(sa.insert(tables.offsets), fresh)

    async def _change(self, connection: AsyncConnection, kept: set[int], changes: Changes) -> None:
        rows = [row for row in changes.rows if row["queue"] in kept]
        if rows:
            await connection.execute(sa.insert(tables.held), rows)
        gone = [number for queue, number in changes.gone if queue in kept]
        if gone:
            await connection.execute(sa.delete(tables.held).where(_h.number.in_(gone)))
        for one in [again for again in changes.again if again["queue"] in kept]:
            values = {name: one[name] for name in ("due", "attempt", "k")}
            await connection.execute(sa.update(tables.held).where(_h.number == one["number"]).values(**values))


def packed(frame: Frame) -> bytes:
    """Give headers as they are stored."""
    return _encoder.encode((frame.text, frame.binary))


def _named(log: Log) -> dict[str, Any]:
    return dict(zip(("topic", "queue", "priority"), log, strict=True))


def _row(frame: Frame, log: Log, position: int, now: int) -> dict[str, Any]:
    return {
        **_named(log),
        "position": position,
        "id": frame.id,
        "tag": frame.tag,
        "k": frame.key,
        "deliver_at": frame.deliver_at,
        "expires_at": frame.expires_at,
        "stored_at": now,
        "headers": packed(frame),
        "body": frame.body,
    }


@functools.cache
def _parts(what: str, count: int) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """Read so many spans with one statement, each along its primary key."""
    columns = [_m[name] for name in COLUMNS]
    if what == "sizes":
        columns = [_m.queue, _m.priority, _m.position, sa.func.length(_m.body)]
    parts = [
        sa.select(*columns).where(
            _m.topic == sa.bindparam("a"),
            _m.queue == sa.bindparam(f"queue_{number}"),
            _m.priority == sa.bindparam(f"priority_{number}"),
            _m.position >= sa.bindparam(f"start_{number}"),
            _m.position < sa.bindparam(f"end_{number}"),
        )
        for number in range(count)
    ]
    return parts[0] if count == 1 else sa.union_all(*parts)


def _bounds(topic: str, spans: Sequence[Span]) -> dict[str, Any]:
    named = {f"{name}_{number}": value for number, one in enumerate(spans) for name, value in one._asdict().items()}
    return {"a": topic, **named}


def _fitting(spans: Sequence[Span], sizes: Sequence[tuple[int, int, int, int]], size: int) -> list[Span]:
    """End spans where so many bytes are reached, but never before the first message."""
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for queue, priority, position, length in sizes:
        found.setdefault((queue, priority), []).append((position, length))
    fitting: list[Span] = []
    left = size
    for span in spans:
        for position, length in sorted(found.get((span.queue, span.priority), ())):
            if left <= 0:
                return [*fitting, span._replace(end=position)] if position > span.start else fitting
            left -= length
        fitting.append(span)
    return fitting
