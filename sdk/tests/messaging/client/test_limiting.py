"""Limiting: rates by topic and sender, and topics whose groups are too far behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from qiantang.kernel import ids
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.client import limiting
from qiantang.messaging.client.limiting import BacklogGate, limit_of
from qiantang.messaging.model import BacklogLimit, Message, RateLimit, Resource, Topic
from qiantang.messaging.port import Lag
from qiantang.messaging.testing import Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig("memory", Resource(name="one", url=f"memory://{ids.ordered_id()}"))
    yield made
    await made.close()


def test_the_limit_that_says_most_counts() -> None:
    limits = [
        RateLimit(per_second=1),
        RateLimit(per_second=2, who="trade"),
        RateLimit(per_second=3, who="trade/order"),
    ]
    topic = Topic(name="t", clusters=["main"], limits=limits)
    assert limit_of(topic, "trade", "order") == limits[2]
    assert limit_of(topic, "trade", "stock") == limits[1]
    assert limit_of(topic, "finance", "order") == limits[0]
    assert limit_of(Topic(name="t", clusters=["main"], limits=limits[1:]), "finance", "order") is None


async def test_who_sends_too_fast_waits_and_is_refused_where_that_takes_too_long(rig: Rig) -> None:
    bus, topic, taker = await rig.taking(rig.topic(limits=[RateLimit(per_second=50, burst=5)]))
    began = asyncio.get_running_loop().time()
    for number in range(15):
        await bus.send(topic.name, number)
    assert asyncio.get_running_loop().time() - began >= 0.18
    sent = await bus.send_many([Message(topic=topic.name, body=number) for number in range(15, 115)])
    assert all(one.ok for one in sent), "a batch goes out whole"
    with pytest.raises(messaging_errors.RateLimitedError) as caught:
        await bus.send(topic.name, "late", deadline=0.2)
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 1
    await rig.until(lambda: len(taker.bodies) == 115)


async def test_a_topic_whose_groups_are_too_far_behind_takes_no_more_until_they_are_not(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiting, "LOOK_SECONDS", 0.02)
    topic = rig.topic(backlog=BacklogLimit(groups=["order"], most=20, resume=0.5))
    bus, _, taker = await rig.taking(topic)
    await bus.pause(topic.name)
    await asyncio.sleep(0.1)
    sent = 0
    with pytest.raises(messaging_errors.BacklogFullError, match="more than 20 messages unfinished"):
        for _ in range(500):
            await bus.send(topic.name, sent)
            sent += 1
            await asyncio.sleep(0.002)
    assert sent > 20
    await bus.resume(topic.name)
    await rig.until(lambda: len(taker.bodies) == sent)
    await asyncio.sleep(0.1)
    await bus.send(topic.name, "again")


def test_between_its_bounds_a_gate_stays_as_it_is() -> None:
    async def lag(_group: str) -> Lag:
        return Lag(messages=0)

    gate = BacklogGate("main/one", "t", BacklogLimit(groups=["g"], most=100, resume=0.8), lag)
    states: list[bool] = []
    for messages in (0, 100, 101, 90, 81, 80, 90, 100, 101):
        gate.judge(messages)
        states.append(gate.is_closed)
    assert states == [False, False, True, True, True, False, False, False, True]


async def test_a_consumer_that_takes_nothing_new_leaves_and_others_take_over(rig: Rig) -> None:
    topic = rig.topic(queues=1)
    stuck, free = await rig.bus(topic), await rig.bus(topic)
    gate = asyncio.Event()
    begun: list[int] = []
    taken: list[int] = []

    async def hang(body: int) -> None:
        begun.append(body)
        await gate.wait()

    async def take(body: int) -> None:
        taken.append(body)

    options: dict[str, Any] = {"concurrency": 2, "leave_after": 0.2}
    stuck.subscribe(topic.name, **options)(hang)
    await rig.joined(stuck, topic)
    await stuck.send_many([Message(topic=topic.name, body=number) for number in range(10)])
    await rig.until(lambda: len(begun) == 2)
    free.subscribe(topic.name)(take)
    await rig.until(lambda: len(set(taken)) >= 8)
    assert not stuck.consumers(topic.name)[0].joined
    gate.set()
    await rig.until(lambda: stuck.consumers(topic.name)[0].joined)


@pytest.mark.parametrize(
    ("said", "allowed"),
    [
        ({"senders": ["trade"]}, True),
        ({"senders": ["trade/order"]}, True),
        ({"senders": ["trade/stock"]}, False),
        ({"senders": ["finance"]}, False),
        ({"refused_senders": ["trade"]}, False),
        ({"senders": ["trade"], "refused_senders": ["trade/order"]}, False),
        ({"refused_senders": ["trade/stock"]}, True),
    ],
)
async def test_white_and_black_lists_of_senders(rig: Rig, said: dict[str, Any], allowed: bool) -> None:
    topic = rig.topic(**said)
    bus = await rig.bus(topic)
    if allowed:
        await bus.send(topic.name, 1)
    else:
        with pytest.raises(messaging_errors.SendForbiddenError, match="trade/order may not send"):
            await bus.send(topic.name, 1)


async def test_black_lists_of_consumers(rig: Rig) -> None:
    topic = rig.topic(refused_consumers=["trade/order"])
    bus = await rig.bus(topic)
    with pytest.raises(messaging_errors.ConsumeForbiddenError, match="trade/order may not consume"):
        bus.subscribe(topic.name)
