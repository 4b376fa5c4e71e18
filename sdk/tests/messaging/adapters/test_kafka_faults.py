"""Kafka as a broker, when something breaks: nothing is lost that was accepted, and of a key nothing is seen out of its order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from qiantang.kernel import errors as kernel_errors
from qiantang.messaging import errors
from qiantang.messaging.client import MessageBus
from qiantang.messaging.client import bus as bus_module
from qiantang.messaging.model import Context, Message, Resource, RetryPolicy, Shrinking, Store, Topic
from qiantang.messaging.model.partitions import Partitions
from qiantang.messaging.testing import Rig, Taker, until
from tests.servers.fixtures import Factory
from tests.servers.kafka import Kafka
from tests.servers.postgresql import PostgreSQL

SHORT = "session.timeout.ms=2000&heartbeat.interval.ms=300"
QUICK = RetryPolicy(attempts=1000, backoff="fixed", first=0.05, jitter=0)
KEYS = 6
SECONDS = 60.0


def rig_of(server: Kafka, folder: Path, store: str | None = None) -> Rig:
    """A rig on a server, with a store in a file where no other is given."""
    url = store or f"sqlite:///{folder / 'store.sqlite3'}"
    return Rig("kafka", Resource(name="one", url=f"kafka://{server.hosts}?{SHORT}"), Store(url=url))


@pytest.fixture
async def rig(kafka_server: Kafka, tmp_path: Path) -> AsyncIterator[Rig]:
    made = rig_of(kafka_server, tmp_path)
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def broken(factory: Factory[Kafka], folder: Path) -> AsyncIterator[tuple[Kafka, Rig]]:
    """A server of one's own, to break, with its rig."""
    server = await asyncio.to_thread(factory)
    made = rig_of(server, folder)
    try:
        yield server, made
    finally:
        await made.close()


class Numbers:
    """Numbers by key, as they were handled first."""

    def __init__(self) -> None:
        self.seen: dict[str, list[int]] = defaultdict(list)

    async def __call__(self, body: int, context: Context) -> None:
        self.note(context.key, body)

    def note(self, key: str, body: int) -> None:
        if body >= 0 and body not in self.seen[key]:
            self.seen[key].append(body)

    def __len__(self) -> int:
        return sum(map(len, self.seen.values()))

    def check(self, count: int) -> None:
        assert dict(self.seen) == {f"k{key}": list(range(key, count, KEYS)) for key in range(KEYS)}


async def send(bus: MessageBus, topic: Topic, count: int, *, pause: float = 0.0, deadline: float = 1.0) -> list[str]:
    """Send numbers over the keys at the same time, of a key one after the other, each again until it is accepted.

    Gives the outcomes, of each attempt one.
    """
    outcomes: list[str] = []

    async def one_key(key: int) -> None:
        for number in range(key, count, KEYS):
            message = Message(topic=topic.name, body=number, key=f"k{key}")
            while True:
                (sent,) = await bus.send_many([message], deadline=deadline)
                outcomes.append(sent.outcome)
                if sent.ok:
                    break
                assert isinstance(sent.error, errors.BrokerAwayError | errors.OutcomeUnknownError), sent.error
                await asyncio.sleep(0.05)
            await asyncio.sleep(pause)

    await asyncio.gather(*(one_key(key) for key in range(KEYS)))
    return outcomes


