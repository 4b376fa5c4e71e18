"""Failures that are written down: what of them, where nobody can write for a while, and what is shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors, ids
from qiantang.messaging import errors as messaging_errors
from qiantang.messaging.adapters.memory import space_of
from qiantang.messaging.client import MessageBus, failing
from qiantang.messaging.model import (
    Cluster,
    Estate,
    Failure,
    FailureLog,
    FailureRule,
    Message,
    Resource,
    RetryPolicy,
    Sent,
    Store,
    Topic,
)
from qiantang.messaging.testing import PLACE


class Place:
    """A broker in memory and a store in a file."""

    def __init__(self, folder: Path) -> None:
        self.url = f"memory://{ids.ordered_id()}"
        self.file = folder / "store.sqlite3"
        self.buses: list[MessageBus] = []

    def estate(self, failures: FailureLog | None) -> Estate:
        return Estate(
            clusters=[Cluster(name="main", adapter="memory", resources=[Resource(name="one", url=self.url)])],
            topics=[Topic(name=name, clusters=["main"]) for name in ("orders", "loud")],
            store=Store(url=f"sqlite:///{self.file}"),
            failures=failures,
        )

    async def bus(self, failures: FailureLog | None) -> MessageBus:
        bus = MessageBus(self.estate(failures), PLACE)
        await bus.open()
        self.buses.append(bus)
        return bus


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    yield made
    for bus in made.buses:
        await bus.close()


async def written(bus: MessageBus, count: int, **more: Any) -> list[Failure]:
    """Give the failures once there are so many."""
    ends = time.monotonic() + 20
    while len(found := await bus.failures(**more)) < count:
        assert time.monotonic() < ends, found
        await asyncio.sleep(0.05)
    return found


async def test_a_send_that_fails_is_kept_whole(place: Place) -> None:
    bus = await place.bus(FailureLog())
    space_of(place.url).away = True
    with pytest.raises(messaging_errors.BrokerAwayError):
        await bus.send("orders", {"n": 1}, key="k", tag="new", headers={"h": "v"}, id="one")
    many = await bus.send_many(
        [Message(topic="orders", body=2, id="two"), Message(topic="nowhere", body=3, id="three")]
    )
    assert [one.ok for one in many] == [False, False]
    three, two, one = await written(bus, 3)
    assert (one.kind, one.outcome, one.id, one.topic, one.key, one.tag) == (
        "send",
        "refused",
        "one",
        "orders",
        "k",
        "new",
    )
    assert (one.center, one.application, one.member) == (PLACE.center, PLACE.application, bus.member)
    assert one.code == "messaging.broker_away"
    assert "away" in one.error
    assert one.frame is not None
    assert one.frame.body == b'{"n":1}'
    assert one.frame.text["h"] == "v"
    assert two.frame is not None
    assert (three.topic, three.code, three.frame) == ("nowhere", "messaging.unknown_topic", None)
    assert abs(one.at - time.time()) < 60


async def test_a_blocking_send_that_fails_is_kept_too(place: Place) -> None:
    bus = await place.bus(FailureLog(bodies=False))
    space_of(place.url).away = True
    with pytest.raises(messaging_errors.BrokerAwayError):
        await asyncio.to_thread(bus.sync.send, "orders", 1, id="one")
    with pytest.raises(messaging_errors.UnknownTopicError):
        await asyncio.to_thread(bus.sync.send, "nowhere", 1, id="two")
    two, one = await written(bus, 2)
    assert (one.id, two.id, one.frame) == ("one", "two", None)


async def test_each_handling_that_fails_is_written_down_with_what_became_of_it(place: Place) -> None:
    bus = await place.bus(FailureLog())

    @bus.subscribe("orders", group="g", retry=RetryPolicy(attempts=2, first=0.01))
    async def handle(_body: int) -> None:
        raise ValueError("never \0 \ud800")

    await bus.send("orders", 1, id="one", key="k")
    dead, again = await written(bus, 2, kind="consume")
    assert [(one.outcome, one.attempt, one.group, one.id, one.key) for one in (again, dead)] == [
        ("again", 1, "g", "one", "k"),
        ("dead", 2, "g", "one", "k"),
    ]
    assert again.error == "ValueError: never \ufffd ?"
    assert "in handle" in again.stack
    assert (again.center, again.frame, again.code) == (PLACE.center, None, "")


async def test_only_what_the_rules_say_is_written_down_and_they_change_while_it_runs(place: Place) -> None:
    bus = await place.bus(FailureLog(rules=[FailureRule(topic="loud")]))
    space_of(place.url).away = True
    for topic in ("orders", "loud"):
        with pytest.raises(errors.QiantangError):
            await bus.send(topic, 1, id=topic)
    assert [one.id for one in await written(bus, 1)] == ["loud"]
    await bus.change(place.estate(None))
    with pytest.raises(errors.QiantangError):
        await bus.send("loud", 1, id="nobody writes")
    await bus.change(place.estate(FailureLog(rules=[FailureRule(center="elsewhere"), FailureRule(consume=False)])))
    with pytest.raises(errors.QiantangError):
        await bus.send("orders", 1, id="again")
    assert [one.id for one in await written(bus, 2)] == ["again", "loud"]


class Slow:
    """A store that has what it is given before it says so."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    async def open(self) -> None: ...

    async def note(self, noted: Sequence[Failure], keep_seconds: float) -> None:
        del keep_seconds
        self.noted += [one.id for one in noted]
        await asyncio.sleep(0.3)


