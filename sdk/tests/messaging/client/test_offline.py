"""Offline: brokers that go away and come back lose nothing, and what waited keeps the order of its keys."""

from __future__ import annotations

import asyncio
import functools
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors, ids
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging import testing
from qiantang.messaging.adapters.memory import MemoryBroker, space_of
from qiantang.messaging.client import MessageBus, offline
from qiantang.messaging.model import Cluster, Context, Estate, Message, OfflineStore, Resource, RetryPolicy, Topic
from qiantang.messaging.port import SendOutcome
from qiantang.messaging.testing import PLACE, Taker

until = functools.partial(testing.until, seconds=20.0)

MISSING = {"messaging.broker_away", "messaging.outcome_unknown"}


class Estates:
    """Buses over brokers in memory that can be taken away."""

    def __init__(self, folder: Path, brokers: int) -> None:
        self.urls = [f"memory://{ids.ordered_id()}" for _ in range(brokers)]
        self.spaces = [space_of(url) for url in self.urls]
        self.folder = folder
        self.buses: list[MessageBus] = []

    def away(self, *numbers: int) -> None:
        """Have these brokers be away, and the others back."""
        for number, space in enumerate(self.spaces):
            space.away = number in numbers

    async def bus(self, **more: Any) -> MessageBus:
        resources = [Resource(name=f"r{number}", url=url) for number, url in enumerate(self.urls)]
        estate = Estate(
            clusters=[Cluster(name="main", adapter="memory", resources=resources)],
            topics=[Topic(name="orders", clusters=["main"])],
            offline=OfflineStore(folder=str(self.folder)),
        )
        bus = MessageBus(estate, PLACE, **more)
        await bus.open()
        self.buses.append(bus)
        return bus

    async def taking(self) -> Taker:
        """Have a bus of its own take what arrives, in order of its keys."""
        bus, taker = await self.bus(), Taker()
        bus.subscribe("orders", group="taking", order="key", retry=RetryPolicy(first=0.01))(taker)
        await until(lambda: all(one.joined for one in bus.consumers("orders", "taking")))
        return taker


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "AGAIN_FIRST", 0.02)
    monkeypatch.setattr(offline, "AGAIN_LONGEST", 0.05)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Estates]:
    made = Estates(tmp_path, 1)
    yield made
    for bus in made.buses:
        await bus.close()


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Estates]:
    made = Estates(tmp_path, 2)
    yield made
    for bus in made.buses:
        await bus.close()


def first_of_each(taker: Taker) -> dict[str, list[int]]:
    """Give the bodies by key, in the order in which they first came."""
    found: dict[str, list[int]] = defaultdict(list)
    seen: set[str] = set()
    for body, context in zip(taker.bodies, taker.contexts, strict=True):
        if context.id not in seen:
            seen.add(context.id)
            found[context.key].append(body)
    return found


async def test_what_is_sent_while_the_broker_is_away_arrives_in_order_once_it_is_back(one: Estates) -> None:
    taker = await one.taking()
    bus = await one.bus()
    assert (await bus.send("orders", 0, key="k")).outcome == "accepted"
    one.away(0)
    outcomes = [(await bus.send("orders", number, key="k")).outcome for number in range(1, 40)]
    assert set(outcomes) == {"spooled"}
    assert bus.spooled() == {"main/r0": 39}
    one.away()
    sent = await bus.send_many([Message(topic="orders", body=number, key="k") for number in range(40, 60)])
    assert all(each.ok for each in sent)
    await until(lambda: len(taker.bodies) >= 60)
    assert first_of_each(taker) == {"k": list(range(60))}
    await until(lambda: bus.spooled() == {"main/r0": 0})
    assert (await bus.send("orders", 60, key="k")).outcome == "accepted"


async def test_a_process_that_begins_while_the_broker_is_away_keeps_what_it_is_given(one: Estates) -> None:
    taker = await one.taking()
    one.away(0)
    bus = await one.bus()
    assert [(await bus.send("orders", number, key="k")).outcome for number in range(3)] == ["spooled"] * 3
    one.away()
    await until(lambda: taker.bodies == [0, 1, 2])


async def test_what_a_process_left_is_sent_by_the_next_before_what_is_new(one: Estates) -> None:
    taker = await one.taking()
    bus = await one.bus()
    one.away(0)
    for number in range(10):
        await bus.send("orders", number, key="k")
    await bus.close()
    assert taker.bodies == []
    following = await one.bus()
    sent = [(await following.send("orders", number, key="k")).outcome for number in range(10, 15)]
    assert set(sent) == {"spooled"}, "older ones of the key wait"
    one.away()
    await until(lambda: len(taker.bodies) >= 15)
    assert first_of_each(taker) == {"k": list(range(15))}
    await following.close()
    for each in one.buses:
        await each.close()
    assert list(one.folder.iterdir()) == [], "nothing is left of what was sent"


