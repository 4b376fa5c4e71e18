"""Databases as brokers, when something breaks: nothing is lost, and of a key nothing is seen out of its order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging import errors
from qiantang.messaging.adapters.sql import database, leases, postgresql, receiver, sweeping, tables
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import Context, Message, RetryPolicy, Topic
from qiantang.messaging.testing import Rig, Taker
from tests.servers.consumers import Consumers

QUICK = RetryPolicy(attempts=50, backoff="fixed", first=0.02, jitter=0)


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_MS", 600)
    monkeypatch.setattr(receiver, "RENEW_SECONDS", 0.1)


async def drained(rig: Rig, bus: MessageBus, topic: Topic) -> None:
    ends = time.monotonic() + 30
    while (await bus.lag(topic.name)).messages:
        assert time.monotonic() < ends, await bus.lag(topic.name)
        await asyncio.sleep(0.05)


async def freeze(bus: MessageBus, topic: Topic) -> Any:
    """Stop renewing and fetching, as a process does that is stopped or gone; give its receiver."""
    (consumer,) = bus.consumers(topic.name)
    held: Any = consumer._receiver
    for task in (held._keeper, consumer._fetcher):
        task.cancel()
        await asyncio.wait({task})
    return held


@pytest.mark.usefixtures("short_leases")
async def test_what_a_member_held_that_stopped_goes_to_another_and_its_late_word_counts_for_nothing(rig: Rig) -> None:
    topic = rig.topic()
    stopping = rig.made(topic, close_seconds=0.2)
    await stopping.open()
    gate = asyncio.Event()
    begun: list[int] = []

    async def hang(body: int) -> None:
        begun.append(body)
        await gate.wait()

    stopping.subscribe(topic.name, concurrency=3)(hang)
    await rig.joined(stopping, topic)
    await stopping.send_many([Message(topic=topic.name, body=number) for number in range(40)])
    await rig.until(lambda: len(begun) == 3)
    await freeze(stopping, topic)
    other, taker = await rig.bus(topic), Taker()
    other.subscribe(topic.name)(taker)
    await rig.until(lambda: len(set(taker.bodies)) == 40, len(taker.bodies))
    await drained(rig, other, topic)
    gate.set()  # the one that stopped goes on, and settles what is not its own any more
    await asyncio.sleep(0.2)
    assert (await other.lag(topic.name)).messages == 0
    await other.send(topic.name, 40)
    await rig.until(lambda: 40 in taker.bodies)


@pytest.mark.usefixtures("short_leases")
async def test_keys_that_wait_are_known_to_the_next_owner(rig: Rig) -> None:
    topic = rig.topic(queues=1)
    first = rig.made(topic, close_seconds=0.2)
    await first.open()
    seen: list[tuple[str, int]] = []
    broken = True

    async def take(body: int, context: Context) -> None:
        if broken and context.key == "bad":
            raise ConnectionError("not yet")
        seen.append((context.key, body))

    policy = RetryPolicy(attempts=50, backoff="fixed", first=0.3, jitter=0)
    first.subscribe(topic.name, order="key", retry=policy)(take)
    await rig.joined(first, topic)
    for number in range(10):
        await first.send(topic.name, number, key="bad" if number % 2 else "good")
    await rig.until(lambda: len(seen) == 5)
    await asyncio.sleep(0.2)
    await freeze(first, topic)
    second = await rig.bus(topic)
    second.subscribe(topic.name, order="key", retry=policy)(take)
    for number in range(10, 14):
        await second.send(topic.name, number, key="bad" if number % 2 else "good")
    broken = False
    await rig.until(lambda: len(set(seen)) == 14, seen)
    assert list(dict.fromkeys(body for key, body in seen if key == "bad")) == [1, 3, 5, 7, 9, 11, 13]
    await drained(rig, second, topic)


def failing(write: Any, fate: Callable[[], float]) -> Any:
    """Have one transaction in sixteen fail before it is done, and one after."""

    async def fail(self: Any, work: Any, **more: Any) -> Any:
        drawn = fate()
        if drawn < 1 / 16:
            raise errors.BrokerAwayError("cut before")
        found = await write(self, work, **more)
        if drawn < 1 / 8:
            raise errors.OutcomeUnknownError("cut after")
        return found

    return fail


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize("seed", range(3))
async def test_transactions_that_fail_before_or_after_their_commit(
    rig: Rig, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in eight transactions fails, half of them though they were committed: senders send again under the same id."""
    dice = random.Random(seed)
    armed = False

    def fate() -> float:
        return dice.random() if armed else 1.0

    monkeypatch.setattr(Database, "write", failing(Database.write, fate))
    monkeypatch.setattr(postgresql.Driver, "write", failing(postgresql.Driver.write, fate))
    topic = rig.topic()
    buses = [await rig.bus(topic) for _ in range(2)]
    seen: dict[str, list[int]] = defaultdict(list)

    async def take(body: int, context: Context) -> None:
        if dice.random() < 0.1:
            raise ValueError("now and then")
        seen[context.key].append(body)

    for bus in buses:
        bus.subscribe(topic.name, order="key", retry=QUICK, concurrency=8)(take)
        await rig.joined(bus, topic)
    armed = True
    for number in range(120):
        message = Message(topic=topic.name, body=number, key=f"k{number % 6}")
        while not (await buses[0].send_many([message]))[0].ok:
            await asyncio.sleep(0.01)
    await rig.until(lambda: sum(len(set(numbers)) for numbers in seen.values()) == 120, seen)
    armed = False
    await drained(rig, buses[0], topic)
    for key in range(6):
        assert list(dict.fromkeys(seen[f"k{key}"])) == list(range(key, 120, 6)), "twice perhaps, never out of order"


