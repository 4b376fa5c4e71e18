"""Dead letters on each broker: what dies is collected, and goes again, edited, to the group in which it died alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qiantang.kernel import ids
from qiantang.messaging.model import Context, DeadLetter, DeadLetterSettings, Estate, Resource, RetryPolicy, Store
from qiantang.messaging.testing import Rig, Taker

ADDRESSES: dict[str, tuple[str, Any]] = {
    "memory": ("", lambda _: f"memory://{ids.ordered_id()}"),
    "sql": ("tmp_path", lambda folder: f"sqlite:///{folder / 'broker.sqlite3'}"),
    "kafka": ("kafka_server", lambda server: f"kafka://{server.hosts}"),
    "rabbitmq": ("rabbitmq_url", lambda url: url),
    "activemq": ("activemq_server", lambda server: server.address()),
    "rocketmq": ("rocketmq_server", lambda server: f"rocketmq://{server.names.hosts}"),
}
SERVERS = ("kafka", "rabbitmq", "activemq", "rocketmq")


class CollectingRig(Rig):
    """A broker whose dead letters are collected."""

    def estate(self, *topics: Any) -> Estate:
        return msgspec.structs.replace(super().estate(*topics), dead_letters=DeadLetterSettings())


@pytest.fixture(params=["memory", "sql", *(pytest.param(name, marks=getattr(pytest.mark, name)) for name in SERVERS)])
async def collecting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CollectingRig]:
    fixture, address = ADDRESSES[request.param]
    url = address(request.getfixturevalue(fixture) if fixture else None)
    store = Store(url=f"sqlite:///{tmp_path / 'store.sqlite3'}")
    made = CollectingRig(request.param, Resource(name="one", url=url), store)
    yield made
    await made.close()


async def test_what_dies_is_collected_and_sent_again_edited_to_its_group_alone(collecting: CollectingRig) -> None:
    rig = collecting
    topic = rig.topic(queues=2)
    billing, shipping = f"billing-{topic.name}", f"shipping-{topic.name}"
    bus, billed, shipped = await rig.bus(topic), Taker(), Taker()

    async def bill(body: dict[str, int], context: Context) -> None:
        if body["n"] < 0:
            raise ValueError(f"cannot bill {body['n']}")
        await billed(body, context)

    bus.subscribe(topic.name, group=billing, order="key", retry=RetryPolicy(attempts=2, first=0.05))(bill)
    bus.subscribe(topic.name, group=shipping)(shipped)
    for group in (billing, shipping):
        await rig.joined(bus, topic, group)
    await bus.send(topic.name, {"n": -1}, id="bad", key="k", tag="new", headers={"h": "v", "b": b"\0\xff"})
    await bus.send(topic.name, {"n": 1}, id="good", key="k")
    found: list[DeadLetter] = []

    async def collected() -> bool:
        found[:] = await bus.dead_letters(topic=topic.name)
        return bool(found)

    while not await collected():
        await asyncio.sleep(0.05)
    (letter,) = found
    assert (letter.id, letter.group, letter.key, letter.tag) == ("bad", billing, "k", "new")
    assert (letter.attempts, letter.error, letter.was_refused) == (2, "ValueError: cannot bill -1", False)
    await rig.until(lambda: len(shipped.bodies) == 2 and len(billed.bodies) == 1)

    sent = await bus.resend(letter.number, body={"n": 2}, by="li", reason="a slip")
    assert (sent.id, sent.ok) == ("bad", True)
    await rig.until(lambda: billed.bodies == [{"n": 1}, {"n": 2}], billed.bodies)
    context = billed.contexts[1]
    assert (context.id, context.key, context.tag, context.group) == ("bad", "k", "new", billing)
    assert dict(context.headers) == {"h": "v", "b": b"\0\xff"}
    await bus.send(topic.name, {"n": 3}, key="k")
    await rig.until(lambda: len(shipped.bodies) == 3, shipped.bodies)
    assert {"n": 2} not in shipped.bodies, "the others had it"
    assert await bus.dead_letters(topic=topic.name) == []
    (action,) = await bus.dead_history(topic=topic.name)
    assert (action.what, action.by, action.changed, action.letter.id) == ("resent", "li", ["body"], "bad")
    while (await bus.lag(topic.name, shipping)).messages and rig.cluster.adapter != "activemq":  # which does not tell
        await asyncio.sleep(0.05)
