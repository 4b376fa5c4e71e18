"""The producer without a server: everything is answered, whatever becomes of it, and nothing stays when it is closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from confluent_kafka import KafkaError

from qiantang.messaging.adapters.kafka import producer as producing
from qiantang.messaging.adapters.kafka.address import Address
from qiantang.messaging.adapters.kafka.producer import Home, KafkaProducer
from qiantang.messaging.model import Frame

FRAMES = [Frame(topic="t", id=f"{number}", body=b"x", key="k") for number in range(10)]
HOME = Home("t", "t", ["0", "1", "2", "3"])


@pytest.fixture
async def tended() -> list[int]:
    return []


@pytest.fixture
async def producer(tended: list[int], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KafkaProducer]:
    monkeypatch.setattr(producing, "FLUSH_SECONDS", 0.2)
    monkeypatch.setattr(producing, "TEND_SECONDS", 0.05)
    made = KafkaProducer(Address("kafka://127.0.0.1:9"), "test", lambda: tended.append(1))
    yield made
    await made.close()


async def begun(producer: KafkaProducer) -> asyncio.Task[Any]:
    sending = asyncio.create_task(producer.send(FRAMES, [HOME] * len(FRAMES)))
    await asyncio.sleep(0.1)
    assert not sending.done()
    return sending


async def test_closing_answers_what_was_not_sent(producer: KafkaProducer, tended: list[int]) -> None:
    sending = await begun(producer)
    began = time.monotonic()
    await producer.close()
    outcomes = await asyncio.wait_for(sending, 2)
    assert time.monotonic() - began < 2
    assert {one.verdict for one in outcomes} == {"refused"}
    assert len(outcomes) == len(FRAMES)
    assert tended, "what librdkafka keeps for others is fetched meanwhile"


async def test_what_is_broken_for_good_is_replaced(producer: KafkaProducer) -> None:
    sending, broken = await begun(producer), producer._producer
    producer._erred(KafkaError(KafkaError._FATAL, "fenced", fatal=True))
    assert {one.verdict for one in await asyncio.wait_for(sending, 2)} == {"refused"}
    assert producer._producer is not broken
    await begun(producer)


async def test_a_batch_of_which_nothing_is_taken_is_answered(producer: KafkaProducer) -> None:
    large = [Frame(topic="t", id="1", body=b"x" * (101 * 1024 * 1024))]
    (outcome,) = await asyncio.wait_for(producer.send(large, [HOME]), 2)
    assert outcome.verdict == "refused"
    assert "large" in str(outcome.error)
    assert await asyncio.wait_for(producer.send([], []), 2) == []
