"""Databases as brokers: what they count and remove, how much they read at once, and how processes wake each other."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import sqlalchemy as sa

from qiantang.messaging.adapters.sql import receiver, ringing, sweeping, tables, waking
from qiantang.messaging.adapters.sql.broker import SqlBroker
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.ringing import Bell
from qiantang.messaging.model import Frame, Message, Retry, RetryPolicy, Subscription, Topic
from qiantang.messaging.port import Settle
from qiantang.messaging.testing import Rig, Taker


async def broker_of(rig: Rig, topic: Topic, *groups: str) -> SqlBroker:
    broker = SqlBroker(rig.cluster.resources[0].url)
    await broker.open()
    await broker.ensure(topic, [Subscription(topic=topic.name, group=group) for group in groups])
    return broker


def frames(topic: Topic, count: int, **more: Any) -> list[Frame]:
    return [Frame(topic=topic.name, id=f"{number}", body=b"%d" % number, **more) for number in range(count)]


async def aged(broker: SqlBroker, seconds: float) -> None:
    """Have all messages be older."""
    older = tables.messages.c.stored_at - int(seconds * 1000)
    await broker._database.write(lambda one: one.execute(sa.update(tables.messages).values(stored_at=older)))


async def left(broker: SqlBroker) -> int:
    async with broker._database.reading() as connection:
        return (await connection.execute(sa.select(sa.func.count()).select_from(tables.messages))).scalar_one()


async def test_lag_counts_what_is_behind_and_what_is_held_and_how_old_it_is(rig: Rig) -> None:
    topic = rig.topic(queues=2)
    broker = await broker_of(rig, topic, "g")
    try:
        assert await broker.lag(topic.name, "g") == await broker.lag(topic.name, "nobody")
        await broker.send(frames(topic, 10))
        await aged(broker, 60)
        found = await broker.lag(topic.name, "g")
        assert found.messages == 10
        assert 59 < found.seconds < 90
        taking = await broker.receive(Subscription(topic=topic.name, group="g"), "m")
        taken = await taking.fetch(10, 10**6, 5)
        await taking.settle(
            [Settle(taken=one) for one in taken[:-1]] + [Settle(taken=taken[-1], what="later", after=60)]
        )
        found = await broker.lag(topic.name, "g")
        assert found.messages == 1, "what is tried again later"
        assert 59 < found.seconds < 90
    finally:
        await broker.close()


async def test_offsets_gather_while_more_is_in_hand_and_are_written_at_once_when_nothing_is(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "SETTLE_SECONDS", 60.0)
    topic = rig.topic(queues=1)
    broker = await broker_of(rig, topic, "g")
    try:
        await broker.send(frames(topic, 3))
        taking = await broker.receive(Subscription(topic=topic.name, group="g"), "m")
        first, second, third = await taking.fetch(3, 10**6, 5)
        await taking.settle([Settle(taken=first, what="later", after=60)])  # is written in any case
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(taking.settle([Settle(taken=second)]), 0.2)
        await asyncio.wait_for(taking.settle([Settle(taken=second), Settle(taken=third)]), 30)
        assert (await broker.lag(topic.name, "g")).messages == 1
    finally:
        await broker.close()


async def test_what_waits_for_its_own_time_is_behind_but_not_old(rig: Rig) -> None:
    topic = rig.topic(queues=1)
    broker = await broker_of(rig, topic, "g")
    try:
        await broker.send(frames(topic, 3, deliver_at=int(time.time() * 1000) + 60_000))
        taking = await broker.receive(Subscription(topic=topic.name, group="g"), "m")
        assert not (await taking.fetch(10, 10**6, 0.2))
        found = await broker.lag(topic.name, "g")
        assert (found.messages, found.seconds) == (3, 0)
    finally:
        await broker.close()


async def test_old_messages_of_a_topic_that_nobody_claimed_are_removed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "SLICE", 7)
    topics = [rig.topic(queues=2), rig.topic(queues=2), Topic(name="dead.somebody", clusters=["main"])]
    broker = await broker_of(rig, topics[0])
    try:
        await broker.ensure(topics[1], [Subscription(topic=topics[1].name, group="g")])
        await broker.ensure(topics[2])
        for topic in topics:
            await broker.send(frames(topic, 20))
        await aged(broker, sweeping.UNCLAIMED_SECONDS + 60)
        await broker.send(frames(topics[0], 5))
        for topic in topics:
            await sweeping.unclaimed(broker._database, topic.name)
        assert await left(broker) == 5 + 20 + 20, "new ones, those of a group, and dead letters"
        await aged(broker, sweeping.DEAD_SECONDS)
        await sweeping.unclaimed(broker._database, topics[2].name)
        assert await left(broker) == 5 + 20
        await broker.ensure(topics[0], [Subscription(topic=topics[0].name, group="late")])
        taking = await broker.receive(Subscription(topic=topics[0].name, group="late"), "m")
        await broker.send(frames(topics[0], 3))
        assert len(await taking.fetch(10, 10**6, 5)) == 3
    finally:
        await broker.close()


async def test_whoever_sends_removes_what_is_old(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "UNCLAIMED_LOOK_SECONDS", 0.2)
    topic = rig.topic()
    broker = await broker_of(rig, topic)
    try:
        await broker.send(frames(topic, 10))
        await aged(broker, sweeping.UNCLAIMED_SECONDS + 60)
        await broker.send(frames(topic, 1))
        async with asyncio.timeout(10):
            while await left(broker) != 1:
                await asyncio.sleep(0.05)
    finally:
        await broker.close()


async def test_no_more_bytes_are_read_than_were_asked_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = rig.topic(queues=2)
    broker = await broker_of(rig, topic, "g")
    monkeypatch.setattr(receiver, "AHEAD_BYTES", 3500)
    read: list[int] = []
    bodies = type(broker._statements)._bodies

    async def count(self: Any, *arguments: Any) -> Any:
        found = await bodies(self, *arguments)
        read.append(sum(len(row[-1]) for row in found))
        return found

    monkeypatch.setattr(type(broker._statements), "_bodies", count)
    try:
        await broker.send([Frame(topic=topic.name, id=f"{number}", body=bytes(1000)) for number in range(40)])
        taking = await broker.receive(Subscription(topic=topic.name, group="g"), "m")
        ids: list[str] = []
        while len(ids) < 40:
            ids += [one.frame.id for one in (await taking.fetch(40, 10**6, 5))]
        assert sorted(ids, key=int) == [f"{number}" for number in range(40)]
        assert max(read) <= 4000
    finally:
        await broker.close()


async def test_a_queue_that_is_given_up_while_some_of_it_was_read_ahead_loses_nothing(rig: Rig) -> None:
    topic = rig.topic(queues=4)
    broker = await broker_of(rig, topic, "g")
    subscription = Subscription(topic=topic.name, group="g")
    try:
        await broker.send(frames(topic, 100))
        first: Any = await broker.receive(subscription, "a")
        found = list(await first.fetch(3, 10**6, 5))
        assert len(first._ahead) > 50
        second: Any = await broker.receive(subscription, "b")
        await first._renew()  # lets go what is the other's by now, but for what it has in hand
        await first.settle([Settle(taken=one) for one in found])
        await first._renew()
        await second._renew()
        ids = [one.frame.id for one in found]
        for taking in (first, second, first, second):
            taken = await taking.fetch(100, 10**6, 0.5)
            ids += [one.frame.id for one in taken]
            await taking.settle([Settle(taken=one) for one in taken])
        assert sorted(map(int, ids)) == list(range(100))
        assert (await broker.lag(topic.name, "g")).messages == 0
    finally:
        await broker.close()


async def test_offsets_that_a_server_forgot_when_it_died_are_written_again(rig: Rig) -> None:
    topic = rig.topic(queues=1)
    broker = await broker_of(rig, topic, "g")
    try:
        taking: Any = await broker.receive(Subscription(topic=topic.name, group="g"), "m")
        for _ in range(2):
            await broker.send(frames(topic, 10))
            taken = await taking.fetch(20, 10**6, 5)
            await taking.settle([Settle(taken=one) for one in taken])
        forgotten = sa.update(tables.offsets).values(position=10)
        await broker._database.write(lambda one: one.execute(forgotten))
        assert (await broker.lag(topic.name, "g")).messages == 10
        await taking._renew()
        assert (await broker.lag(topic.name, "g")).messages == 0
    finally:
        await broker.close()


async def test_a_delayed_retry_does_not_wait_for_a_new_message(rig: Rig) -> None:
    topic = rig.topic(queues=1)
    bus = await rig.bus(topic)
    taker, first = Taker(), True

    async def take(body: int, context: Any) -> Retry | None:
        nonlocal first
        if first:
            first = False
            return Retry(after=0.4)
        return await taker(body, context)

    bus.subscribe(topic.name, retry=RetryPolicy(attempts=5, backoff="fixed", first=0.1, jitter=0))(take)
    await rig.joined(bus, topic)
    began = time.monotonic()
    await bus.send_many([Message(topic=topic.name, body=1)])
    await rig.until(lambda: taker.bodies == [1])
    assert 0.4 <= time.monotonic() - began < 3


@pytest.mark.postgresql
async def test_processes_wake_each_other_though_their_connections_are_cut(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nothing(set[int]):
        def add(self, _element: int) -> None: ...

    monkeypatch.setattr(ringing, "_own", Nothing())  # as if each bell were another process's
    monkeypatch.setattr(ringing, "AGAIN_FIRST", 0.05)
    databases = [Database(postgresql_url) for _ in range(2)]
    for one in databases:
        await one.open()
    bells = [Bell(one) for one in databases]
    heard = asyncio.Event()
    waiter = waking.listen(databases[1].name, "t", heard)

    async def rings() -> None:
        async with asyncio.timeout(20):
            while not heard.is_set():
                bells[0].ring(["t"])
                await asyncio.sleep(0.05)
        heard.clear()

    try:
        for bell in bells:
            bell.open()
        await rings()
        began = time.monotonic()
        bells[0].ring(["t"])
        async with asyncio.timeout(5):
            await heard.wait()
        assert time.monotonic() - began < 1
        cut = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE (query LIKE '%pg_notify%' OR query LIKE 'LISTEN%') AND pid <> pg_backend_pid()"
        )
        async with databases[0].reading() as connection:
            await connection.exec_driver_sql(cut)
        heard.clear()
        await rings()
    finally:
        waking.leave(databases[1].name, "t", waiter)
        for bell in bells:
            await bell.close()
        for one in databases:
            await one.close()