async def test_without_a_key_another_broker_takes_it(two: Estates) -> None:
    taker = await two.taking()
    bus = await two.bus()
    two.away(0)
    sent = [await bus.send("orders", number) for number in range(20)]
    assert all(each.ok for each in sent)
    assert sum(each.outcome == "accepted" for each in sent) >= 19, "one is enough to know that a broker is away"
    two.away()
    await until(lambda: sorted(set(taker.bodies)) == list(range(20)))


async def test_brokers_go_and_come_in_every_order_and_nothing_is_lost(two: Estates) -> None:
    chance = random.Random(7)
    taker = await two.taking()
    bus = await two.bus()
    sent: dict[str, list[int]] = defaultdict(list)
    number = 0
    for away in [(), (0,), (0, 1), (1,), (), (1,), (0, 1), (0,), ()]:
        two.away(*away)
        for _ in range(60):
            key = f"k{chance.randrange(6)}"
            assert (await bus.send("orders", number, key=key)).ok
            sent[key].append(number)
            number += 1
            if chance.random() < 0.1:
                await asyncio.sleep(0.01)
    await until(lambda: len({each.id for each in taker.contexts}) == number)
    assert first_of_each(taker) == sent


async def test_it_is_switched_off_and_on_by_hand(one: Estates) -> None:
    taker = await one.taking()
    bus = await one.bus()
    bus.switch("main", "r0", on=False)
    assert (await bus.send("orders", 1, key="k")).outcome == "spooled"
    await asyncio.sleep(0.3)
    assert taker.bodies == [], "the broker is there, and is not asked"
    bus.switch("main", "r0", on=True)
    await until(lambda: taker.bodies == [1])
    await until(lambda: bus.spooled() == {"main/r0": 0})
    assert (await bus.send("orders", 2, key="k")).outcome == "accepted"
    with pytest.raises(errors.NotFoundError):
        bus.switch("main", "nobody", on=True)


class Doubting:
    """Stands before a broker in memory; while it doubts, it takes messages and says that it does not know."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.doubts = False
        self.refuses: errors.QiantangError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def send(self, frames: Sequence[Any]) -> Sequence[SendOutcome]:
        if self.refuses is not None and frames[0].topic == "orders":
            return [SendOutcome.refused(self.refuses)] * len(frames)
        outcomes = await self._inner.send(frames)
        if not self.doubts:
            return outcomes
        self.doubts = False
        return [SendOutcome.unknown(messaging_errors.OutcomeUnknownError("no answer"))] * len(frames)


def doubting(bus: MessageBus) -> Doubting:
    """Have the bus's only broker answer as it is told."""
    link = bus._ground.all_links()[0]
    made = Doubting(link.broker)
    link.broker = made  # type: ignore[assignment]
    return made


async def test_what_was_not_answered_is_sent_again_under_its_id(one: Estates) -> None:
    taker = await one.taking()
    bus = await one.bus()
    await bus.send("orders", 0, key="k")
    doubting(bus).doubts = True
    sent = await bus.send("orders", 1, key="k")
    assert sent.outcome == "spooled"
    await bus.send("orders", 2, key="k")
    await until(lambda: len(taker.bodies) >= 4)
    assert first_of_each(taker) == {"k": [0, 1, 2]}
    assert [each.id for each in taker.contexts].count(sent.id) == 2


