"""Broker: a database that carries messages."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.kernel import errors, observe
from qiantang.messaging.adapters.sql import broadcasting, lagging, sweeping, tables, waking
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.leases import LEASE_MS
from qiantang.messaging.adapters.sql.receiver import SqlReceiver
from qiantang.messaging.adapters.sql.ringing import Bell
from qiantang.messaging.adapters.sql.statements import Log, Statements
from qiantang.messaging.errors import BrokerAwayError, OutcomeUnknownError, UnknownTopicError
from qiantang.messaging.model import Frame, Resource, Subscription, Topic
from qiantang.messaging.port import Capabilities, Feature, Lag, SendOutcome

CAPABILITIES: Final = Capabilities(native=frozenset(Feature), version="1")

T = TypeVar("T")
log = observe.BoundedLog(logging.getLogger(__name__))
_chance = random.Random()  # noqa: S311  # spreads load, guards nothing
_t, _g, _l, _m, _c, _h = (
    tables.topics.c,
    tables.groups.c,
    tables.logs.c,
    tables.messages.c,
    tables.cursors.c,
    tables.held.c,
)
LATE: Final = sa.text("mf_message.deliver_at > 0")
"""In these words the partial index says what it is of."""


class SqlBroker:
    """A connection to a database."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._queues: dict[str, int] = {}
        self._turns = itertools.count()
        self._receivers: list[SqlReceiver] = []
        self._broadcasts: set[tuple[str, str]] = set()
        self._statements = _statements(self._database)
        self._bell = Bell(self._database) if self._database.is_postgresql else None
        self._sent: set[str] = set()
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def open(self) -> None:
        await self._database.open()
        if self._bell is not None:
            self._bell.open()
        self._sweeper = asyncio.create_task(self._sweep(), name="sweeper of a database")

    async def close(self) -> None:
        receivers, self._receivers = self._receivers, []
        for one in receivers:
            await one.close()
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()
            await asyncio.wait({sweeper})
        if self._bell is not None:
            await self._bell.close()
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
                if not one.broadcast:
                    await self._have_group(connection, topic.name, one.group, count)
            return count

        self._queues[topic.name] = await self._twice(work)

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        outcomes: list[SendOutcome | None] = [None] * len(frames)
        logs: dict[Log, list[int]] = {}
        for place, frame in enumerate(frames):
            queues = self._queues.get(frame.topic)
            if queues is None:
                unknown = UnknownTopicError(f"the broker has no topic {frame.topic!r}")
                outcomes[place] = SendOutcome.refused(unknown)
            else:
                # of a key the order counts more: all its messages are in one log
                priority = frame.rank
                logs.setdefault((frame.topic, frame.queue_of(queues, self._turns), priority), []).append(place)
        try:
            starts = await self._statements.append(frames, logs) if logs else {}
        except errors.QiantangError as error:
            verdict: Any = "unknown" if isinstance(error, OutcomeUnknownError) else "refused"
            failed = SendOutcome(verdict=verdict, error=error)
            return [one or failed for one in outcomes]
        for one, places in logs.items():
            queue, start = one[1], starts[one]
            for offset, place in enumerate(places):
                outcomes[place] = SendOutcome(verdict="accepted", queue=f"{queue}", position=start + offset)
        self._tell({topic for topic, _, _ in logs})
        return [outcome for outcome in outcomes if outcome is not None]

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> SqlReceiver:
        count = self._queues.get(subscription.topic)
        if count is None:
            raise UnknownTopicError(f"the broker has no topic {subscription.topic!r}")
        wanted = [number for number in range(count) if f"{number}" in queues]
        if len(wanted) < len(set(queues)):
            raise errors.NotFoundError(f"topic {subscription.topic} has {count} queues, 0 to {count - 1}: not {queues}")
        receiver = SqlReceiver(self._database, self._statements, subscription, member, count=count, wanted=wanted)
        if subscription.broadcast:
            self._broadcasts.add((subscription.topic, subscription.group))
            receiver.make = functools.partial(self._have_broadcast, subscription, member, count)
        self._receivers.append(receiver)
        await receiver.open()
        return receiver

    async def cancel(self, topic: str, id: str) -> bool:
        async def work(connection: AsyncConnection) -> bool:
            now = int(time.time() * 1000)
            found = await connection.execute(
                sa.select(_m.queue, _m.priority, _m.position)
                .where(_m.topic == topic, _m.id == id, LATE, _m.deliver_at > now, _m.expires_at != 1)
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

    def queues(self, topic: str) -> int:
        return self._queues.get(topic, 0)

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        """Count what stands behind the offsets, and what is held before them."""
        async with self._database.reading() as connection:
            named = f"{broadcasting.MARK}{group}" if (topic, group) in self._broadcasts else group
            return await lagging.lag(connection, topic, named, first)

    # -- inside ------------------------------------------------------------------------------------------

    def _tell(self, topics: set[str]) -> None:
        self._sent |= topics
        for topic in topics:
            waking.wake(self._database.name, topic)
        if self._bell is not None and topics:
            self._bell.ring(topics)

    async def _sweep(self) -> None:
        """Now and then, remove what is old of topics that were sent to and that nobody has claimed."""
        while True:
            await asyncio.sleep(sweeping.UNCLAIMED_LOOK_SECONDS * (0.5 + _chance.random()))
            topics, self._sent = self._sent, set()
            for topic in topics:
                try:
                    await self._database.write(functools.partial(broadcasting.end_orphans, topic=topic))
                    await sweeping.unclaimed(self._database, topic)
                except errors.QiantangError as error:
                    log.failure(topic, "old messages of a topic that has no group cannot be removed", error=error)

    async def _twice(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run a transaction that makes rows: again where somebody else made them at the same time."""
        try:
            return await self._database.write(work)
        except BrokerAwayError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
        return await self._database.write(work)

    async def _have_broadcast(self, subscription: Subscription, member: str, queues: int) -> None:
        """Make the group of a process of its own, and remove those of processes that are gone."""
        topic, group = subscription.topic, broadcasting.name_of(subscription)

        async def work(connection: AsyncConnection) -> None:
            await broadcasting.end_orphans(connection, topic)
            await broadcasting.end(connection, topic, [group])  # its own, from before it lost the connection
            await broadcasting.live(connection, topic, group, member, LEASE_MS)
            await self._have_group(connection, topic, group, queues)

        await self._twice(work)

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


def _statements(database: Database) -> Statements:
    if not database.is_postgresql:
        return Statements(database)
    from qiantang.messaging.adapters.sql.postgresql import PostgresqlStatements  # noqa: PLC0415  # needs its driver

    return PostgresqlStatements(database)


def make(resource: Resource) -> SqlBroker:
    """Make a broker for a resource whose address is a database's: sqlite:///file, postgresql://…, mysql://…."""
    return SqlBroker(resource.url)