async def test_what_is_being_written_down_when_the_rules_change_is_written_once() -> None:
    store: Any = Slow()
    failures = failing.Failures("bank", "till", "m", time.time)
    await failures.change(FailureLog(), store)
    error = messaging_errors.BrokerAwayError("away")
    failures.sent(Message(topic="orders", body=1, id="one"), Sent(id="one", outcome="refused", error=error), None)
    async with asyncio.timeout(30):
        while not store.noted:
            await asyncio.sleep(0.01)
    failures.sent(Message(topic="orders", body=1, id="two"), Sent(id="two", outcome="refused", error=error), None)
    await failures.change(None, None)
    assert store.noted == ["one", "two"]


async def test_pages_and_filters(place: Place) -> None:
    bus = await place.bus(FailureLog())
    await bus.send_many([Message(topic="nowhere", body=1, id=f"{number}") for number in range(7)])
    await bus.send_many([Message(topic="orders", body=object(), id="other")])
    await written(bus, 8)
    first = await bus.failures(topic="nowhere", count=4)
    second = await bus.failures(topic="nowhere", count=4, before=first[-1].number)
    assert [one.id for one in first + second] == [f"{number}" for number in reversed(range(7))]
    assert await bus.failures(kind="consume") == []


async def test_where_the_store_is_away_they_wait_within_bounds(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "MOST", 50)
    monkeypatch.setattr(failing, "AGAIN_SECONDS", 0.05)
    place.file.mkdir()
    bus = await place.bus(FailureLog())
    await bus.send_many([Message(topic="nowhere", body=1, id=f"{number}") for number in range(80)])
    await asyncio.sleep(0.5)
    place.file.rmdir()
    found = await written(bus, 50)
    assert [one.id for one in found] == [f"{number}" for number in reversed(range(30, 80))], "the oldest went"


async def test_what_waits_is_written_down_at_the_end(place: Place) -> None:
    bus = await place.bus(FailureLog())
    await bus.send_many([Message(topic="nowhere", body=1, id=f"{number}") for number in range(300)])
    await bus.close()
    other = await place.bus(None)
    assert len(await other.failures(count=1000)) == 300


async def test_what_is_old_is_removed(place: Place) -> None:
    bus = MessageBus(place.estate(FailureLog(keep_days=1)), PLACE, now=lambda: time.time() - 2 * 86400)
    async with bus:
        await bus.send_many([Message(topic="nowhere", body=1, id="old")])
    bus = await place.bus(FailureLog(keep_days=1))
    await bus.send_many([Message(topic="nowhere", body=1, id="new")])
    ends = time.monotonic() + 20
    while [one.id for one in await bus.failures()] != ["new"]:
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)


async def test_without_a_store_there_is_no_place_for_them(place: Place) -> None:
    bare = msgspec.structs.replace(place.estate(FailureLog()), store=None)
    with pytest.raises(errors.MisconfiguredError, match="give it `store`"):
        MessageBus(bare, PLACE)
    bus = MessageBus(msgspec.structs.replace(bare, failures=None), PLACE)
    async with bus:
        with pytest.raises(messaging_errors.FeatureMissingError, match="give it `store`"):
            await bus.failures()
