"""Offline on real brokers that are killed, frozen and started again, and processes that are killed with what they kept."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from qiantang.messaging.adapters.sql.crashed import crashed
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.client import MessageBus, offline
from qiantang.messaging.client.spool import records
from qiantang.messaging.model import (
    Cluster,
    Context,
    Estate,
    Message,
    OfflineStore,
    Resource,
    RetryPolicy,
    Store,
    Topic,
)
from qiantang.messaging.testing import PLACE, until
from tests.servers.fixtures import Factory
from tests.servers.postgresql import PostgreSQL

KEYS = 5


class Brokers:
    """Servers of one kind as the resources of one cluster, and buses over them."""

    def __init__(self, adapter: str, servers: list[Any], urls: list[str], folder: Path) -> None:
        self.servers = servers
        resources = [Resource(name=f"r{number}", url=url) for number, url in enumerate(urls)]
        self.estate = Estate(
            clusters=[Cluster(name="main", adapter=adapter, resources=resources)],
            topics=[Topic(name="orders", clusters=["main"])],
            offline=OfflineStore(folder=str(folder)),
        )
        self.buses: list[MessageBus] = []
        self.seen: dict[str, int] = {}
        self.order: dict[str, list[int]] = defaultdict(list)

    async def bus(self) -> MessageBus:
        bus = MessageBus(self.estate, PLACE, close_seconds=4)
        await bus.open()
        self.buses.append(bus)
        return bus

    async def taking(self) -> None:
        """Have a bus of its own note what arrives, each message once, by key."""
        bus = await self.bus()

        @bus.subscribe("orders", group="taking", order="key", retry=RetryPolicy(first=0.05))
        async def take(body: int, context: Context) -> None:
            if context.id not in self.seen:
                self.seen[context.id] = body
                self.order[context.key].append(body)

        await until(lambda: all(one.joined for one in bus.consumers("orders", "taking")), seconds=60)

    async def close(self) -> None:
        for server in self.servers:
            if server.running:
                server.resume()
            else:
                await asyncio.to_thread(server.start)
        for bus in self.buses:
            await bus.close()


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("kafka", marks=pytest.mark.kafka),
    ]
)
async def brokers(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Brokers]:
    monkeypatch.setattr(offline, "AGAIN_LONGEST", 0.5)
    monkeypatch.setattr(offline, "ANSWER_SECONDS", 2.0)
    make: Factory[Any] = request.getfixturevalue(f"{request.param}_factory")
    servers = [await asyncio.to_thread(make) for _ in range(2)]
    if request.param == "kafka":
        made = Brokers("kafka", servers, [f"kafka://{one.hosts}" for one in servers], tmp_path)
    else:
        urls = [one.create_database("messages").replace("+asyncpg", "") for one in servers]
        made = Brokers("sql", servers, urls, tmp_path)
    yield made
    await made.close()


async def send(bus: MessageBus, numbers: range, sent: dict[str, list[int]], pause: float = 0.0) -> None:
    for number in numbers:
        key = f"k{number % KEYS}"
        found = await bus.send("orders", number, key=key)
        assert found.ok
        sent[key].append(number)
        await asyncio.sleep(pause)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_one_of_two_is_killed_then_both_then_one_is_back_then_both(brokers: Brokers) -> None:
    await brokers.taking()
    bus = await brokers.bus()
    sent: dict[str, list[int]] = defaultdict(list)
    one, other = brokers.servers
    await send(bus, range(50), sent)
    sending = asyncio.create_task(send(bus, range(50, 250), sent, 0.005))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(one.kill)
    await sending
    await asyncio.to_thread(other.kill)
    await send(bus, range(250, 400), sent)
    await asyncio.to_thread(one.start)
    await send(bus, range(400, 500), sent, 0.005)
    await asyncio.to_thread(other.start)
    await send(bus, range(500, 600), sent, 0.005)
    await until(lambda: len(brokers.seen) == 600, seconds=120)
    assert brokers.order == sent
    await until(lambda: not any(bus.spooled().values()))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_broker_that_is_frozen_keeps_nobody_waiting(brokers: Brokers) -> None:
    await brokers.taking()
    bus = await brokers.bus()
    sent: dict[str, list[int]] = defaultdict(list)
    await send(bus, range(20), sent)
    for server in brokers.servers:
        server.pause()
    began = time.monotonic()
    await send(bus, range(20, 120), sent)
    assert time.monotonic() - began < 30, "the first of each broker finds out, the others do not wait"
    for server in brokers.servers:
        server.resume()
    await send(bus, range(120, 140), sent)
    await until(lambda: len(brokers.seen) == 140, seconds=120)
    assert brokers.order == sent


PROGRAM = textwrap.dedent(
    """
    import asyncio, sys
    import msgspec
    from qiantang.messaging.client import MessageBus, offline
    from qiantang.messaging.model import Estate, Message
    from qiantang.messaging.testing import PLACE

    offline.ANSWER_SECONDS = 2.0

    async def main():
        estate = msgspec.json.decode(sys.argv[1], type=Estate)
        async with MessageBus(estate, PLACE) as bus:
            for number in range(1000, 100000):
                sent = await bus.send("orders", number, key=f"k{number % 5}")
                print(number, sent.outcome, flush=True)

    asyncio.run(main())
    """
)


ONE_KIND = pytest.mark.parametrize("brokers", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True)
"""For what has nothing to do with the kind of broker: two servers of Kafka take 20 s to start."""


@ONE_KIND
@pytest.mark.slow
@pytest.mark.process
@pytest.mark.timeout(300)
async def test_what_a_process_kept_that_was_killed_is_sent_by_another(brokers: Brokers) -> None:
    await brokers.taking()
    for server in brokers.servers:
        await asyncio.to_thread(server.kill)
    program = [sys.executable, "-c", PROGRAM, msgspec.json.encode(brokers.estate).decode()]
    with subprocess.Popen(program, stdout=subprocess.PIPE, env={**os.environ}) as child:  # noqa: ASYNC220
        said: list[str] = []
        assert child.stdout is not None
        while len(said) < 300:
            said.append((await asyncio.to_thread(child.stdout.readline)).decode())
        child.send_signal(signal.SIGKILL)
        said += (await asyncio.to_thread(child.stdout.read)).decode().splitlines()
    told = [int(line.split()[0]) for line in said if line.split()[1:] == ["spooled"]]
    assert len(told) >= 300
    for server in brokers.servers:
        await asyncio.to_thread(server.start)
    bus = await brokers.bus()
    sent: dict[str, list[int]] = defaultdict(list)
    await send(bus, range(50), sent)
    await until(lambda: set(told) <= set(brokers.seen.values()) and len(brokers.seen) >= len(told) + 50, seconds=120)
    for key, bodies in brokers.order.items():
        before = [one for one in bodies if one >= 1000]
        assert before == sorted(before), "what the dead process kept is in order"
        assert bodies == before + sent[key], "and before what is new"


async def in_store(url: str) -> set[int]:
    """Give the numbers that the crash table holds: what a machine had not moved there is lost with it."""
    database = Database(url)
    await database.open()
    async with database.reading() as connection:
        rows = (await connection.execute(sa.select(crashed.c.data))).scalars().all()
    await database.close()
    return {int(records.read(payload).frame.body) for data in rows for payload in records.split(bytes(data))}


@ONE_KIND
@pytest.mark.slow
@pytest.mark.process
@pytest.mark.timeout(300)
async def test_what_moved_to_the_store_outlives_its_machine_and_a_crash_of_the_store(
    brokers: Brokers, postgresql_factory: Factory[PostgreSQL], tmp_path: Path
) -> None:
    store = await asyncio.to_thread(postgresql_factory)
    brokers.servers.append(store)
    url = store.create_database("store").replace("+asyncpg", "")
    brokers.estate = msgspec.structs.replace(
        brokers.estate, store=Store(url=url), offline=OfflineStore(folder=str(tmp_path / "here"), to_store_after=0)
    )
    await brokers.taking()
    for server in brokers.servers[:2]:
        await asyncio.to_thread(server.kill)
    lost = msgspec.structs.replace(
        brokers.estate, offline=OfflineStore(folder=str(tmp_path / "lost"), to_store_after=0)
    )
    bus = await brokers.bus()
    program = [sys.executable, "-c", PROGRAM, msgspec.json.encode(lost).decode()]
    with subprocess.Popen(program, stdout=subprocess.PIPE, env={**os.environ}) as child:  # noqa: ASYNC220
        ends = time.monotonic() + 90
        while (await bus.crashed()).messages < 300:
            assert time.monotonic() < ends, await bus.crashed()
            await asyncio.sleep(0.2)
        child.send_signal(signal.SIGKILL)
        assert child.stdout is not None
        await asyncio.to_thread(child.stdout.read)
    shutil.rmtree(tmp_path / "lost")
    moved = await in_store(url)
    assert len(moved) >= 300
    await asyncio.to_thread(store.kill)
    for server in brokers.servers[:2]:
        await asyncio.to_thread(server.start)
    await asyncio.sleep(1)
    await asyncio.to_thread(store.start)
    await until(lambda: moved <= set(brokers.seen.values()), lambda: moved - set(brokers.seen.values()), 120)
    for bodies in brokers.order.values():
        assert bodies == sorted(bodies)
    ends = time.monotonic() + 60
    while (await bus.crashed()).messages:
        assert time.monotonic() < ends, await bus.crashed()
        await asyncio.sleep(0.2)


@ONE_KIND
async def test_many_at_once_while_it_goes_away(brokers: Brokers) -> None:
    await brokers.taking()
    bus = await brokers.bus()
    batches = [
        bus.send_many(
            [Message(topic="orders", body=number, key=f"k{number % KEYS}") for number in range(start, start + 50)]
        )
        for start in range(0, 1000, 50)
    ]
    sending = asyncio.gather(*batches)
    await asyncio.sleep(0.02)
    await asyncio.to_thread(brokers.servers[0].kill)
    results = [one for some in await sending for one in some]
    assert all(one.ok for one in results), {(one.outcome, str(one.error)) for one in results if not one.ok}
    await asyncio.to_thread(brokers.servers[0].start)
    await until(lambda: len(brokers.seen) == 1000, seconds=120)
    for rest in range(KEYS):
        assert brokers.order[f"k{rest}"] == [number for number in range(1000) if number % KEYS == rest]
