"""Dead letters on each broker: what dies is collected, and goes again, edited, to the group in which it died alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from qiantang.kernel import ids, plugins
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.model import (
    Context,
    Dead,
    DeadLetter,
    DeadLetterSettings,
    Estate,
    Frame,
    Resource,
    RetryPolicy,
    Store,
    Topic,
)
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


async def put(rig: Rig, topic: Topic, body: bytes) -> None:
    """Send as another program does, which no limit of the estate's concerns."""
    broker = plugins.load(plugins.adapters("messaging"), rig.cluster.adapter)(rig.cluster.resources[0])
    await broker.open()
    try:
        await broker.ensure(topic)
        (outcome,) = await broker.send([Frame(topic=topic.name, id=topic.name, body=body)])
        assert outcome.verdict == "accepted", outcome
    finally:
        await broker.close()


async def test_a_message_of_others_near_the_limit_of_its_topic_becomes_a_dead_letter(collecting: CollectingRig) -> None:
    """Also where what died first in its group was of a topic that takes less."""
    rig = collecting
    small, large = rig.topic(), rig.topic(max_body=3 * 1024 * 1024)
    group = f"billing-{small.name}"
    bus = await rig.bus(small, large)

    def die(body: bytes) -> Dead:
        return Dead("no" * 2000)

    for topic in (small, large):
        bus.subscribe(topic.name, group=group)(die)
        await rig.joined(bus, topic, group)
    sizes = {topic.name: topic.max_body + 64 * 1024 - 300 for topic in (small, large)}
    for topic in (small, large):
        await put(rig, topic, b"x" * sizes[topic.name])
        while not (found := await bus.dead_letters(topic=topic.name)):
            await asyncio.sleep(0.05)
        frame = (await bus.dead_letter(found[0].number)).frame
        assert frame is not None
        assert frame.body == b"x" * sizes[topic.name]


async def test_one_that_the_store_refuses_lies_aside_for_who_asks_for_it(
    collecting: CollectingRig, tmp_path: Path
) -> None:
    rig = collecting
    topic = rig.topic()
    group = f"billing-{topic.name}"
    bus = await rig.bus(topic)
    bus.subscribe(topic.name, group=group)(lambda _body: Dead("no"))
    await rig.joined(bus, topic, group)
    await bus.send(topic.name, 0, id="first")
    while not await bus.dead_letters():
        await asyncio.sleep(0.05)
    store = Database(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    await store.open()
    rule = "create trigger no before insert on mf_dead when new.id = 'bad' begin select raise(abort, 'no'); end"
    await store.write(lambda connection: connection.execute(sa.text(rule)))
    await store.close()
    await bus.send(topic.name, {"n": 1}, id="bad", key="k", headers={"h": "v"})
    await bus.send(topic.name, 2, id="good")
    while len(await bus.dead_letters()) < 2:
        await asyncio.sleep(0.05)
    aside, taker = Topic(name="dead.mf-dead", clusters=["main"]), Taker()
    reading = await rig.bus(aside)
    reading.subscribe(aside.name, group="mf-dead")(taker)
    await rig.until(lambda: bool(taker.bodies))
    (context,) = taker.contexts
    assert (taker.bodies, context.id, context.key, context.headers["h"]) == ([{"n": 1}], "bad", "k", "v")
    assert context.died is not None
    assert (context.died.topic, context.died.group, context.died.error) == (topic.name, group, "no")
