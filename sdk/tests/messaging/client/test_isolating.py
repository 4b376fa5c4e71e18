"""Isolating: a broker of several that is away, stands still or is slow keeps no message that another one can take."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from qiantang.kernel import errors, ids
from qiantang.messaging.adapters import memory
from qiantang.messaging.client import MessageBus, health, sending
from qiantang.messaging.model import Cluster, Estate, Frame, Message, Resource, Topic
from qiantang.messaging.port import SendOutcome
from qiantang.messaging.testing import PLACE


class Brokers:
    """Two brokers in memory, nothing kept on disk: what each was given, and how it behaves."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.seconds = {"r0": 0.0, "r1": 0.0}
        self.free = asyncio.Event()
        self.free.set()
        self.resources = [Resource(name=name, url=f"memory://{ids.ordered_id()}") for name in self.seconds]
        cluster = Cluster(name="main", adapter="memory", resources=self.resources)
        self.bus = MessageBus(
            Estate(clusters=[cluster], topics=[Topic(name="orders", clusters=["main"])]),
            PLACE,
            adapters={"memory": self._make},
        )

    def away(self, *numbers: int) -> None:
        """Have these brokers be away, and the others there."""
        for number, one in enumerate(self.resources):
            memory.space_of(one.url).away = number in numbers

    async def send(self, count: int, deadline: float = 5) -> Counter[str]:
        """Send so many messages one after the other; count what became of them."""
        return Counter([(await self.one(deadline=deadline)) for _ in range(count)])

    async def one(self, key: str = "", deadline: float = 5) -> str:
        """Send a message; say what became of it."""
        try:
            sent = await self.bus.send("orders", "x", key=key, deadline=deadline)
        except errors.QiantangError as error:
            return error.code
        return sent.outcome

    def _make(self, resource: Resource) -> Any:
        broker = memory.make(resource)
        send = broker.send

        async def watched(frames: Sequence[Frame]) -> Sequence[SendOutcome]:
            if resource.name == "r0":
                await self.free.wait()
            await asyncio.sleep(self.seconds[resource.name])
            outcomes = await send(frames)
            self.taken[resource.name] += sum(one.verdict == "accepted" for one in outcomes)
            return outcomes

        broker.send = watched
        return broker


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Brokers]:
    monkeypatch.setattr(health, "PAUSE_FIRST", 0.05)
    made = Brokers()
    async with made.bus:
        yield made


async def test_what_one_does_not_take_another_does(two: Brokers) -> None:
    two.away(0)
    assert await two.send(60) == {"accepted": 60}
    assert two.taken == {"r1": 60}
    many = await two.bus.send_many([Message(topic="orders", body=number) for number in range(40)], deadline=5)
    assert {one.outcome for one in many} == {"accepted"}
    two.away()
    await asyncio.sleep(0.2)
    two.taken.clear()
    assert await two.send(60) == {"accepted": 60}
    assert two.taken["r0"] > 5, "it takes its share again, though it failed lately"


async def test_one_that_was_never_there_keeps_nobody_back(two: Brokers) -> None:
    two.away(1)
    assert await two.send(20) == {"accepted": 20}


async def test_where_all_are_away_the_sender_is_told_and_the_first_that_is_back_is_used(two: Brokers) -> None:
    await two.send(2)
    two.away(0, 1)
    assert set(await two.send(4)) == {"messaging.broker_away"}
    two.away(1)
    await asyncio.sleep(0.3)
    assert (await two.send(20))["accepted"] >= 18, "each of both may be tried once"


async def test_messages_of_a_key_stay_with_their_broker(two: Brokers) -> None:
    two.away(0)
    found = Counter([(await two.one(key=f"k{number}")) for number in range(40)])
    assert set(found) == {"accepted", "messaging.broker_away"}, "at another one they would overtake"


async def test_one_that_stands_still_is_left_out(two: Brokers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "STUCK_SECONDS", 0.1)
    assert await two.send(4) == {"accepted": 4}
    two.free.clear()
    stuck = [asyncio.create_task(two.one(deadline=0.6)) for _ in range(2)]
    await asyncio.sleep(0.2)
    assert await two.send(40, deadline=0.3) == {"accepted": 40}
    assert sorted(await asyncio.gather(*stuck)) == ["accepted", "messaging.outcome_unknown"]
    two.free.set()
    await asyncio.sleep(0.1)
    assert await two.send(10) == {"accepted": 10}


async def test_what_waits_for_one_that_stands_still_goes_to_the_other(
    two: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STUCK_SECONDS", 0.3)
    assert await two.send(4) == {"accepted": 4}
    two.free.clear()
    one = asyncio.create_task(two.one(key="", deadline=30))
    other = asyncio.create_task(two.one(key="", deadline=30))
    await asyncio.sleep(0.05)  # one of them is handed to the broker that stands still
    messages = [Message(topic="orders", body=number, key="k1" if number % 5 == 0 else "") for number in range(50)]
    sending = asyncio.create_task(two.bus.send_many(messages, deadline=3))
    single = [asyncio.create_task(two.one(deadline=30)) for _ in range(20)]
    async with asyncio.timeout(2.5):
        assert [await each for each in single] == ["accepted"] * 20
    found = await sending
    assert all(sent.ok for sent, message in zip(found, messages, strict=True) if not message.key)
    two.free.set()
    assert await asyncio.gather(one, other) == ["accepted"] * 2
    assert two.taken["r1"] >= 60


async def test_what_was_sent_together_with_what_is_stuck_goes_to_the_other_at_once(
    two: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "STUCK_SECONDS", 0.2)
    monkeypatch.setattr(sending, "BATCH", 10)
    assert await two.send(4) == {"accepted": 4}
    two.taken.clear()
    two.free.clear()
    messages = [Message(topic="orders", body=number, id=f"m{number}") for number in range(100)]
    going = asyncio.create_task(two.bus.send_many(messages, deadline=60))
    async with asyncio.timeout(30):
        while two.taken["r1"] < 90:  # all but what was handed to the one that stands still
            await asyncio.sleep(0.01)
    assert not going.done()
    two.free.set()
    found = await going
    assert [(one.id, one.outcome) for one in found] == [(f"m{number}", "accepted") for number in range(100)]
    assert two.taken == {"r0": 10, "r1": 90}, "each once"


async def test_the_slower_takes_less(two: Brokers) -> None:
    two.seconds["r0"] = 0.05
    await two.send(60)
    two.taken.clear()
    await two.send(60)
    assert two.taken["r0"] < 20
    assert two.taken["r1"] > 40
