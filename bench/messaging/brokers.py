"""Brokers: messages of 1 KB through RabbitMQ and ActiveMQ, from the first send until the last is handled and settled: ours, and the
client library that ours stands on, used directly.

All of them send 500 at a time and consume in the same process and event loop, each round on new queues, after one batch that is not
timed. Rounds are interleaved, and each contender's best counts: what disturbs a round only adds to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import uvloop

from bench.figures import Value, rounded
from bench.messaging import broker_peers
from bench.messaging.sql import BATCH, PLACE, TEXT
from bench.messaging.sql_peers import Handled, timed
from qiantang.messaging import Cluster, Estate, Message, MessageBus, Resource, Topic
from tests.servers.activemq import PASSWORD, USER, ActiveMQ
from tests.servers.process import HOST
from tests.servers.rabbitmq import RabbitMQ

MESSAGES = 4_000
ROUNDS = 3

Found = tuple[float, float]
"""Messages per second: sent alone while consumers run, and from the first send to the last message settled."""


def measure() -> dict[str, Value]:
    """Start the servers one after the other, let the contenders take turns, give the best of each and the ratios of these."""
    found: dict[str, list[Found]] = {name: [] for name in ("rabbit", "raw_rabbit", "activemq", "raw_activemq")}
    with RabbitMQ() as server:
        for _ in range(ROUNDS):
            url = server.create_vhost("bench")
            found["rabbit"].append(_run(ours("rabbitmq", url, "orders")))
            found["raw_rabbit"].append(_run(broker_peers.raw_rabbitmq(url, TEXT, MESSAGES, BATCH)))
            server.drop_vhost(url)
    with ActiveMQ() as server:
        for _ in range(ROUNDS):
            found["activemq"].append(_run(ours("activemq", server.url, server.new_name("orders").lower())))
            raw = broker_peers.raw_activemq(HOST, server.port, (USER, PASSWORD), (TEXT, MESSAGES, BATCH))
            found["raw_activemq"].append(_run(raw))
    best = {name: max(whole for _, whole in rounds) for name, rounds in found.items()}
    sent = {name: max(alone for alone, _ in rounds) for name, rounds in found.items()}
    return {
        **{f"{name}_per_s": rounded(value) for name, value in best.items()},
        **{f"{name}_send_per_s": rounded(value) for name, value in sent.items()},
        "rabbit_vs_raw": rounded(best["rabbit"] / best["raw_rabbit"]),
        "activemq_vs_raw": rounded(best["activemq"] / best["raw_activemq"]),
    }


def _run(contender: Coroutine[Any, Any, Found]) -> Found:
    return uvloop.run(contender)


async def ours(adapter: str, url: str, topic: str) -> Found:
    """A topic with its four queues and a group, at least once."""
    cluster = Cluster(name="main", adapter=adapter, resources=[Resource(name="one", url=url)])
    bus = MessageBus(Estate(clusters=[cluster], topics=[Topic(name=topic, clusters=["main"])]), PLACE)
    handled = Handled()

    @bus.subscribe(topic, concurrency=250)
    async def take(_body: str) -> None:
        handled.one()

    async def send() -> None:
        sent = await bus.send_many([Message(topic=topic, body=TEXT) for _ in range(BATCH)])
        if not all(one.ok for one in sent):
            raise RuntimeError(f"not sent: {next(one.error for one in sent if not one.ok)}")

    async with bus:
        (consumer,) = bus.consumers(topic)
        while not consumer.joined:
            await asyncio.sleep(0.01)

        async def settled() -> bool:
            return not consumer.in_hand

        return await timed(send, handled, settled, MESSAGES, BATCH)
