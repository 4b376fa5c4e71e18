"""Peers of the Kafka adapter: confluent-kafka used directly, in batches, and FastStream, as it documents at-least-once."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from fast_depends.msgspec import MsgSpecSerializer
from faststream import AckPolicy
from faststream.confluent import KafkaBroker

from qiantang.kernel import ids

BATCH: Final = 500
COMMIT_SECONDS: Final = 0.05
"""As often as ours."""
LINGER_MS: Final = 2
_encoder = msgspec.json.Encoder()


class Order(msgspec.Struct):
    """About a kilobyte as JSON."""

    id: int
    customer: str
    lines: list[str]


_LINES = ["line of an order with some text in it " * 2] * 12


def order(number: int) -> Order:
    """Make the body of a message."""
    return Order(number, "customer-0815", _LINES)


def _key(number: int) -> str:
    return f"k{number % 100}"


def _produce(
    producer: Producer, topic: str, number: int, answer: Callable[..., None], headers: list[tuple[str, bytes]]
) -> None:
    """Produce a message, once there is room for it; answers are polled for after each batch."""
    while True:
        try:
            producer.produce(topic, _encoder.encode(order(number)), _key(number), on_delivery=answer, headers=headers)
            break
        except BufferError:
            producer.poll(0.01)
    if number % BATCH == 0:
        producer.poll(0)


def send(hosts: str, topic: str, messages: int) -> float:
    """Produce all, answers polled for after each batch; give messages a second, all of them acknowledged."""
    producer = Producer({"bootstrap.servers": hosts, "enable.idempotence": True, "linger.ms": LINGER_MS})
    answered = 0

    def answer(error: KafkaError | None, _message: Message) -> None:
        nonlocal answered
        assert error is None, error
        answered += 1

    producer.produce(topic, _encoder.encode(order(0)), on_delivery=answer)
    assert producer.flush(10) == 0
    began = time.perf_counter()
    for number in range(messages):
        _produce(producer, topic, number, answer, [("region", b"hz")])
    assert producer.flush(60) == 0
    took = time.perf_counter() - began
    assert answered == messages + 1
    return messages / took


class _Result(msgspec.Struct):
    """What became of a message."""

    id: str
    partition: int
    offset: int


def send_answering(hosts: str, topic: str, messages: int) -> float:
    """The same with an id, headers that say what a message is, and a result for each: the least that any framework does."""
    producer = Producer({"bootstrap.servers": hosts, "enable.idempotence": True, "linger.ms": LINGER_MS})
    results: list[_Result] = []

    def answer(id: str, error: KafkaError | None, message: Message) -> None:
        assert error is None, error
        results.append(_Result(id, message.partition() or 0, message.offset() or 0))

    producer.produce(topic, _encoder.encode(order(0)), on_delivery=functools.partial(answer, ids.ordered_id()))
    assert producer.flush(10) == 0
    began = time.perf_counter()
    for number in range(messages):
        id, sent, key = ids.ordered_id(), f"{time.time_ns()}", _key(number)
        said = {"v": "2.0", "id": id, "codec": "json", "sent": sent, "key": key, "region": "hz"}
        headers = [(name, value.encode()) for name, value in said.items()]
        _produce(producer, topic, number, functools.partial(answer, id), headers)
    assert producer.flush(60) == 0
    took = time.perf_counter() - began
    assert len(results) == messages + 1
    return messages / took


def begin(hosts: str, topic: str, group: str) -> None:
    """Have a group begin with the first message of a topic."""
    consumer = Consumer({"bootstrap.servers": hosts, "group.id": group, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(topic, number, 0) for number in range(4)], asynchronous=False)
    consumer.close()


async def _handle(_body: Order) -> None:
    """Do nothing."""


async def consume_calling(hosts: str, topic: str, messages: int) -> float:
    """The same, and read the headers of each message as text and await a handler for it: the least that any framework does."""

    async def call(message: Message, body: Order) -> None:
        headers: Any = message.headers() or ()  # a list of pairs
        assert {name: value.decode() for name, value in headers}
        await _handle(body)

    return await _consume(hosts, topic, messages, call)


def consume(hosts: str, topic: str, messages: int) -> float:
    """Read batches, decode, commit what was read now and then; give messages a second, from the first read to the last."""
    return asyncio.run(_consume(hosts, topic, messages))


async def _consume(
    hosts: str, topic: str, messages: int, call: Callable[[Message, Order], Awaitable[None]] | None = None
) -> float:
    settings: dict[str, Any] = {
        "bootstrap.servers": hosts,
        "group.id": f"raw-{uuid.uuid4()}",
        "enable.auto.commit": False,
    }
    consumer = Consumer({**settings, "auto.offset.reset": "earliest", "enable.auto.offset.store": False})
    decoder = msgspec.json.Decoder(Order)
    consumer.subscribe([topic])
    count, began, told = 0, 0.0, 0.0
    ends: dict[int, int] = {}
    try:
        while count < messages:
            first = consumer.consume(1, 1.0)
            batch = [*first, *consumer.consume(BATCH - 1, 0)] if first else []
            if batch and not began:
                began = time.perf_counter()
            for one in batch:
                assert one.error() is None
                body = decoder.decode(one.value() or b"")
                if call is not None:
                    await call(one, body)
                ends[one.partition() or 0] = (one.offset() or 0) + 1
            count += len(batch)
            if time.perf_counter() - told > COMMIT_SECONDS and ends:
                told = time.perf_counter()
                offsets = [TopicPartition(topic, number, offset) for number, offset in ends.items()]
                consumer.commit(offsets=offsets, asynchronous=True)
        return messages / (time.perf_counter() - began)
    finally:
        consumer.close()


async def faststream(hosts: str, topic: str, messages: int) -> float:
    """A subscriber that acknowledges each message once it was handled: with manual commits it allows one worker only."""
    return await _faststream(hosts, topic, messages, {})


async def faststream_batch(hosts: str, topic: str, messages: int) -> float:
    """A subscriber of batches: the handler gets a list, and a batch is acknowledged as one."""
    return await _faststream(hosts, topic, messages, {"batch": True, "max_records": BATCH})


async def _faststream(hosts: str, topic: str, messages: int, more: dict[str, Any]) -> float:
    broker = KafkaBroker(hosts, logger=None, serializer=MsgSpecSerializer(), log_level=logging.CRITICAL)
    done = asyncio.Event()
    count, began = 0, 0.0
    kind: Any = list[Order] if more else Order

    async def take(body: Any) -> None:
        nonlocal count, began
        if not count:
            began = time.perf_counter()
        count += len(body) if more else 1
        if count >= messages:
            done.set()

    take.__annotations__["body"] = kind
    broker.subscriber(
        topic, group_id=f"peer-{uuid.uuid4()}", auto_offset_reset="earliest", ack_policy=AckPolicy.ACK, **more
    )(take)
    async with broker:
        await broker.start()
        await done.wait()
        return messages / (time.perf_counter() - began)
