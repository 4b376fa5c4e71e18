"""The bus: what it says of an estate that cannot work, and that losses of brokers lose no message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors, ids, observe
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.memory import space_of
from qiantang.messaging.client import MessageBus, consuming, counting, links
from qiantang.messaging.model import Context, Estate, Message, Resource, RetryPolicy, Sent, Topic
from qiantang.messaging.port import Feature, SendOutcome, Support
from qiantang.messaging.testing import PLACE, Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig("memory", Resource(name="one", url=f"memory://{ids.ordered_id()}"))
    yield made
    await made.close()


def estate(**said: Any) -> Estate:
    return msgspec.convert(said, Estate)


MAIN = {"name": "main", "adapter": "memory", "resources": [{"name": "one", "url": "memory://x"}]}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"topics": [{"name": "t", "clusters": ["main"]}]}, "names the cluster 'main'"),
        ({"clusters": [MAIN, MAIN]}, "declared twice"),
        ({"clusters": [{**MAIN, "resources": MAIN["resources"] * 2}]}, "names a resource twice"),
        ({"clusters": [MAIN], "topics": [{"name": "t", "clusters": ["main"]}] * 2}, "declared twice"),
        ({"clusters": [{**MAIN, "adapter": "pigeon"}]}, "nothing called 'pigeon'"),
    ],
)
def test_an_estate_that_cannot_work_is_refused(said: dict[str, Any], words: str) -> None:
    with pytest.raises(errors.MisconfiguredError, match=words):
        MessageBus(estate(**said), PLACE)


async def test_configuration_says_how_and_code_says_the_rest(rig: Rig) -> None:
    topic = rig.topic()
    declared = {"group": "order", "topic": topic.name, "concurrency": 3}
    bus = MessageBus(
        estate(
            clusters=[msgspec.to_builtins(rig.cluster)], topics=[msgspec.to_builtins(topic)], subscriptions=[declared]
        ),
        PLACE,
    )
    rig.buses.append(bus)

    @bus.subscribe(topic.name, concurrency=8, order="key")
    async def take(body: int) -> None: ...

    await bus.open()
    (consumer,) = bus.consumers(topic.name)
    assert (consumer.subscription.concurrency, consumer.subscription.order) == (3, "key")
    with pytest.raises(errors.InvalidRequestError):
        bus.subscribe(topic.name, group="other", concurrency=0)


async def test_the_plan_says_who_provides_what(rig: Rig) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    assert bus.plan() == {topic.name: {}}, "nobody was asked yet"
    await bus.send(topic.name, 1)
    assert bus.plan() == {topic.name: {"main/one": dict.fromkeys(Feature, Support.NATIVE)}}


async def test_a_broker_that_is_away_is_said_at_once_and_used_again_when_it_is_back(rig: Rig) -> None:
    topic = rig.topic()
    space = space_of(rig.cluster.resources[0].url)
    space.away = True
    bus = await rig.bus(topic)
    taken: list[int] = []

    @bus.subscribe(topic.name)
    async def take(body: int) -> None:
        taken.append(body)

    with pytest.raises(messaging_errors.BrokerAwayError):
        await bus.send(topic.name, 1)
    space.away = False
    await rig.joined(bus, topic)
    await bus.send(topic.name, 2)
    await rig.until(lambda: taken == [2])


async def test_a_connection_lost_while_messages_are_worked_on_loses_none_and_keeps_their_order(rig: Rig) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    seen: dict[str, list[int]] = {}

    async def take(body: int, context: Context) -> None:
        await asyncio.sleep(0.002)
        seen.setdefault(context.key, []).append(body)

    bus.subscribe(topic.name, order="key", concurrency=4)(take)
    await rig.joined(bus, topic)
    (consumer,) = bus.consumers(topic.name)
    for number in range(200):
        await bus.send(topic.name, number, key=f"k{number % 5}")
        if number % 40 == 20:
            consumer._receiver.lose()  # type: ignore[union-attr, attr-defined]
    await rig.until(lambda: sum(len(set(numbers)) for numbers in seen.values()) == 200)
    for key in range(5):
        firsts = list(dict.fromkeys(seen[f"k{key}"]))
        assert firsts == list(range(key, 200, 5)), "seen twice perhaps, never out of order"


async def test_interceptors_are_told_what_became_of_each_and_their_faults_change_nothing(rig: Rig) -> None:
    topic = rig.topic()
    told: list[tuple[Any, str]] = []

    class Tells:
        def before_send(self, message: Message[Any]) -> Message[Any]:
            return message

        def after_send(self, message: Message[Any], sent: Sent) -> None:
            told.append((message.body, sent.outcome))
            raise RuntimeError("of no account")

    bus = await rig.bus(topic, interceptors=[Tells()])
    sent = await bus.send_many([Message(topic=topic.name, body=1), Message(topic=topic.name, body=object())])
    assert [one.ok for one in sent] == [True, False]
    assert [outcome for _, outcome in told] == ["accepted", "refused"]


async def test_what_is_sent_without_waiting_is_bounded_and_sent_before_the_end(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qiantang.messaging.client import bus as module

    topic = rig.topic()
    bus = await rig.bus(topic)
    told: list[Sent] = []
    monkeypatch.setattr(module, "UNANSWERED", 3)
    for number in range(3):
        bus.send_async(topic.name, number, on_result=told.append)
    with pytest.raises(messaging_errors.BacklogFullError):
        bus.oneway(topic.name, 4)
    await bus.close()
    assert [one.outcome for one in told] == ["accepted"] * 3


async def test_concurrency_changes_while_running(rig: Rig) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    working = most = 0

    async def take(_body: int) -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.005)
        working -= 1

    bus.subscribe(topic.name, concurrency=2)(take)
    await rig.joined(bus, topic)
    (consumer,) = bus.consumers(topic.name)

    async def work_through() -> int:
        nonlocal most
        most = 0
        before = consumer.counts.done
        await bus.send_many([Message(topic=topic.name, body=number) for number in range(60)])
        await rig.until(lambda: consumer.counts.done == before + 60)
        return most

    assert await work_through() == 2
    consumer.resize(8)
    assert await work_through() == 8
    consumer.concurrency = 1
    assert await work_through() == 1


def test_a_topic_is_made_of_plain_data() -> None:
    topic = msgspec.convert({"name": "orders", "clusters": ["main"]}, Topic)
    assert (topic.queues, topic.write_version, topic.packing.codec) == (4, "2.0", "json")


class Hanging:
    """A broker that does not answer when it is connected to."""

    def __init__(self, _resource: Resource) -> None:
        self.asked = 0

    async def open(self) -> None:
        self.asked += 1
        await asyncio.sleep(60)

    async def close(self) -> None: ...


async def test_many_senders_to_a_broker_that_hangs_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "OPEN_SECONDS", 0.2)
    made: list[Hanging] = []

    def make(resource: Resource) -> Any:
        made.append(Hanging(resource))
        return made[-1]

    said = {**MAIN, "adapter": "hanging"}
    bus = MessageBus(
        estate(clusters=[said], topics=[{"name": "t", "clusters": ["main"]}]), PLACE, adapters={"hanging": make}
    )
    async with bus:
        began = asyncio.get_running_loop().time()
        sent = await asyncio.gather(*(bus.send("t", number) for number in range(100)), return_exceptions=True)
        assert {type(one) for one in sent} == {messaging_errors.BrokerAwayError}
        assert asyncio.get_running_loop().time() - began < 5
        assert made[0].asked == 1
        with pytest.raises(messaging_errors.BrokerAwayError, match=r"within 0\.05 s"):
            await bus.send("t", 1, deadline=0.05)


async def test_a_bus_that_was_closed_is_not_opened_again(rig: Rig) -> None:
    bus = await rig.bus()
    with pytest.raises(errors.ConflictError, match="open already"):
        await bus.open()
    await bus.close()
    with pytest.raises(errors.ConflictError, match="make another"):
        await bus.open()


async def test_a_handler_whose_own_work_is_cancelled_fails_and_no_key_is_stuck(rig: Rig) -> None:
    topic = rig.topic()
    bus = await rig.bus(topic)
    seen: list[tuple[int, int]] = []

    async def take(body: int, context: Context) -> None:
        seen.append((body, context.attempt))
        if (body, context.attempt) == (1, 1):
            raise asyncio.CancelledError

    bus.subscribe(topic.name, order="key", retry=RetryPolicy(first=0.02))(take)
    await rig.joined(bus, topic)
    for number in range(3):
        await bus.send(topic.name, number, key="k")
    await rig.until(lambda: len(seen) == 4)
    assert seen == [(0, 1), (1, 1), (1, 2), (2, 1)]


async def test_a_dead_letter_that_cannot_be_sent_keeps_its_message(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = rig.topic(max_body=100)
    monkeypatch.setattr(consuming, "BURY_AGAIN_SECONDS", 0.05)
    bus = await rig.bus(topic)
    attempts: list[int] = []
    refused: list[Any] = []

    async def refuse(frame: Any) -> SendOutcome:
        refused.append(frame)
        return SendOutcome(verdict="refused" if len(refused) < 3 else "accepted")

    async def take(_body: int, context: Context) -> None:
        attempts.append(context.attempt)
        raise ValueError("never")

    bus.subscribe(topic.name, retry=RetryPolicy(attempts=1))(take)
    await rig.joined(bus, topic)
    (consumer,) = bus.consumers(topic.name)
    monkeypatch.setattr(consumer, "_ways", consumer._ways._replace(bury=refuse))
    await bus.send(topic.name, 1)
    await rig.until(lambda: len(refused) == 3)
    assert attempts == [1, 2, 3]
    for _ in range(100):
        if (await bus.lag(topic.name)).messages == 0:
            break
        await asyncio.sleep(0.02)
    assert (await bus.lag(topic.name)).messages == 0


async def test_what_is_sent_and_consumed_is_counted(rig: Rig) -> None:
    bus, topic, taker = await rig.taking(rig.topic(), retry=RetryPolicy(attempts=1))

    async def refuse(_body: Any) -> None:
        raise ValueError

    bus.subscribe(topic.name, group="refusing", retry=RetryPolicy(attempts=2, first=0.01, jitter=0))(refuse)
    await rig.joined(bus, topic, "refusing")
    await bus.send_many([Message(topic=topic.name, body=number) for number in range(5)])
    await rig.until(lambda: len(taker.bodies) == 5)
    broker = "main/one"

    def consumed(group: str, outcome: str) -> float:
        labels = {"broker": broker, "topic": topic.name, "group": group, "outcome": outcome}
        return observe.METER.counter(counting.CONSUMED, "", **labels).read()[0]

    assert observe.METER.counter(counting.SENT, "", broker=broker, topic=topic.name, outcome="accepted").read()[0] == 5
    await rig.until(lambda: consumed("order", "done") == 5)
    await rig.until(lambda: (consumed("refusing", "again"), consumed("refusing", "dead")) == (5, 5))
    gauge = observe.METER.gauge(counting.IN_HAND, "", broker=broker, topic=topic.name, group="order")
    await rig.until(lambda: gauge.read()[0] == 0)
