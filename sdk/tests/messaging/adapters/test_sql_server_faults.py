"""Databases as brokers, when the server itself breaks: killed, frozen, or cutting its connections.

What was accepted arrives, of a key in its order; what was refused or unknown is sent again under its id, and may arrive twice.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from qiantang.messaging.adapters.sql import database, leases, receiver
from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import Context, Message, Resource, RetryPolicy, Topic
from qiantang.messaging.testing import Rig

KEYS = 6
MESSAGES = 240
QUICK = RetryPolicy(attempts=1000, backoff="fixed", first=0.02, jitter=0)
CUT = {
    "postgresql": "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{name}'",
    "mariadb": "delimiter //\nbegin not atomic declare continue handler for 1094 begin end; "  # one that is gone already
    "for one in (select id from information_schema.processlist where db = '{name}') "
    "do execute immediate concat('kill ', one.id); end for; end//",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class Stage:
    """A private server, and a topic on it with two consumers that fail now and then and a sender that does not give up."""

    def __init__(self, kind: str, server: Any) -> None:
        self.kind = kind
        self.server = server
        self.url = server.create_database("broken")
        self.rig = Rig("sql", Resource(name="one", url=self.url))
        self.topic = self.rig.topic()
        self.dice = random.Random(7)
        self.seen: dict[str, list[int]] = defaultdict(list)
        self.ids: dict[int, set[str]] = defaultdict(set)
        self.again = 0
        self.buses: list[MessageBus] = []

    async def open(self) -> None:
        self.buses = [await self.rig.bus(self.topic) for _ in range(3)]
        for bus in self.buses[1:]:
            bus.subscribe(self.topic.name, order="key", retry=QUICK, concurrency=8)(self.take)
            await self.rig.joined(bus, self.topic)

    async def take(self, body: int, context: Context) -> None:
        if self.dice.random() < 0.05:
            raise ValueError("now and then")
        self.seen[context.key].append(body)
        self.ids[body].add(context.id)

    async def send(self, numbers: range) -> None:
        """Send each until it is accepted, before the next: so its key has an order."""
        for number in numbers:
            message = Message(topic=self.topic.name, body=number, key=f"k{number % KEYS}", id=f"message-{number}")
            while not (await self.buses[0].send_many([message], deadline=5))[0].ok:
                self.again += 1
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.002)

    async def finish(self) -> None:
        """Wait until all has arrived and is settled, and check what must hold."""
        ends = time.monotonic() + 60
        while sum(len(set(numbers)) for numbers in self.seen.values()) < MESSAGES:
            assert time.monotonic() < ends, {key: sorted(set(numbers)) for key, numbers in self.seen.items()}
            await asyncio.sleep(0.05)
        while (await self.buses[1].lag(self.topic.name)).messages:
            assert time.monotonic() < ends, await self.buses[1].lag(self.topic.name)
            await asyncio.sleep(0.05)
        for key in range(KEYS):
            firsts = list(dict.fromkeys(self.seen[f"k{key}"]))
            assert firsts == list(range(key, MESSAGES, KEYS)), "twice perhaps, never out of order"
        assert all(ids == {f"message-{number}"} for number, ids in self.ids.items())

    async def cut(self) -> None:
        """Cut all connections to the database."""
        name = self.url.rpartition("/")[2]
        await asyncio.to_thread(self.server.execute, CUT[self.kind].format(name=name))


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
async def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(leases, "LEASE_MS", 1500)
    monkeypatch.setattr(receiver, "RENEW_SECONDS", 0.3)
    monkeypatch.setattr(database, "TRANSACTION_SECONDS", 1.5)
    server = await asyncio.to_thread(request.getfixturevalue(f"{request.param}_factory"))
    made = Stage(request.param, server)
    await made.open()
    yield made
    await made.rig.close()


async def disturbed(stage: Stage, disturb: Callable[[], Awaitable[None]], *, times: int) -> None:
    """Send, and disturb the server meanwhile, so many times; then what is left."""
    sending = asyncio.create_task(stage.send(range(MESSAGES - 40)))
    for _ in range(times):
        await asyncio.sleep(0.3)
        await disturb()
    await sending
    await stage.send(range(MESSAGES - 40, MESSAGES))
    await stage.finish()


async def test_a_server_that_is_killed_and_started_again(stage: Stage) -> None:
    async def kill() -> None:
        await asyncio.to_thread(stage.server.kill)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(stage.server.start)

    await disturbed(stage, kill, times=2)
    assert stage.again


async def test_a_server_that_is_frozen_for_longer_than_deadlines_and_leases(stage: Stage) -> None:
    async def freeze() -> None:
        stage.server.pause()
        try:
            await asyncio.sleep(4)
        finally:
            stage.server.resume()

    await disturbed(stage, freeze, times=2)
    assert stage.again


async def test_a_server_that_cuts_its_connections(stage: Stage) -> None:
    await disturbed(stage, stage.cut, times=6)


async def test_a_server_that_is_killed_while_a_backlog_is_consumed(stage: Stage) -> None:
    """Nothing is sent meanwhile: what was settled without waiting for the disk may come again, nothing is passed over."""
    for bus in stage.buses[1:]:
        await bus.pause(stage.topic.name)
    await stage.send(range(MESSAGES))
    for bus in stage.buses[1:]:
        await bus.resume(stage.topic.name)
    while sum(len(set(numbers)) for numbers in stage.seen.values()) < MESSAGES / 4:
        await asyncio.sleep(0.002)
    await asyncio.to_thread(stage.server.kill)
    await asyncio.to_thread(stage.server.start)
    await stage.finish()


async def test_a_sender_is_told_soon_that_the_server_is_away(stage: Stage) -> None:
    await stage.send(range(10))
    await asyncio.to_thread(stage.server.kill)
    topic: Topic = stage.topic
    began = time.monotonic()
    (sent,) = await stage.buses[0].send_many([Message(topic=topic.name, body=0, key="k0", id="message-0")], deadline=10)
    assert not sent.ok
    assert time.monotonic() - began < 5
    await asyncio.to_thread(stage.server.start)
    await stage.send(range(10, MESSAGES))
    await stage.finish()
