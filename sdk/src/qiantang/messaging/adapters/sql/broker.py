"""Broker: a database that carries messages."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.kernel import errors
from qiantang.messaging.adapters.sql import tables, waking
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.receiver import SqlReceiver
from qiantang.messaging.errors import BrokerAwayError, OutcomeUnknownError, UnknownTopicError
from qiantang.messaging.model import Frame, Resource, Subscription, Topic
from qiantang.messaging.model.message import DEFAULT_PRIORITY
from qiantang.messaging.port import Capabilities, Feature, Lag, SendOutcome

CAPABILITIES: Final = Capabilities(native=frozenset(Feature), settling="each", version="1")

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder()
_Log = tuple[str, int, int]
_t, _g, _l, _m, _c, _o, _h = (
    tables.topics.c,
    tables.groups.c,
    tables.logs.c,
    tables.messages.c,
    tables.cursors.c,
    tables.offsets.c,
    tables.held.c,
)


class SqlBroker:
    """A connection to a database."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._queues: dict[str, int] = {}
        self._turns = itertools.count()
        self._receivers: list[SqlReceiver] = []

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def open(self) -> None:
        await self._database.open()

    async def close(self) -> None:
        receivers, self._receivers = self._receivers, []
        for one in receivers:
            await one.close()
        await self._database.close()

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        async def work(connection: AsyncConnection) -> int:
            found = await connection.execute(sa.select(_t.queues).where(_t.name == topic.name).with_for_update())
            queues = found.scalar()
            if queues is None:
                await connection.execute(sa.insert(tables.topics), {"name": topic.name, "queues": topic.queues})
            elif queues < topic.queues:
                await connection.execute(
                    sa.update(tables.topics).where(_t.name == topic.name).values(queues=topic.queues)
                )
            count = max(topic.queues, queues or 0)
            for one in groups:
                await self._have_group(connection, topic.name, one.group, count)
            return count

        self._queues[topic.name] = await self._twice(work)

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        outcomes: list[SendOutcome | None] = [None] * len(frames)
        logs: dict[_Log, list[int]] = {}
        for place, frame in enumerate(frames):
            queues = self._queues.get(frame.topic)
            if queues is None:
                unknown = UnknownTopicError(f"the broker has no topic {frame.topic!r}")
                outcomes[place] = SendOutcome(verdict="refused", error=unknown)
            else:
                # of a key the order counts more: all its messages are in one log
                priority = DEFAULT_PRIORITY if frame.key else frame.priority
                logs.setdefault((frame.topic, frame.queue_of(queues, self._turns), priority), []).append(place)
        try:
            starts = await self._twice(functools.partial(self._insert, frames=frames, logs=logs)) if logs else {}
        except errors.QiantangError as error:
            verdict: Any = "unknown" if isinstance(error, OutcomeUnknownError) else "refused"
            failed = SendOutcome(verdict=verdict, error=error)
            return [one or failed for one in outcomes]
        for one, places in logs.items():
            queue, start = one[1], starts[one]
            for offset, place in enumerate(places):
                outcomes[place] = SendOutcome(verdict="accepted", queue=f"{queue}", position=start + offset)
        for topic in {topic for topic, _, _ in logs}:
            waking.wake(self._database.name, topic)
        return [outcome for outcome in outcomes if outcome is not None]

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> SqlReceiver:
        count = self._queues.get(subscription.topic)
        if count is None:
            raise UnknownTopicError(f"the broker has no topic {subscription.topic!r}")
        receiver = SqlReceiver(self._database, subscription, member, queues, count)
        self._receivers.append(receiver)
        await receiver.open()
        return receiver

    async def cancel(self, topic: str, id: str) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            now = int(time.time() * 1000)
            found = await connection.execute(
                sa.select(_m.queue, _m.priority, _m.position)
                .where(_m.topic == topic, _m.id == id, _m.deliver_at > now, _m.expires_at != 1)
                .with_for_update()
            )
            rows = found.all()
            for row in rows:
                here = (_m.topic == topic, _m.queue == row.queue, _m.priority == row.priority)
                await connection.execute(
                    sa.update(tables.messages).where(*here, _m.position == row.position).values(expires_at=1)
                )
                held = (_h.topic == topic, _h.queue == row.queue, _h.priority == row.priority)
                await connection.execute(sa.delete(tables.held).where(*held, _h.position == row.position, _h.due > now))
            return bool(rows)

        return await self._database.write(work)

    async def lag(self, topic: str, group: str) -> Lag:
        """Count what stands behind the offsets, and what is held before them."""
        own = (_o.topic == topic, _o.grp == group)
        async with self._database.reading() as connection:
            tails = await connection.execute(sa.select(_l.queue, _l.priority, _l.tail).where(_l.topic == topic))
            ends = {(row.queue, row.priority): row.tail for row in tails}
            found = await connection.execute(sa.select(_o.queue, _o.priority, _o.position).where(*own))
            done = {(row.queue, row.priority): row.position for row in found}
            held = await connection.execute(
                sa.select(_h.queue, _h.priority, _h.position).where(_h.topic == topic, _h.grp == group)
            )
            waiting = sum(1 for row in held if row.position < done.get((row.queue, row.priority), 0))
        behind = sum(tail - done.get(log, 0) for log, tail in ends.items())
        return Lag(messages=behind + waiting)

    # -- inside ------------------------------------------------------------------------------------------

    async def _twice(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run a transaction that makes rows: again where somebody else made them at the same time."""
        try:
            return await self._database.write(work)
        except BrokerAwayError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
        return await self._database.write(work)

    async def _have_group(self, connection: AsyncConnection, topic: str, group: str, queues: int) -> None:
        """Make a group that begins at the present end, and a cursor for each queue."""
        row = {"topic": topic, "grp": group}
        found = await connection.execute(sa.select(_g.grp).where(_g.topic == topic, _g.grp == group))
        if found.scalar() is None:
            await connection.execute(sa.insert(tables.groups), row)
            tails = await connection.execute(sa.select(_l.queue, _l.priority, _l.tail).where(_l.topic == topic))
            starts = [{**row, "queue": one.queue, "priority": one.priority, "position": one.tail} for one in tails]
            if starts:
                await connection.execute(sa.insert(tables.offsets), starts)
        known = await connection.execute(sa.select(_c.queue).where(_c.topic == topic, _c.grp == group))
        have = {one.queue for one in known}
        missing = [
            {**row, "queue": number, "member": "", "until": 0, "epoch": 0}
            for number in range(queues)
            if number not in have
        ]
        if missing:
            await connection.execute(sa.insert(tables.cursors), missing)

    async def _insert(
        self, connection: AsyncConnection, frames: Sequence[Frame], logs: dict[_Log, list[int]]
    ) -> dict[_Log, int]:
        now = int(time.time() * 1000)
        starts: dict[_Log, int] = {}
        rows: list[dict[str, Any]] = []
        for one in sorted(logs):  # always in the same order: two senders never wait for each other
            places = logs[one]
            start = starts[one] = await self._positions(connection, one, len(places))
            for offset, place in enumerate(places):
                rows.append(_row(frames[place], one, start + offset, now))
        await connection.execute(sa.insert(tables.messages), rows)
        return starts

    async def _positions(self, connection: AsyncConnection, log: _Log, count: int) -> int:
        topic, queue, priority = log
        here = (_l.topic == topic, _l.queue == queue, _l.priority == priority)
        moved = await connection.execute(sa.update(tables.logs).where(*here).values(tail=_l.tail + count))
        if not moved.rowcount:
            row = {"topic": topic, "queue": queue, "priority": priority, "tail": count}
            await connection.execute(sa.insert(tables.logs), row)
            return 0
        return int((await connection.execute(sa.select(_l.tail).where(*here))).scalar_one()) - count


def _row(frame: Frame, log: _Log, position: int, now: int) -> dict[str, Any]:
    topic, queue, priority = log
    return {
        "topic": topic,
        "queue": queue,
        "priority": priority,
        "position": position,
        "id": frame.id,
        "tag": frame.tag,
        "k": frame.key,
        "deliver_at": frame.deliver_at,
        "expires_at": frame.expires_at,
        "stored_at": now,
        "headers": _encoder.encode((frame.text, frame.binary)),
        "body": frame.body,
    }


def make(resource: Resource) -> SqlBroker:
    """Make a broker for a resource whose address is a database's: sqlite:///file, postgresql://…, mysql://…."""
    return SqlBroker(resource.url)