@pytest.mark.parametrize("stored", [True, False])
async def test_a_broker_that_does_not_say_whether_it_has_the_topic_is_away(
    one: Estates, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """It was lost while it made the topic, which is asked for again: no message is refused for that."""
    bus = await one.bus()
    link, ensure, asked = bus._ground.all_links()[0], MemoryBroker.ensure, 0
    if not stored:
        link.go(None)

    async def ensure_at_second(broker: MemoryBroker, *args: Any) -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise messaging_errors.OutcomeUnknownError("no answer to the commit")
        await ensure(broker, *args)

    monkeypatch.setattr(MemoryBroker, "ensure", ensure_at_second)
    if stored:
        assert (await bus.send("orders", 1, key="k")).ok
    else:
        with pytest.raises(messaging_errors.BrokerAwayError, match="did not say whether it has orders"):
            await bus.send("orders", 1, key="k")
    taker = await one.taking()
    await bus.send("orders", 2, key="k")
    await until(lambda: taker.bodies[-1:] == [2])


async def test_what_its_broker_refuses_for_good_is_a_dead_letter_and_others_go_on(one: Estates) -> None:
    bus = await one.bus()
    letters: list[Context] = []
    reading = MessageBus(
        Estate(
            clusters=[Cluster(name="main", adapter="memory", resources=[Resource(name="r0", url=one.urls[0])])],
            topics=[Topic(name="dead.order", clusters=["main"], queues=1)],
        ),
        PLACE,
    )
    await reading.open()
    one.buses.append(reading)

    @reading.subscribe("dead.order", group="reading")
    async def read(_body: Any, context: Context) -> None:
        letters.append(context)

    await until(lambda: reading.consumers("dead.order", "reading")[0].joined)
    await bus.send("orders", 0, key="k")
    one.away(0)
    sent = await bus.send("orders", 1, key="k")
    doubting(bus).refuses = messaging_errors.SendForbiddenError("not any more")
    one.away()
    await until(lambda: len(letters) == 1)
    assert letters[0].id == sent.id
    died = letters[0].died
    assert died is not None
    assert (died.topic, died.group) == ("orders", "order")
    assert "not any more" in died.error
    await until(lambda: bus.spooled() == {"main/r0": 0})


async def test_a_full_store_is_a_clear_error_and_nothing_else_is_lost(one: Estates) -> None:
    taker = await one.taking()
    estate = Estate(
        clusters=[Cluster(name="main", adapter="memory", resources=[Resource(name="r0", url=one.urls[0])])],
        topics=[Topic(name="orders", clusters=["main"])],
        offline=OfflineStore(folder=str(one.folder), max_bytes=1024 * 1024),
    )
    bus = MessageBus(estate, PLACE)
    await bus.open()
    one.buses.append(bus)
    one.away(0)
    body = "x" * 100_000
    sent = await bus.send_many([Message(topic="orders", body=body, key=f"{number}") for number in range(4)])
    assert {each.outcome for each in sent} == {"spooled"}
    kept = 4
    with pytest.raises(messaging_errors.SpoolFullError, match="were not taken"):
        for _ in range(20):
            await bus.send("orders", body, key="more")
            kept += 1
    one.away()
    await until(lambda: len(taker.bodies) == kept)


async def test_a_full_store_is_said_with_what_the_broker_said_before(
    one: Estates, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate = Estate(
        clusters=[Cluster(name="main", adapter="memory", resources=[Resource(name="r0", url=one.urls[0])])],
        topics=[Topic(name="orders", clusters=["main"], max_body=4 * 1024 * 1024)],
        offline=OfflineStore(folder=str(one.folder), max_bytes=1024 * 1024),
    )
    for verdict, kind in (
        ("refused", messaging_errors.SpoolFullError),
        ("unknown", messaging_errors.OutcomeUnknownError),
    ):
        bus = MessageBus(estate, PLACE)
        await bus.open()
        one.buses.append(bus)
        assert (await bus.send("orders", "x")).outcome == "accepted"
        reason: errors.QiantangError = messaging_errors.BrokerAwayError("it has no leader")
        if verdict == "unknown":
            reason = messaging_errors.OutcomeUnknownError("it has no leader")
        answer = SendOutcome(verdict=verdict, error=reason)
        with monkeypatch.context() as failing:
            failing.setattr(one.spaces[0], "send", lambda frames, answer=answer: [answer] * len(frames))
            with pytest.raises(kind) as raised:
                await bus.send("orders", "x" * 2 * 1024 * 1024)
        assert "may have 1048576" in str(raised.value)
        assert "it has no leader" in str(raised.value)
        assert bus.spooled() == {"main/r0": 0}


async def test_without_an_offline_store_a_switch_says_what_is_missing() -> None:
    estate = msgspec.convert(
        {"clusters": [{"name": "main", "adapter": "memory", "resources": [{"name": "one", "url": "memory://none"}]}]},
        Estate,
    )
    async with MessageBus(estate, PLACE) as bus:
        with pytest.raises(messaging_errors.FeatureMissingError, match="offline"):
            bus.switch("main", "one", on=False)
        assert bus.spooled() == {}


async def test_a_store_of_a_dead_process_that_cannot_be_opened_keeps_nobody_from_starting(one: Estates) -> None:
    taker = await one.taking()
    orphan = one.folder / "dead" / "main%2Fr0"
    orphan.mkdir(parents=True)
    (orphan.parent / "lock").touch()
    (orphan / "0000000001.spool").mkdir()
    bus = await one.bus()
    await bus.send("orders", 1, key="k")
    await until(lambda: taker.bodies == [1])
    assert orphan.exists()