def read(server: Kafka, topics: list[str], count: int) -> list[dict[str, bytes]]:
    """Read so many messages of topics from their beginning, past all of ours; give their headers."""
    settings: dict[str, Any] = {"bootstrap.servers": server.hosts, "group.id": "past", "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    found: list[dict[str, bytes]] = []
    try:
        consumer.assign([TopicPartition(name, 0, 0) for name in topics])
        while len(found) < count:
            (one,) = consumer.consume(1, 20)
            assert one.error() is None
            headers: Any = one.headers()
            found.append(dict(headers))
        assert consumer.consume(1, 0.3) == []
    finally:
        consumer.close()
    return found


async def drained(bus: MessageBus, topic: Topic, group: str = "") -> None:
    ends = time.monotonic() + 30
    while True:
        with contextlib.suppress(errors.BrokerAwayError):
            if not (lag := await bus.lag(topic.name, group)).messages:
                return
            assert time.monotonic() < ends, lag
        await asyncio.sleep(0.05)


def threads() -> list[str]:
    """The adapter's own threads."""
    return [one.name for one in threading.enumerate() if one.name.startswith("poll ")]


# -- the server ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_server_that_goes_and_comes_back(kafka_factory: Factory[Kafka], tmp_path: Path, how: str) -> None:
    async with broken(kafka_factory, tmp_path) as (server, rig):
        topic, numbers = rig.topic(), Numbers()
        sender, consumer = await rig.bus(topic), await rig.bus(topic)
        consumer.subscribe(topic.name, order="key", retry=QUICK)(numbers)
        await rig.joined(consumer, topic)
        sending = asyncio.create_task(send(sender, topic, 600, pause=0.02))
        await until(lambda: len(numbers) > 60)
        if how == "killed":
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(2)
            await asyncio.to_thread(server.start)
        else:
            server.pause()
            await asyncio.sleep(4)  # beyond the session of the consumer, and the deadline of the sends
            server.resume()
        outcomes = await sending
        assert "unknown" in outcomes, "what had no answer was sent again under the same id"
        await until(lambda: len(numbers) == 600, lambda: numbers.seen)
        numbers.check(600)
        await drained(consumer, topic)


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_closing_while_the_server_is_away_ends_in_time_and_leaves_no_thread(
    kafka_factory: Factory[Kafka], tmp_path: Path, how: str
) -> None:
    before = threads()
    async with broken(kafka_factory, tmp_path) as (server, rig):
        topic, taker = rig.topic(), Taker()
        bus = rig.made(topic, close_seconds=4.0)
        await bus.open()
        bus.subscribe(topic.name)(taker)
        await rig.joined(bus, topic)
        await bus.send(topic.name, 1)
        await rig.until(lambda: taker.bodies == [1])
        if how == "killed":
            await asyncio.to_thread(server.kill)
        else:
            server.pause()
        bus.oneway(topic.name, 2)
        await asyncio.sleep(0.3)
        began = time.monotonic()
        await bus.close()
        took = time.monotonic() - began
        assert took < 4.0 + 3 * bus_module.STEP_SECONDS + 0.5
        await until(lambda: threads() == before, threads)
        assert time.monotonic() - began < 20.0
        if how == "stopped":
            server.resume()


# -- members ---------------------------------------------------------------------------------------------------------

PROGRAM = """
    import asyncio, os, sys, time
    from qiantang.messaging import Context, MessageBus, Estate, Cluster, Resource, RetryPolicy, Store, Topic
    from qiantang.messaging.testing import PLACE
    url, store, topic, out, fatal = sys.argv[1:]
    estate = Estate(
        clusters=[Cluster(name="main", adapter="kafka", resources=[Resource(name="one", url=url)])],
        topics=[Topic(name=topic, clusters=["main"])],
        store=Store(url=store),
    )
    policy = RetryPolicy(attempts=1000, backoff="fixed", first=0.05, jitter=0)
    async def main():
        bus = MessageBus(estate, PLACE)
        @bus.subscribe(topic, order="key", concurrency=8, retry=policy, handler_timeout=2.0)
        async def take(body: int, context: Context) -> None:
            if body == int(fatal):
                os._exit(9)
            if body % 10 == 7 and context.attempt < 3:
                raise ValueError("not yet")
            if body % 50 == 33 and context.attempt < 2:
                await asyncio.sleep(60)
            await asyncio.sleep(0.005)
            with open(out, "a") as file:
                file.write(f"{time.time_ns()} {context.key} {body}\\n")
        async with bus:
            await asyncio.sleep(3600)
    asyncio.run(main())
"""


class Processes:
    """Consumers in processes of their own, and what they have seen, in the order in which they saw it."""

    def __init__(self, rig: Rig, topic: Topic, folder: Path) -> None:
        assert rig.store is not None
        self._arguments = (rig.cluster.resources[0].url, rig.store.url, topic.name)
        self._folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, fatal: int = -1) -> subprocess.Popen[bytes]:
        """Start one; a message with the number `fatal` ends it."""
        out = str(self._folder / f"{len(self.running)}.txt")
        program = [sys.executable, "-c", textwrap.dedent(PROGRAM), *self._arguments, out, str(fatal)]
        self.running.append(subprocess.Popen(program, env={**os.environ}))
        return self.running[-1]

    def numbers(self) -> Numbers:
        lines = [line.split() for file in self._folder.glob("*.txt") for line in file.read_text().splitlines()]
        numbers = Numbers()
        for _, key, body in sorted(
            (int(at), key, int(body)) for at, key, body in (one for one in lines if len(one) == 3)
        ):
            numbers.note(key, body)
        return numbers

    async def begun(self, bus: MessageBus, topic: Topic) -> None:
        """Wait until they take part: what is sent to the group before is not for it."""
        while not any(file.stat().st_size for file in self._folder.glob("*.txt")):
            await bus.send(topic.name, -6, key="k0")
            await asyncio.sleep(0.2)

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait(10)


