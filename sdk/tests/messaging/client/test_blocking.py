"""The bus for threads: alone in a blocking program, and beside an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from qiantang.kernel import ids
from qiantang.messaging.adapters.memory import space_of
from qiantang.messaging.client import MessageBus
from qiantang.messaging.errors import (
    BodyTooLargeError,
    BrokerAwayError,
    BusClosedError,
    DeadLetterGoneError,
    FeatureMissingError,
)
from qiantang.messaging.model import DeadLetterSettings, Estate, Message, Resource, RetryPolicy, Store, Topic
from qiantang.messaging.testing import PLACE, Rig

T = TypeVar("T")


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


def found(ask: Callable[[], list[T]], count: int) -> list[T]:
    """Give what is asked for once there is so much."""
    until(lambda: len(ask()) == count)
    return ask()


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


def test_a_blocking_program_works_off_dead_letters(rig: Rig, topic: Topic, tmp_path: Path) -> None:
    store = Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}")
    estate = Estate(clusters=[rig.cluster], topics=[topic], store=store, dead_letters=DeadLetterSettings())
    bus, taken = MessageBus(estate, PLACE), list[Any]()

    @bus.subscribe(topic.name, retry=RetryPolicy(attempts=1))
    def take(body: dict[str, int]) -> None:
        if body["n"] < 10:
            raise ValueError(f"{body['n']} is too little")
        taken.append(body["n"])

    with bus.sync as here:
        until(lambda: all(one.joined for one in bus.consumers(topic.name)))
        for number in range(4):
            here.send(topic.name, {"n": number}, id=f"m{number}")
        letters = sorted(found(lambda: here.dead_letters(topic=topic.name), 4), key=lambda one: one.id)
        (cause,) = here.dead_causes(words="too little")
        assert cause.count == 4
        whole = here.dead_letter(letters[0].number)
        assert whole.frame is not None
        assert here.dead_body(whole.frame) == {"n": 0}
        assert here.resend(letters[0].number, body={"n": 10}, by="li", reason="a slip").ok
        until(lambda: taken == [10])
        with pytest.raises(DeadLetterGoneError):
            here.dead_letter(letters[0].number)
        again = here.resend_many([letters[1].number, 10**9], by="li", per_second=100)
        assert [one.ok for one in again] == [True, False]
        assert [one.ok for one in here.delete_dead([letters[2].number], by="li")] == [True]
        history = here.dead_history(topic=topic.name)
        assert [(one.what, one.letter.id) for one in history] == [("deleted", "m2"), ("resent", "m1"), ("resent", "m0")]
        sent = here.dead_action(history[-1].number).sent
        assert sent is not None
        assert here.dead_body(sent) == {"n": 10}
        assert [one.id for one in found(here.dead_letters, 2)] == ["m1", "m3"], "one died again"
    with pytest.raises(BusClosedError):
        bus.sync.dead_letters()


def test_without_a_store_there_are_no_dead_letters(bus: MessageBus) -> None:
    with bus.sync as here, pytest.raises(FeatureMissingError, match="store"):
        here.dead_letters()
