"""The bus for threads: alone in a blocking program, and beside an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from qiantang.kernel import ids
from qiantang.messaging.adapters.memory import space_of
from qiantang.messaging.client import MessageBus
from qiantang.messaging.errors import BodyTooLargeError, BrokerAwayError, BusClosedError
from qiantang.messaging.model import Message, Resource, Topic
from qiantang.messaging.testing import Rig


@pytest.fixture
def rig() -> Iterator[Rig]:
    yield Rig("memory", Resource(name="one", url=f"memory://{ids.ordered_id()}"))


@pytest.fixture
def topic(rig: Rig) -> Topic:
    return rig.topic(max_body=1000)


@pytest.fixture
def bus(rig: Rig, topic: Topic) -> MessageBus:
    return rig.made(topic)


def until(true: object) -> None:
    ends = time.monotonic() + 20
    while not true():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_blocking_program_sends_and_consumes(bus: MessageBus, topic: Topic) -> None:
    taken: list[tuple[int, str]] = []

    @bus.subscribe(topic.name, concurrency=2)
    def take(body: int) -> None:
        taken.append((body, threading.current_thread().name))

    with bus.sync as here:
        until(lambda: all(one.joined for one in bus.consumers(topic.name)))
        assert here.send(topic.name, 1, key="k").ok
        sent = here.send_many([Message(topic=topic.name, body=number) for number in (2, 3)])
        assert all(one.ok for one in sent)
        here.oneway(topic.name, 4)
        until(lambda: len(taken) == 4)
        assert sorted(body for body, _ in taken) == [1, 2, 3, 4]
        assert all(name.startswith("order") for _, name in taken), "plain functions run on threads of their own"
        here.pause(topic.name)
        time.sleep(0.1)
        here.send(topic.name, 5)
        assert here.lag(topic.name).messages == 1
        held = here.send(topic.name, 6, delay=60)
        assert here.cancel(topic.name, held.id)
        here.resume(topic.name)
        until(lambda: len(taken) == 5)
    with pytest.raises(BusClosedError):
        bus.sync.send(topic.name, 7)


def test_what_many_threads_send_arrives_once_each(bus: MessageBus, topic: Topic) -> None:
    with bus.sync as here, ThreadPoolExecutor(16) as pool:
        sent = list(pool.map(lambda number: here.send(topic.name, number), range(400)))
    assert all(one.ok for one in sent)
    assert len({(one.queue, one.position) for one in sent}) == 400


def test_faults_are_raised_where_the_call_is(rig: Rig, bus: MessageBus, topic: Topic) -> None:
    with bus.sync as here:
        with pytest.raises(BodyTooLargeError):
            here.send(topic.name, "x" * 2000)
        space_of(rig.cluster.resources[0].url).away = True
        with pytest.raises(BrokerAwayError):
            here.send(topic.name, 1)


async def test_beside_an_event_loop_threads_send_and_the_loop_itself_may_not(bus: MessageBus, topic: Topic) -> None:
    async with bus:
        sent = await asyncio.to_thread(bus.sync.send, topic.name, 1)
        assert sent.ok
        with pytest.raises(RuntimeError, match="await the bus itself"):
            bus.sync.send(topic.name, 2)
        with pytest.raises(RuntimeError, match="await the bus itself"):
            bus.sync.lag(topic.name)