@pytest.mark.process
async def test_processes_that_are_killed_or_end_themselves(rig: Rig, tmp_path: Path) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    processes = Processes(rig, topic, tmp_path)
    try:
        first, second = processes.start(fatal=301), processes.start(fatal=301)
        await processes.begun(bus, topic)
        sending = asyncio.create_task(send(bus, topic, 600, pause=0.02))
        await until(lambda: len(processes.numbers()) > 100)
        first.kill()
        processes.start()
        await until(lambda: len(processes.numbers()) > 200)
        second.send_signal(signal.SIGKILL)
        dying = processes.start(fatal=451)
        processes.start(fatal=452)
        await sending
        await until(lambda: len(processes.numbers()) >= 590 or dying.poll() is not None)
        processes.start()
        await until(lambda: len(processes.numbers()) == 600, lambda: processes.numbers().seen)
    finally:
        processes.close()
    processes.numbers().check(600)


@pytest.mark.process
async def test_a_process_that_stood_still_beyond_its_session(rig: Rig, tmp_path: Path) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    processes = Processes(rig, topic, tmp_path)
    try:
        first = processes.start()
        await processes.begun(bus, topic)
        processes.start()
        sending = asyncio.create_task(send(bus, topic, 600, pause=0.03))
        await until(lambda: len(processes.numbers()) > 100)
        for _ in range(2):
            first.send_signal(signal.SIGSTOP)
            await asyncio.sleep(4)
            first.send_signal(signal.SIGCONT)
            await asyncio.sleep(1)
        await sending
        await until(lambda: len(processes.numbers()) == 600, lambda: processes.numbers().seen)
        await asyncio.sleep(1)
    finally:
        processes.close()
    processes.numbers().check(600)
    assert (await bus.lag(topic.name)).messages == 0


@pytest.mark.parametrize("seed", range(2))
async def test_members_that_come_and_go_while_keys_are_tried_again(rig: Rig, seed: int) -> None:
    topic, numbers = rig.topic(), Numbers()
    dice = random.Random(seed)
    staying = await rig.bus(topic)

    async def take(body: int, context: Context) -> None:
        await asyncio.sleep(dice.random() * 0.01)
        if dice.random() < 0.2:
            raise ValueError("now and then")
        numbers.note(context.key, body)

    staying.subscribe(topic.name, order="key", retry=QUICK, concurrency=8)(take)
    await rig.joined(staying, topic)
    sending = asyncio.create_task(send(staying, topic, 900, pause=0.03))
    while not sending.done():
        other = await rig.bus(topic)
        other.subscribe(topic.name, order="key", retry=QUICK, concurrency=8)(take)
        await asyncio.sleep(0.5 + dice.random())
        await other.close()
    await sending
    await until(lambda: len(numbers) == 900, lambda: numbers.seen)
    numbers.check(900)
    await drained(staying, topic)


