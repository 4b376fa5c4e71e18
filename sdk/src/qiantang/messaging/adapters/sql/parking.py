"""Parking in a database: what waits for another attempt, for brokers that cannot keep it.

A row of `mf_parking` says who holds a queue: its epoch rises when the queue is taken over, and every write compares it and the
number of the hold first, so that who held it before changes nothing. `mf_parked` holds the messages whole: their broker may forget
them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.kernel.rate import Rate
from qiantang.messaging.adapters.sql import holding, quotas, tables
from qiantang.messaging.adapters.sql.broker import SqlBroker
from qiantang.messaging.adapters.sql.crashed import SqlCrashed
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.dead import DeadTable
from qiantang.messaging.adapters.sql.failing import FailureTable
from qiantang.messaging.model import Failure, Resource, Subscription, Taken, bands, envelope
from qiantang.messaging.port import Lag, Parked, Waiting

IDLE_SECONDS: Final = 30.0
"""How often it is looked for what is due without a reason to: a floor, nothing more."""

_QUEUE = sa.String(200)
_encoder = msgspec.msgpack.Encoder()
_headers = msgspec.msgpack.Decoder(tuple[dict[str, str], dict[str, bytes]])

holders = sa.Table(
    "mf_parking",
    tables.metadata,
    sa.Column("topic", tables.NAME, primary_key=True),
    sa.Column("grp", tables.NAME, primary_key=True),
    sa.Column("queue", _QUEUE, primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
)

parked = sa.Table(
    "mf_parked",
    tables.metadata,
    sa.Column("number", tables.NUMBER, primary_key=True, autoincrement=True),
    sa.Column("topic", tables.NAME, nullable=False),
    sa.Column("grp", tables.NAME, nullable=False),
    sa.Column("queue", _QUEUE, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("k", tables.TEXT, nullable=False),
    sa.Column("due", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("parked_at", sa.BigInteger, nullable=False),
    sa.Column("headers", tables.BYTES, nullable=False),
    sa.Column("body", tables.BYTES, nullable=False),
    sa.UniqueConstraint("topic", "grp", "queue", "position", name="uq_mf_parked"),
    sa.Index("ix_mf_parked_due", "topic", "grp", "due"),
)
_a, _p = holders.c, parked.c


class SqlParking:
    """See the port. Of one receiver; queues of different links of a topic are apart."""

    durable = True
    is_full = False

    def __init__(self, database: Database, link: str, subscription: Subscription) -> None:
        self._database = database
        self._link = link
        self._topic = subscription.topic
        self._own = {"topic": subscription.topic, "grp": subscription.group}
        self._epochs: dict[str, int] = {}
        self._holds: dict[str, int] = {}
        self._given: dict[int, str] = {}
        self._next = math.inf

    @property
    def next_due(self) -> float:
        return self._next

    async def own(self, holds: Mapping[str, int]) -> Mapping[str, Mapping[str, int]]:
        async def work(connection: AsyncConnection) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
            epochs = {queue: await self._raise(connection, queue) for queue in sorted(holds)}
            names = [self._name(queue) for queue in holds]
            found = await connection.execute(
                sa.select(_p.queue, _p.k, sa.func.count())
                .where(*self._mine(_p), _p.queue.in_(names), _p.k != "")
                .group_by(_p.queue, _p.k)
            )
            keys: dict[str, dict[str, int]] = defaultdict(dict)
            for queue, key, count in found:
                keys[self._local(queue)][key] = count
            return epochs, keys

        epochs, keys = await self._database.write(work)
        self._epochs.update(epochs)
        self._holds.update(holds)
        self._next = 0.0
        return keys

    def forget(self, queue: str) -> None:
        self._epochs.pop(queue, None)
        self._holds.pop(queue, None)
        # what was given is not settled any more; should the queue come back, it is given again
        self._given = {number: of for number, of in self._given.items() if of != queue}

    async def put(self, waiting: Sequence[Waiting]) -> Sequence[Waiting]:
        async def work(connection: AsyncConnection) -> list[Waiting]:
            held = await self._held(connection, [one.taken for one in waiting])
            mine = [one for one in waiting if held.get(one.taken.queue) == one.taken.hold]
            there = await self._there(connection, mine)
            new = [one for one in mine if _place(one) not in there]
            if new:
                await connection.execute(sa.insert(parked), [self._row(one) for one in new])
            return [one for one in mine if _place(one) in there]

        known = await self._database.write(work)
        self._next = min([self._next, *(one.due for one in waiting)])
        return known

    async def due(self, count: int) -> list[Taken]:
        now = int(time.time() * 1000)
        async with self._database.reading() as connection:
            rows = list((await connection.execute(self._heads(count).where(_p.due <= now))).all())
            if len(rows) == count:
                self._next = 0.0
            else:
                following = self._heads(1).where(_p.due > now).with_only_columns(_p.due)
                due = (await connection.execute(following)).scalar()
                self._next = time.time() + IDLE_SECONDS if due is None else min(due / 1000, time.time() + IDLE_SECONDS)
            rows += await self._followers(connection, rows, now, count - len(rows))
        self._given.update((row.number, self._local(row.queue)) for row in rows)
        return [self._taken(row) for row in rows]

    async def settle(self, done: Sequence[Taken], back: Sequence[Taken], later: Sequence[Waiting]) -> None:
        everything = [*done, *back, *(one.taken for one in later)]

        async def work(connection: AsyncConnection) -> None:
            held = await self._held(connection, everything)
            gone = [one.handle.number for one in done if held.get(one.queue) == one.hold]
            if gone:
                await connection.execute(sa.delete(parked).where(_p.number.in_(gone)))
            for one in later:
                if held.get(one.taken.queue) == one.taken.hold:
                    values = {"due": int(one.due * 1000), "attempt": one.attempt}
                    await connection.execute(
                        sa.update(parked).where(_p.number == one.taken.handle.number).values(**values)
                    )

        await self._database.write(work)
        for one in everything:
            self._given.pop(one.handle.number, None)
        follows = back or any(one.handle.key for one in done)
        self._next = min([self._next, 0.0 if follows else math.inf, *(one.due for one in later)])

    # -- inside ------------------------------------------------------------------------------------------

    def _name(self, queue: str) -> str:
        return f"{self._link}:{queue}"

    def _local(self, name: str) -> str:
        return name.removeprefix(f"{self._link}:")

    def _mine(self, columns: Any) -> tuple[sa.ColumnElement[bool], ...]:
        return (columns.topic == self._own["topic"], columns.grp == self._own["grp"])

    async def _raise(self, connection: AsyncConnection, queue: str) -> int:
        here = (*self._mine(_a), _a.queue == self._name(queue))
        moved = await connection.execute(sa.update(holders).where(*here).values(epoch=_a.epoch + 1))
        if not moved.rowcount:
            await connection.execute(sa.insert(holders), {**self._own, "queue": self._name(queue), "epoch": 1})
            return 1
        return int((await connection.execute(sa.select(_a.epoch).where(*here))).scalar_one())

    async def _held(self, connection: AsyncConnection, some: Sequence[Taken]) -> dict[str, int]:
        """Give the holds of the queues that are this member's still, and keep them so until the transaction ends.

        What was taken under an earlier one is not to change anything: the broker delivers it again.
        """
        queues = {one.queue for one in some}
        names = sorted(self._name(queue) for queue in queues)
        found = await connection.execute(
            sa.select(_a.queue, _a.epoch).where(*self._mine(_a), _a.queue.in_(names)).with_for_update()
        )
        epochs = {self._local(row.queue): row.epoch for row in found}
        mine = {queue for queue in queues if queue in self._epochs and epochs.get(queue) == self._epochs[queue]}
        return {queue: self._holds[queue] for queue in mine}

    async def _there(self, connection: AsyncConnection, waiting: Sequence[Waiting]) -> set[tuple[str, int]]:
        by_queue: dict[str, list[int]] = defaultdict(list)
        for one in waiting:
            by_queue[one.taken.queue].append(one.taken.position)
        there: set[tuple[str, int]] = set()
        for queue, positions in by_queue.items():
            found = await connection.execute(
                sa.select(_p.position).where(*self._mine(_p), _p.queue == self._name(queue), _p.position.in_(positions))
            )
            there.update((queue, row.position) for row in found)
        return there

    def _heads(self, count: int) -> sa.Select[Any]:
        """What may be given first: of each key only its first, and nothing that is in hand."""
        other, queues = parked.alias("other").c, [self._name(queue) for queue in self._epochs]
        firsts = (
            sa.select(sa.func.min(other.number))
            .where(*self._mine(other), other.queue.in_(queues), other.k != "")
            .group_by(other.queue, other.k)
        )
        return (
            sa.select(parked)
            .where(
                *self._mine(_p),
                _p.queue.in_(queues),
                sa.or_(_p.k == "", _p.number.in_(firsts)),
                _p.number.not_in(self._given),
            )
            .order_by(_p.due, _p.number)
            .limit(count)
        )

    async def _followers(
        self, connection: AsyncConnection, heads: Sequence[sa.Row[Any]], now: int, count: int
    ) -> list[sa.Row[Any]]:
        """Give what stands behind the first ones of keys, up to where its time has not come."""
        keys = {(row.queue, row.k) for row in heads if row.k}
        if not keys or count <= 0:
            return []
        found = await connection.execute(
            sa.select(parked)
            .where(
                *self._mine(_p), sa.tuple_(_p.queue, _p.k).in_(keys), _p.number.not_in([row.number for row in heads])
            )
            .order_by(_p.number)
            .limit(count)
        )
        return holding.in_turn(found, lambda row: (row.queue, row.k), now, self._given)

    def _row(self, one: Waiting) -> dict[str, Any]:
        frame = one.taken.frame
        return {
            **self._own,
            "queue": self._name(one.taken.queue),
            "position": one.taken.position,
            "k": one.key,
            "due": int(one.due * 1000),
            "attempt": one.attempt,
            "parked_at": int(time.time() * 1000),
            "headers": _encoder.encode((frame.text, frame.binary)),
            "body": frame.body,
        }

    def _taken(self, row: sa.Row[Any]) -> Taken:
        text, binary = _headers.decode(row.headers)
        queue = self._local(row.queue)
        return Taken(
            frame=envelope.framed(self._topic, bytes(row.body), text, binary),
            handle=Parked(row.number, row.k),
            queue=queue,
            position=row.position,
            attempt=row.attempt,
            hold=self._holds.get(queue, -1),
        )


def _place(one: Waiting) -> tuple[str, int]:
    return one.taken.queue, one.taken.position


class SqlStore:
    """A database that keeps what brokers do not."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._broker = SqlBroker(url)
        self._failures = FailureTable(self._database)
        self._dead = DeadTable(self._database)
        self._url = url
        self._turn = asyncio.Lock()
        self._opened = False

    @property
    def broker(self) -> SqlBroker:
        return self._broker

    @property
    def dead(self) -> DeadTable:
        return self._dead

    async def open(self) -> None:
        async with self._turn:
            if not self._opened:
                await self._database.open()
                await self._broker.open()
                self._opened = True

    async def close(self) -> None:
        self._opened = False
        await self._broker.close()
        await self._database.close()

    def parking(self, link: str, subscription: Subscription) -> SqlParking:
        return SqlParking(self._database, link, subscription)

    async def note(self, failures: Sequence[Failure], keep_seconds: float) -> None:
        await self._failures.note(failures, keep_seconds)

    async def failures(self, *, topic: str, kind: str, before: int, count: int) -> list[Failure]:
        return await self._failures.find(topic=topic, kind=kind, before=before, count=count)

    def crashed(self, member: str) -> SqlCrashed:
        return SqlCrashed(self._url, member)

    async def draw(self, name: str, rate: Rate, wanted: float, most: float) -> float:
        return await quotas.draw(self._database, name, rate, wanted, most)

    async def parked(self, link: str, topic: str, group: str, first: int = 0) -> Lag:
        async with self._database.reading() as connection:
            found = await connection.execute(
                sa.select(_p.queue, sa.func.count(), sa.func.min(_p.parked_at))
                .where(_p.topic == topic, _p.grp == group, _p.queue.startswith(f"{link}:", autoescape=True))
                .group_by(_p.queue)
            )
            some = [
                (count, since)
                for queue, count, since in found
                if bands.number_of(queue.removeprefix(f"{link}:")) >= first
            ]
        oldest = min((since for _, since in some), default=0)
        return Lag(
            messages=sum(count for count, _ in some),
            seconds=max(0.0, time.time() - oldest / 1000) if oldest else 0.0,
        )


def make(resource: Resource) -> SqlStore:
    """Make a store in a database."""
    return SqlStore(resource.url)
