"""Interceptors and hooks: who sees which message, in which order, and that their faults stay theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

from qiantang.kernel import ids, scope
from qiantang.messaging.errors import InvalidMessageError
from qiantang.messaging.model import Context, Message, Resource, Sent, Subscription, Topic
from qiantang.messaging.testing import Rig

FINANCE = scope.Scope(tenant="acme", environment="test", center="finance", application="billing")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig("memory", Resource(name="one", url=f"memory://{ids.ordered_id()}"))
    yield made
    await made.close()


class Sends:
    """Adds its name to a header, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[str] = []

    def before_send(self, message: Message[Any]) -> Message[Any]:
        seen = str(message.headers.get("seen", ""))
        return msgspec.structs.replace(message, headers={**message.headers, "seen": seen + self.name})

    def after_send(self, message: Message[Any], sent: Sent) -> None:
        self.told.append(sent.outcome)


class Consumes:
    """Doubles the body, and notes what became of it."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, str]] = []

    async def before_consume(self, body: Any, context: Context) -> Any:
        if body == 0:
            raise ValueError("nothing to double")
        return body * 2

    def after_consume(self, context: Context, error: BaseException | str | None) -> None:
        self.told.append((context.attempt, str(error or "done")))
        raise RuntimeError("of no account")


async def test_of_all_of_a_topic_and_of_a_center(rig: Rig) -> None:
    one, other = rig.topic(), rig.topic()
    everywhere, topical, central = Sends("e"), Sends("t"), Sends("c")
    bus = await rig.bus(one, other, interceptors=[everywhere])
    bus.intercept(topical, topics=[one.name])
    bus.intercept(central, centers=["finance"])
    seen: dict[str, str] = {}

    async def take(_body: Any, context: Context) -> None:
        seen[f"{context.center} {context.topic}"] = str(context.headers.get("seen", ""))

    for topic in (one, other):
        bus.subscribe(topic.name)(take)
        await rig.joined(bus, topic)
        await bus.send(topic.name, 1)
    far = await rig.bus(one, other, place=FINANCE)
    far.intercept(central, centers=["finance"])
    await far.send(one.name, 1)
    await rig.until(lambda: len(seen) == 3)
    assert seen == {f"trade {one.name}": "et", f"trade {other.name}": "e", f"finance {one.name}": "c"}
    assert (everywhere.told, topical.told, central.told) == (["accepted"] * 2, ["accepted"], ["accepted"])


async def test_consumed_messages_are_changed_and_followed(rig: Rig) -> None:
    topic = rig.topic()
    inside, elsewhere = Consumes(), Consumes()
    bus = await rig.bus(topic)
    bus.intercept(inside, topics=[topic.name], centers=["trade"])
    bus.intercept(elsewhere, centers=["finance"])
    taken: list[int] = []

    @bus.subscribe(
        topic.name,
        retry=msgspec.convert({"attempts": 2, "first": 0.01}, type(Subscription(group="g", topic="t").retry)),
    )
    def take(body: int) -> None:
        taken.append(body)
        if body == 8:
            raise KeyError("eight")

    await rig.joined(bus, topic)
    for body in (1, 4, 0):
        await bus.send(topic.name, body)
    await rig.until(lambda: len(inside.told) == 3)
    assert sorted(taken) == [2, 8, 8]
    assert sorted(inside.told) == [(1, "'eight'"), (1, "done"), (2, "'eight'")]
    assert elsewhere.told == []


async def test_a_refusal_before_sending_is_the_senders(rig: Rig) -> None:
    class Refuses(Sends):
        def before_send(self, message: Message[Any]) -> Message[Any]:
            raise InvalidMessageError("not today")

    topic = rig.topic()
    refuses = Refuses("r")
    bus = await rig.bus(topic, interceptors=[refuses])
    with pytest.raises(InvalidMessageError, match="not today"):
        await bus.send(topic.name, 1)
    assert refuses.told == ["refused"]


def test_what_is_none_is_refused(rig: Rig) -> None:
    with pytest.raises(TypeError, match="neither"):
        rig.made().intercept(cast("Any", object()))


async def test_a_warm_up_comes_before_the_first_message_and_again_until_it_succeeds(rig: Rig) -> None:
    topic = rig.topic()
    happened: list[str] = []
    bus = await rig.bus(topic)

    @bus.warm_up
    async def warm(subscription: Subscription) -> None:
        happened.append(f"warm {subscription.group}")
        if len(happened) == 1:
            raise ConnectionError("the pool is not there yet")

    @bus.subscribe(topic.name)
    async def take(_body: int) -> None:
        happened.append("message")

    await bus.send(topic.name, 0)
    await rig.joined(bus, topic)
    await bus.send(topic.name, 1)
    await rig.until(lambda: "message" in happened)
    assert happened[:3] == ["warm order", "warm order", "message"]


async def test_a_producer_hook_adds_headers_once_for_a_topic(rig: Rig) -> None:
    topic = rig.topic()
    asked: list[str] = []
    bus = await rig.bus(topic)

    @bus.on_producer
    def hook(topic: Topic) -> dict[str, str]:
        asked.append(topic.name)
        return {"region": "hz", "kept": "hook"}

    seen: list[dict[str, Any]] = []

    @bus.subscribe(topic.name)
    async def take(_body: int, context: Context) -> None:
        seen.append(dict(context.headers))

    await rig.joined(bus, topic)
    for number in range(2):
        await bus.send(topic.name, number, headers={"kept": "message"})
    await rig.until(lambda: len(seen) == 2)
    assert asked == [topic.name]
    assert seen == [{"region": "hz", "kept": "message"}] * 2