async def test_a_thread_that_broke_off_begins_anew(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    topic, numbers = rig.topic(), Numbers()
    bus = await rig.bus(topic)
    bus.subscribe(topic.name, order="key", retry=QUICK)(numbers)
    await rig.joined(bus, topic)
    await send(bus, topic, 60)
    come, breaks = Partitions.come, iter(range(3))

    def breaking(self: Any, taken: Any) -> None:
        if next(breaks, None) is not None:
            raise RuntimeError("broken")
        come(self, taken)

    monkeypatch.setattr(Partitions, "come", breaking)
    await send(bus, topic, 120)
    await until(lambda: len(numbers) == 120, lambda: numbers.seen)
    numbers.check(120)
    await drained(bus, topic)
    assert next(breaks, None) is None


async def test_a_consumer_that_does_not_join_again_is_made_anew(rig: Rig) -> None:
    """librdkafka forgets to, now and then, when the server stood still with a commit under way."""
    topic, numbers = rig.topic(), Numbers()
    bus = await rig.bus(topic)
    bus.subscribe(topic.name, order="key", retry=QUICK)(numbers)
    await rig.joined(bus, topic)
    await send(bus, topic, 60)
    await until(lambda: len(numbers) == 60)
    (consumer,) = bus.consumers(topic.name)
    held: Any = consumer._receiver
    polling = held._inner._polling
    polling._lost_at = 0.0
    await until(lambda: held._inner._polling is not polling)
    await send(bus, topic, 120)
    await until(lambda: len(numbers) == 120, lambda: numbers.seen)
    numbers.check(120)
    await drained(bus, topic)


# -- what was sent ---------------------------------------------------------------------------------------------------


async def test_what_others_put_into_a_topic_is_dead_at_once_and_keeps_nobody_back(
    rig: Rig, kafka_server: Kafka
) -> None:
    topic = rig.topic(queues=1, priorities=True)
    bus, taker = await rig.bus(topic), Taker()
    bus.subscribe(topic.name, group="poisoned", order="key")(taker)
    await rig.joined(bus, topic, "poisoned")
    headers: list[Any] = [
        [],
        [("mf-v", b"9.0"), ("mf-id", b"a")],
        [("mf-v", b"\xff\xfe")],
        [("mf-v", b"2.0"), ("mf-sent", b"soon")],
        [("mf-v", b"2.0"), ("mf-codec", b"nothing")],
        [("mf-v", b"2.0"), ("mf-codec", b"json"), ("mf-prio", b"999999")],
        [("mf-v", b"2.0"), ("mf-codec", b"json"), ("mf-bin", b"\xff \xff"), ("x", None), ("x", b"\xff")],
    ]
    producer = Producer({"bootstrap.servers": kafka_server.hosts})
    for one in headers:
        for name in (topic.name, f"{topic.name}.high", f"{topic.name}.low"):
            producer.produce(name, b"\x00\xff{", headers=one)
    producer.produce(topic.name, None, key=b"\xff")
    assert producer.flush(10) == 0
    for number in range(5):
        await bus.send(topic.name, number, key="k")
    await rig.until(lambda: len(taker.bodies) == 5, taker.bodies)
    assert taker.bodies == list(range(5))
    dead = ["dead.poisoned", "dead.poisoned.high"]
    letters = await asyncio.to_thread(read, kafka_server, dead, 3 * len(headers) + 1)
    assert all(one["mf-dead-topic"] == topic.name.encode() for one in letters)
    assert all(one["mf-dead-attempts"] == b"1" for one in letters)
    await drained(bus, topic, "poisoned")


async def test_a_handler_that_hangs_keeps_only_its_key_waiting(rig: Rig) -> None:
    topic, numbers = rig.topic(), Numbers()
    bus = await rig.bus(topic)

    async def take(body: int, context: Context) -> None:
        if context.key == "k0" and context.attempt == 1 and body % 5 == 0:
            await asyncio.sleep(60)
        numbers.note(context.key, body)

    bus.subscribe(topic.name, order="key", retry=QUICK, handler_timeout=0.3)(take)
    await rig.joined(bus, topic)
    await send(bus, topic, 60)
    await until(lambda: len(numbers) == 60, lambda: numbers.seen)
    numbers.check(60)
    await drained(bus, topic)


# -- the store -------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
async def test_while_the_store_is_away_others_go_on_and_nothing_is_lost(
    kafka_server: Kafka, postgresql_factory: Factory[PostgreSQL], tmp_path: Path
) -> None:
    database = await asyncio.to_thread(postgresql_factory)
    rig = rig_of(kafka_server, tmp_path, database.create_database())
    topic, numbers = rig.topic(), Numbers()
    failing = True

    async def take(body: int, context: Context) -> None:
        if failing and context.key in {"k0", "k1"}:
            raise ConnectionError("not yet")
        numbers.note(context.key, body)

    try:
        bus = await rig.bus(topic)
        policy = RetryPolicy(attempts=1000, backoff="fixed", first=0.3, jitter=0)
        bus.subscribe(topic.name, order="key", retry=policy)(take)
        await rig.joined(bus, topic)
        await send(bus, topic, 60)
        await until(lambda: len(numbers) == 40)
        assert await bus.send(topic.name, -1, key="k2", delay=0.1)
        await asyncio.to_thread(database.kill)
        with pytest.raises((errors.BrokerAwayError, errors.OutcomeUnknownError)):  # its connection breaks under it
            await bus.send(topic.name, -1, key="k3", delay=0.1, deadline=5)
        with pytest.raises(errors.BrokerAwayError):
            await bus.send(topic.name, -1, key="k3", delay=0.1, deadline=5)
        await send(bus, topic, 300)
        await until(lambda: len(numbers) == 200, lambda: numbers.seen)
        failing = False
        await asyncio.to_thread(database.start)
        await until(lambda: len(numbers) == 300, lambda: numbers.seen)
        numbers.check(300)
        await drained(bus, topic)
    finally:
        await rig.close()


@pytest.mark.parametrize("partitioner", ["murmur2", "consistent", "fnv1a"])
async def test_keys_go_where_other_clients_send_them(kafka_server: Kafka, tmp_path: Path, partitioner: str) -> None:
    url = f"kafka://{kafka_server.hosts}?{SHORT}&partitioner={partitioner}"
    rig = Rig("kafka", Resource(name="one", url=url), Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}"))
    topic = rig.topic(queues=7)
    bus = await rig.bus(topic)
    keys = [f"order-{number}" for number in range(30)]
    ours = await bus.send_many([Message(topic=topic.name, body=1, key=key) for key in keys])
    theirs: dict[str, int] = {}

    def note(_error: Any, message: Any) -> None:
        theirs[message.key().decode()] = message.partition()

    producer = Producer({"bootstrap.servers": kafka_server.hosts, "partitioner": partitioner})
    for key in keys:
        producer.produce(topic.name, b"1", key, on_delivery=note)
    await asyncio.to_thread(producer.flush, 30)
    assert [int(one.queue) for one in ours] == [theirs[key] for key in keys]
    assert len(set(theirs.values())) > 3
    unkeyed = await bus.send_many([Message(topic=topic.name, body=1)] * 3)
    assert all(one.ok for one in unkeyed)
    shrinking = msgspec.structs.replace(topic, shrink=Shrinking(queues=2, groups=["order"]))
    await bus.change(rig.estate(shrinking))
    with pytest.raises(kernel_errors.MisconfiguredError, match="names a partitioner"):
        await bus.send(topic.name, 1, deadline=5)
    await rig.close()
