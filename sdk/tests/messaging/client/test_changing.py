"""A bus takes another estate while it runs: what is the same goes on undisturbed, what is not moves, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors, ids
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.memory import space_of
from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import (
    Cluster,
    Estate,
    Message,
    OfflineStore,
    RateLimit,
    Resource,
    Shrinking,
    Subscription,
    Topic,
)
from qiantang.messaging.testing import PLACE, Rig, Taker


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig("memory", Resource(name="one", url=f"memory://{ids.ordered_id()}"))
    yield made
    await made.close()


def at(url: str, *topics: Topic, subscriptions: list[Subscription] | None = None, **more: Any) -> Estate:
    """Give an estate with one broker, at an address."""
    cluster = Cluster(name="main", adapter="memory", resources=[Resource(name="one", url=url)])
    return Estate(clusters=[cluster], topics=list(topics), subscriptions=subscriptions or [], **more)


def url_of(rig: Rig) -> str:
    return rig.cluster.resources[0].url


async def test_handlers_may_be_there_before_their_estate(rig: Rig) -> None:
    topic = rig.topic()
    bus = MessageBus(None, PLACE)
    rig.buses.append(bus)
    taker = Taker()
    bus.subscribe(topic.name)(taker)
    await bus.open()
    with pytest.raises(messaging_errors.UnknownTopicError):
        await bus.send(topic.name, 1)
    declared = Subscription(group=PLACE.application, topic=topic.name, concurrency=3)
    assert await bus.change(at(url_of(rig), topic, subscriptions=[declared])) == []
    await rig.joined(bus, topic)
    assert [one.concurrency for one in bus.consumers(topic.name)] == [3]
    await bus.send(topic.name, 1)
    await rig.until(lambda: taker.bodies == [1])


async def test_the_first_estate_may_come_before_the_bus_is_open(rig: Rig) -> None:
    topic = rig.topic()
    bus = MessageBus(None, PLACE)
    rig.buses.append(bus)
    taker = Taker()
    bus.subscribe(topic.name)(taker)
    await bus.change(at(url_of(rig), topic))
    await bus.open()
    await rig.joined(bus, topic)
    await bus.send(topic.name, 1)
    await rig.until(lambda: taker.bodies == [1])


async def test_what_is_the_same_goes_on_undisturbed(rig: Rig) -> None:
    topic, other = rig.topic(), rig.topic()
    bus = await rig.bus(topic, other)
    hold, seen = asyncio.Event(), Taker()

    @bus.subscribe(topic.name)
    async def wait(body: int) -> None:
        await hold.wait()

    bus.subscribe(other.name)(seen)
    await rig.joined(bus, topic)
    await bus.send(topic.name, 1)
    (before,), (gone,) = bus.consumers(topic.name), bus.consumers(other.name)
    await rig.until(lambda: before.in_hand == 1)
    limited = msgspec.structs.replace(
        topic, limits=[RateLimit(per_second=1000)], senders=["trade"], shrink=Shrinking(queues=1, groups=["order"])
    )
    grown = msgspec.structs.replace(other, queues=other.queues + 1)
    await bus.change(rig.estate(limited, grown))
    assert bus.consumers(topic.name) == [before], "who sends, how fast and where is nothing to who consumes"
    assert before.in_hand == 1
    assert bus.consumers(other.name) != [gone], "it has to find out about the new queue"
    hold.set()
    await rig.until(lambda: before.in_hand == 0)
    await rig.joined(bus, other)
    sent = await bus.send_many([Message(topic=other.name, body=number) for number in range(other.queues + 1)])
    assert len({one.queue for one in sent}) == other.queues + 1
    await rig.until(lambda: len(seen.bodies) == other.queues + 1)


@pytest.mark.parametrize("blocking", [False, True])
async def test_how_many_are_worked_on_changes_without_a_break(rig: Rig, blocking: bool) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    working, release = [0], asyncio.Event()
    loop = asyncio.get_running_loop()

    async def take(_body: int) -> None:
        working[0] += 1
        await release.wait()

    def block(body: int) -> None:
        asyncio.run_coroutine_threadsafe(take(body), loop).result()

    bus.subscribe(topic.name)(block if blocking else take)
    (before,) = bus.consumers(topic.name)

    def declared(concurrency: int) -> Estate:
        said = Subscription(group=PLACE.application, topic=topic.name, concurrency=concurrency)
        return msgspec.structs.replace(rig.estate(topic), subscriptions=[said])

    await bus.change(declared(2))
    await rig.joined(bus, topic)
    await bus.send_many([Message(topic=topic.name, body=number) for number in range(20)])
    await rig.until(lambda: working[0] == 2)
    await bus.change(declared(5))
    await rig.until(lambda: working[0] == 5)
    assert bus.consumers(topic.name) == [before]
    release.set()
    await rig.until(lambda: working[0] == 20)


async def test_a_broker_moves_while_messages_are_sent_and_none_is_lost(rig: Rig) -> None:
    topic = rig.topic(queues=1)
    there = f"memory://{ids.ordered_id()}"
    bus, taker = await rig.bus(topic), Taker()
    at_first, later = await rig.bus(topic), MessageBus(at(there, topic), PLACE)
    rig.buses.append(later)
    await later.open()
    for one in (bus, at_first, later):
        one.subscribe(topic.name, group="readers")(taker)
        await rig.joined(one, topic, "readers")
    accepted: list[int] = []
    stop = asyncio.Event()

    async def send() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await bus.send(topic.name, number, key="k")
            accepted.append(number)

    sending = asyncio.create_task(send())
    await rig.until(lambda: len(accepted) > 50)
    await bus.change(at(there, topic))
    moved = len(accepted)
    await rig.until(lambda: len(accepted) > moved + 50)
    stop.set()
    await sending
    await rig.until(lambda: set(taker.bodies) == set(accepted))
    assert bus.plan()[topic.name].keys() == {"main/one"}
    assert not await bus_has(bus, topic, url_of(rig))


async def bus_has(bus: MessageBus, topic: Topic, url: str) -> bool:
    """Say whether a message that is sent now goes to an address."""
    before = [sum(one.positions) for name, one in space_of(url)._topics.items() if name == topic.name]
    await bus.send(topic.name, 0)
    return before != [sum(one.positions) for name, one in space_of(url)._topics.items() if name == topic.name]


async def test_what_waits_in_the_line_goes_to_where_the_broker_has_moved(rig: Rig) -> None:
    topic = rig.topic()
    bus, there = await rig.bus(topic), f"memory://{ids.ordered_id()}"
    await bus.send(topic.name, 0)
    space_of(url_of(rig)).away = True
    with pytest.raises(messaging_errors.BrokerAwayError):
        await bus.send(topic.name, 1)
    await bus.change(at(there, topic))
    sending = [asyncio.create_task(bus.send(topic.name, number)) for number in range(20)]
    assert all(one.ok for one in await asyncio.gather(*sending))


async def test_an_estate_that_cannot_work_changes_nothing(rig: Rig) -> None:
    bus, topic, taker = await rig.taking(rig.topic())
    (before,) = bus.consumers(topic.name)
    unknown = Cluster(name="other", adapter="pigeon", resources=[Resource(name="one", url="pigeon://x")])
    for wrong in (
        msgspec.structs.replace(rig.estate(topic), clusters=[rig.cluster, unknown]),
        msgspec.structs.replace(rig.estate(topic), clusters=[]),
        rig.estate(topic, topic),
    ):
        with pytest.raises(errors.MisconfiguredError):
            await bus.change(wrong)
    with pytest.raises(errors.MisconfiguredError, match="32"):
        await bus.change(rig.estate(topic), {"k": b"short"})
    assert bus.consumers(topic.name) == [before]
    await bus.send(topic.name, 1)
    await rig.until(lambda: taker.bodies == [1])


async def test_a_topic_that_goes_leaves_its_handler_waiting_until_it_is_back(rig: Rig) -> None:
    bus, topic, taker = await rig.taking(rig.topic())
    await bus.send(topic.name, 1)
    await rig.until(lambda: taker.bodies == [1])
    (problem,) = await bus.change(rig.estate())
    assert "Taker" in problem
    assert topic.name in problem
    assert bus.consumers(topic.name) == []
    with pytest.raises(messaging_errors.UnknownTopicError):
        await bus.send(topic.name, 2)
    forbidden = msgspec.structs.replace(topic, consumers=["finance"])
    (problem,) = await bus.change(rig.estate(forbidden))
    assert "may not consume" in problem
    await bus.send(topic.name, 3)
    assert await bus.change(rig.estate(topic)) == []
    await rig.until(lambda: taker.bodies == [1, 3])


async def test_rates_change_with_the_estate(rig: Rig) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    await bus.change(rig.estate(msgspec.structs.replace(topic, limits=[RateLimit(per_second=0.01)])))
    await bus.send(topic.name, 1)
    with pytest.raises(messaging_errors.RateLimitedError):
        await bus.send(topic.name, 2, deadline=0.2)
    await bus.change(rig.estate(topic))
    await bus.send(topic.name, 3, deadline=0.2)


async def test_keys_change_with_the_estate(rig: Rig) -> None:
    plain = rig.topic()
    topic = msgspec.convert({**msgspec.to_builtins(plain), "packing": {"key": "new"}}, Topic)
    bus, taker = await rig.bus(plain), Taker()
    with pytest.raises(errors.MisconfiguredError):
        await bus.change(rig.estate(topic))
        await bus.send(topic.name, 1)
    await bus.change(rig.estate(topic), {"new": bytes(32)})
    bus.subscribe(topic.name)(taker)
    await rig.joined(bus, topic)
    await bus.send(topic.name, 1)
    await rig.until(lambda: taker.bodies == [1])


async def test_an_offline_store_comes_and_goes_with_what_waits_in_it(rig: Rig, tmp_path: Path) -> None:
    bus, topic, taker = await rig.taking(rig.topic())
    kept = msgspec.structs.replace(rig.estate(topic), offline=OfflineStore(folder=str(tmp_path)))
    await bus.change(kept)
    space_of(url_of(rig)).away = True
    assert (await bus.send(topic.name, 1)).outcome == "spooled"
    await bus.change(rig.estate(topic))  # without a store
    with pytest.raises(messaging_errors.BrokerAwayError):
        await bus.send(topic.name, 2)
    space_of(url_of(rig)).away = False
    await bus.change(kept)
    await rig.until(lambda: taker.bodies == [1])


async def test_a_broker_that_moves_takes_what_waits_for_it_along(rig: Rig, tmp_path: Path) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    offline = OfflineStore(folder=str(tmp_path))
    there, taker = f"memory://{ids.ordered_id()}", Taker()
    await bus.change(at(url_of(rig), topic, offline=offline))
    await bus.send(topic.name, 0)
    space_of(url_of(rig)).away = True
    for number in range(5):
        assert (await bus.send(topic.name, number, key="k")).outcome == "spooled"
    other = MessageBus(at(there, topic), PLACE)
    rig.buses.append(other)
    other.subscribe(topic.name)(taker)
    await other.open()
    await rig.joined(other, topic)
    await bus.change(at(there, topic, offline=offline))
    await rig.until(lambda: taker.bodies == [0, 1, 2, 3, 4])


async def test_brokers_come_and_go(rig: Rig) -> None:
    topic, taker = rig.topic(), Taker()
    bus = await rig.bus(topic)
    bus.subscribe(topic.name)(taker)
    second = Resource(name="two", url=f"memory://{ids.ordered_id()}")
    both = Cluster(name="main", adapter="memory", resources=[*rig.cluster.resources, second])
    (before,) = bus.consumers(topic.name)
    await bus.change(Estate(clusters=[both], topics=[topic]))
    await rig.joined(bus, topic)
    assert [one.name.rpartition("/")[2] for one in bus.consumers(topic.name)] == ["one", "two"]
    assert before in bus.consumers(topic.name)
    await bus.send_many([Message(topic=topic.name, body=number) for number in range(10)])
    await rig.until(lambda: len(taker.bodies) == 10)
    assert min(one.counts.done for one in bus.consumers(topic.name)) == 5, "they take turns"
    none_to_it = msgspec.structs.replace(second, weight=0)
    await bus.change(
        Estate(clusters=[msgspec.structs.replace(both, resources=[both.resources[0], none_to_it])], topics=[topic])
    )
    await bus.send_many([Message(topic=topic.name, body=number) for number in range(10)])
    await rig.until(lambda: len(taker.bodies) == 20)
    assert before.counts.done == 15
    await bus.change(rig.estate(topic))
    assert bus.consumers(topic.name) == [before]


async def test_a_closed_bus_takes_no_estate(rig: Rig) -> None:
    bus = await rig.bus(rig.topic())
    await bus.close()
    with pytest.raises(messaging_errors.BusClosedError):
        await bus.change(rig.estate())


async def test_a_bus_that_is_closed_while_it_changes_leaves_nothing_open(rig: Rig, tmp_path: Path) -> None:
    bus, topic, _ = await rig.taking(rig.topic())
    kept = msgspec.structs.replace(
        at(f"memory://{ids.ordered_id()}", topic), offline=OfflineStore(folder=str(tmp_path))
    )
    changing = asyncio.create_task(bus.change(kept))
    await asyncio.sleep(0)
    await bus.close()
    await changing
    assert bus.consumers(topic.name) == []
    assert not await asyncio.to_thread(os.listdir, tmp_path), "its offline store was given up"
