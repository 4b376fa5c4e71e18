"""Kafka: messages of 1 KB through one real server: ours, confluent-kafka used directly, and FastStream on confluent-kafka.

All write and read the body as JSON by msgspec, with a key and a header, to a topic of four partitions, with acknowledgements of all
replicas and an idempotent producer. Consuming is measured alone, of topics that were filled before, from the first message handled
to the last: at least once, positions committed as each does it. Rounds are interleaved, and each contender's best counts: what
disturbs a round only adds to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import uvloop

from bench.figures import Value, rounded
from bench.messaging import kafka_peers
from bench.messaging.kafka_peers import BATCH, Order, order
from qiantang.kernel import scope
from qiantang.messaging import Cluster, Estate, Message, MessageBus, Resource, Topic
from tests.servers.kafka import Kafka

MESSAGES = 40_000
MESSAGES_FASTSTREAM = 2_000
ROUNDS = 5
IN_FLIGHT = 4
"""Batches that are being sent at a time: raw producers have as many messages under way as they like."""
PLACE = scope.Scope(tenant="bench", environment="bench", center="trade", application="order")


def measure() -> dict[str, Value]:
    """Start the server, let the contenders take turns, give the best of each and the ratios of these."""
    found: dict[str, list[float]] = {
        name: []
        for name in ("send", "raw_send", "answering", "consume", "raw_consume", "calling", "peer", "peer_batch")
    }
    with Kafka() as server:
        for _ in range(ROUNDS):
            topic = server.create_topic("bench", partitions=4)
            found["send"].append(_run(send, server.hosts, topic))
            found["raw_send"].append(kafka_peers.send(server.hosts, server.create_topic("raw", partitions=4), MESSAGES))
            answering = server.create_topic("answering", partitions=4)
            found["answering"].append(kafka_peers.send_answering(server.hosts, answering, MESSAGES))
            found["consume"].append(_run(consume, server.hosts, topic))
            found["raw_consume"].append(kafka_peers.consume(server.hosts, topic, MESSAGES))
            found["calling"].append(_run(kafka_peers.consume_calling, server.hosts, topic, MESSAGES))
            short = server.create_topic("short", partitions=4)
            kafka_peers.send(server.hosts, short, MESSAGES_FASTSTREAM)
            found["peer"].append(_run(kafka_peers.faststream, server.hosts, short, MESSAGES_FASTSTREAM))
            found["peer_batch"].append(_run(kafka_peers.faststream_batch, server.hosts, topic, MESSAGES))
    best = {name: max(rounds) for name, rounds in found.items()}
    return {
        "kafka_send_per_s": rounded(best["send"]),
        "kafka_raw_send_per_s": rounded(best["raw_send"]),
        "kafka_vs_raw_send": rounded(best["send"] / best["raw_send"]),
        "kafka_raw_answering_per_s": rounded(best["answering"]),
        "kafka_vs_raw_answering": rounded(best["send"] / best["answering"]),
        "kafka_consume_per_s": rounded(best["consume"]),
        "kafka_raw_consume_per_s": rounded(best["raw_consume"]),
        "kafka_vs_raw_consume": rounded(best["consume"] / best["raw_consume"]),
        "kafka_raw_calling_per_s": rounded(best["calling"]),
        "kafka_vs_raw_calling": rounded(best["consume"] / best["calling"]),
        "faststream_per_s": rounded(best["peer"]),
        "kafka_vs_faststream": rounded(best["consume"] / best["peer"]),
        "faststream_batch_per_s": rounded(best["peer_batch"]),
        "kafka_vs_faststream_batch": rounded(best["consume"] / best["peer_batch"]),
    }


def _run(contender: Callable[..., Awaitable[float]], *arguments: Any) -> float:
    async def run() -> float:
        return await contender(*arguments)

    return uvloop.run(run())


def _bus(hosts: str, topic: str) -> MessageBus:
    cluster = Cluster(name="main", adapter="kafka", resources=[Resource(name="one", url=f"kafka://{hosts}")])
    return MessageBus(Estate(clusters=[cluster], topics=[Topic(name=topic, clusters=["main"])]), PLACE)


async def send(hosts: str, topic: str) -> float:
    """Send all, 500 in a call, a few calls at a time; give messages a second, all of them acknowledged."""
    async with _bus(hosts, topic) as bus:
        await bus.send(topic, order(0))
        starts = iter(range(0, MESSAGES, BATCH))

        async def some() -> None:
            for start in starts:
                sent = await bus.send_many([_message(topic, number) for number in range(start, start + BATCH)])
                assert all(one.ok for one in sent)

        began = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
        return MESSAGES / (time.perf_counter() - began)


def _message(topic: str, number: int) -> Message[Order]:
    return Message(topic=topic, body=order(number), key=f"k{number % 100}", headers={"region": "hz"})


async def consume(hosts: str, topic: str) -> float:
    """Consume all with a handler that does nothing; give messages a second, from the first handled to the last."""
    kafka_peers.begin(hosts, topic, f"order.{topic}")
    bus = _bus(hosts, topic)
    done = asyncio.Event()
    count, began = 0, 0.0

    @bus.subscribe(topic, concurrency=250)
    async def take(_body: Order) -> None:
        nonlocal count, began
        if not count:
            began = time.perf_counter()
        count += 1
        if count == MESSAGES:
            done.set()

    async with bus:
        await done.wait()
        return MESSAGES / (time.perf_counter() - began)


if __name__ == "__main__":
    print(msgspec.json.encode(measure()).decode())