async def test_what_every_group_has_finished_is_removed_and_nothing_else(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "SLICE", 7)
    topic = rig.topic(queues=1)
    bus = await rig.bus(topic)
    takers = {group: Taker() for group in ("quick", "slow")}
    for group, taker in takers.items():
        bus.subscribe(topic.name, group=group)(taker)
        await rig.joined(bus, topic, group)
    await bus.pause(topic.name, "slow")
    await asyncio.sleep(0.1)
    await bus.send_many([Message(topic=topic.name, body=number) for number in range(50)])
    await rig.until(lambda: len(takers["quick"].bodies) == 50)
    (consumer,) = bus.consumers(topic.name, "quick")
    held: Any = consumer._receiver
    await held.sweep()
    await bus.resume(topic.name, "slow")
    await rig.until(lambda: len(takers["slow"].bodies) == 50)
    await asyncio.sleep(0.3)
    await held.sweep()
    async with held._database.reading() as connection:
        left = (await connection.exec_driver_sql("SELECT COUNT(*) FROM mf_message")).scalar()
    assert left == 0
    await bus.send(topic.name, 50)
    await rig.until(lambda: 50 in takers["slow"].bodies and 50 in takers["quick"].bodies)


async def test_a_database_that_does_not_answer_is_not_waited_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Database(rig.cluster.resources[0].url)
    await broken.open()
    try:
        monkeypatch.setattr(database, "TRANSACTION_SECONDS", 0.3)

        async def hang(_connection: Any) -> None:
            await asyncio.sleep(30)

        began = time.monotonic()
        with pytest.raises(errors.BrokerAwayError, match=r"within 0\.3 s"):
            await broken.write(hang)
        with pytest.raises(errors.BrokerAwayError, match=r"within 0\.3 s"):
            async with broken.reading() as connection:
                await hang(connection)
        assert time.monotonic() - began < 10
        monkeypatch.setattr(database, "TRANSACTION_SECONDS", 20.0)
        assert await broken.write(lambda connection: connection.exec_driver_sql("SELECT 1"))
    finally:
        await broken.close()


async def test_transactions_that_are_cancelled_leave_the_database_free(rig: Rig) -> None:
    """Of SQLite they did not: a cursor of the cancelled one kept the lock of the file."""
    dice = random.Random(5)
    held = Database(rig.cluster.resources[0].url)
    await held.open()
    names = (f"t{number}" for number in range(1000))

    async def work(connection: Any) -> None:
        await connection.execute(sa.insert(tables.topics), {"name": next(names), "queues": 1})
        await connection.execute(sa.select(tables.topics))

    try:
        for _ in range(60):
            cut = asyncio.create_task(held.write(work))
            await asyncio.sleep(dice.random() * 0.006)
            cut.cancel()
            await asyncio.wait({cut})
            async with asyncio.timeout(5):
                await held.write(work)
    finally:
        await held.close()


SHORT_LEASES = """
from qiantang.messaging.adapters.sql import leases, receiver
leases.LEASE_MS, receiver.RENEW_SECONDS = 1000, 0.2
"""


@pytest.mark.process
@contextlib.contextmanager
def all_closed() -> Iterator[None]:
    """Check that no connection is left to the collector, which would tell of it in whichever test runs then."""
    gc.collect()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(one.message) for one in said if "before being closed" in str(one.message)] == []


async def close_while_in_use(made: Database, ending: str) -> None:
    """Close a database under a transaction, which then ends, or is cancelled."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> int:
        await connection.execute(sa.text("select 1"))
        began.set()
        await go_on.wait()
        return int((await connection.execute(sa.text("select 2"))).scalar_one())

    await made.open()
    working = asyncio.create_task(made.write(work))
    await began.wait()
    await made.close()
    if ending == "ends":
        go_on.set()
        assert await working == 2, "it is not cut off"
    else:
        working.cancel()
        await asyncio.wait({working})


@pytest.mark.parametrize("ending", ["ends", "is cancelled"])
async def test_a_connection_in_use_when_its_database_is_closed_is_closed_after_that(
    ending: str, tmp_path: Path
) -> None:
    with all_closed():
        await close_while_in_use(Database(f"sqlite:///{tmp_path / 'messages.sqlite3'}"), ending)


async def close_cancelled(made: Database, turns: int) -> None:
    """Close a database that has some connections, and cancel that after so many turns of the loop."""

    async def read() -> None:
        async with made.reading() as connection:
            await connection.execute(sa.text("select 1"))
            await asyncio.sleep(0.02)

    await made.open()
    await asyncio.gather(*(read() for _ in range(4)))
    closing = asyncio.create_task(made.close())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait({closing})
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others)


@pytest.mark.parametrize("turns", range(1, 8))
async def test_closing_a_database_goes_on_though_who_waits_for_it_is_cancelled(turns: int, tmp_path: Path) -> None:
    with all_closed():
        await close_cancelled(Database(f"sqlite:///{tmp_path / 'messages.sqlite3'}"), turns)


async def test_processes_that_are_killed_lose_nothing_and_no_order(rig: Rig, tmp_path: Path) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    await Consumers(rig, topic, tmp_path, SHORT_LEASES).lose_nothing_while_they_are_killed(bus)
