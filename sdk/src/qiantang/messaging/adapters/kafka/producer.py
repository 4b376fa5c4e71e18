"""Producer: frames on their way to Kafka, all of a batch at once, with one answer for the batch.

What librdkafka answers is fetched by the event loop itself, soon after a batch and then ever more seldom. A thread that did it
would have to take the interpreter from the loop for each message.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from qiantang.kernel import observe
from qiantang.messaging.adapters.kafka import failing
from qiantang.messaging.adapters.kafka.address import Address
from qiantang.messaging.adapters.kafka.saying import SAID
from qiantang.messaging.errors import BacklogFullError
from qiantang.messaging.model import Frame
from qiantang.messaging.model.envelope import BINARY
from qiantang.messaging.port import SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))
DELIVERY_MS: Final = 20_000
"""After so long without an answer a message's outcome is unknown."""
LOOK_FIRST, LOOK_LONGEST, LOOK_SHARE = 0.001, 0.05, 0.1
"""How soon the first look for answers is; later ones come after a share of what was waited for already."""
TEND_SECONDS: Final = 0.5
ANY: Final = -1
"""The partition of a message whose partition librdkafka is to choose."""
FLUSH_SECONDS: Final = 1.0


class Home(NamedTuple):
    """Where messages of a topic and band lie on Kafka: the topic's name there, and the names of the physical queues."""

    topic: str
    name: str
    queues: Sequence[str]


class _Delivery:
    """The answers to one batch."""

    __slots__ = ("left", "outcomes")

    def __init__(self, count: int) -> None:
        self.left = count
        self.outcomes: list[SendOutcome | None] = [None] * count

    def answer(self, place: int, home: Home, error: KafkaError | None, message: Message) -> None:
        """Note what became of a message."""
        if error is None:
            queue = home.queues[message.partition() or 0]
            self.settle(place, SendOutcome(verdict="accepted", queue=queue, position=message.offset() or 0))
        else:
            self.settle(place, failing.outcome(error, home.topic))

    def settle(self, place: int, outcome: SendOutcome) -> None:
        """Note an outcome; each place has one."""
        self.outcomes[place] = outcome
        self.left -= 1


class KafkaProducer:
    """Of one broker and event loop. `tend` is called now and then.

    Raises, when made:
        MisconfiguredError: librdkafka does not take the settings.
    """

    def __init__(self, address: Address, client: str, tend: Callable[[], object]) -> None:
        self._settings: dict[str, Any] = {
            **address.common(client),
            "enable.idempotence": True,
            "delivery.timeout.ms": DELIVERY_MS,
            "message.max.bytes": 100 * 1024 * 1024,  # the topic's own limit counts, and Kafka knows it
            "queue.buffering.max.messages": 100_000,
            "queue.buffering.max.kbytes": 256 * 1024,
            "linger.ms": address.settings.get("linger.ms", "2"),
            "error_cb": self._erred,
        }
        self._leaves_keys = bool(address.partitioner)
        if address.partitioner:
            self._settings["partitioner"] = address.partitioner
        self._client = client
        self._tend = tend
        self._turns = itertools.count()
        self._broken = False
        self._closed = False
        self._producer = self._made()
        self._tending = asyncio.create_task(self._go_on(), name=f"answers of Kafka to {client}")

    async def send(self, frames: Sequence[Frame], homes: Sequence[Home]) -> list[SendOutcome]:
        """Send frames, each to its home; give an outcome for each. Those of a partition keep their order."""
        delivery = _Delivery(len(frames))
        turn = itertools.repeat(next(self._turns))  # all without a key to one partition: its batches are large
        produce = self._producer.produce
        for place, (frame, home) in enumerate(zip(frames, homes, strict=True)):
            try:
                produce(
                    home.name,
                    frame.body,
                    frame.key or None,
                    ANY
                    if self._leaves_keys and frame.key and frame.queue < 0
                    else frame.queue_of(len(home.queues), turn),
                    functools.partial(delivery.answer, place, home),
                    headers=_headers(frame),
                )
            except BufferError as error:
                full = BacklogFullError(f"too much waits to be sent to Kafka: {error}", retry_after=1)
                delivery.settle(place, SendOutcome.refused(full))
            except KafkaException as error:
                delivery.settle(place, failing.never(error.args[0], frame.topic))
        await self._answers(lambda: delivery.left)
        return [one for one in delivery.outcomes if one is not None]

    async def close(self) -> None:
        """Wait a little for what is being sent, then end: what has no answer by then is unknown."""
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._answers(lambda: len(self._producer))
        except TimeoutError:
            pass
        finally:
            self._tending.cancel()
            _purge(self._producer)
        await asyncio.to_thread(self._producer.close)

    def _made(self) -> Producer:
        try:
            return Producer(self._settings, logger=SAID)
        except KafkaException as error:
            raise failing.misconfigured(error) from error

    async def _answers(self, missing: Callable[[], int]) -> None:
        """Fetch answers until none is missing."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while missing():
            waited = loop.time() - began
            await asyncio.sleep(max(LOOK_FIRST, min(LOOK_LONGEST, waited * LOOK_SHARE)))
            if missing():  # else all was answered meanwhile, as it is where the producer is closed
                self._producer.poll(0)

    async def _go_on(self) -> None:
        """Hear what librdkafka says by itself, which it keeps until then; replace a producer that is broken for good."""
        while True:
            await asyncio.sleep(TEND_SECONDS)
            self._producer.poll(0)
            self._tend()
            if self._broken:
                old, self._producer, self._broken = self._producer, self._made(), False
                _purge(old)
                await asyncio.to_thread(old.close)

    def _erred(self, error: KafkaError) -> None:
        """Hear what librdkafka says by itself: it goes on by itself, but for what is fatal, after which it sends nothing more."""
        if error.fatal():
            self._broken = True
        log.failure(self._client, "Kafka cannot be reached, or says no", error=failing.named(error, "sending"))


def _purge(producer: Producer) -> None:
    """Have all answered that has no answer yet."""
    producer.purge()
    producer.poll(0)


def _headers(frame: Frame) -> Any:
    return frame.text if not frame.binary else {**frame.text, **frame.binary, BINARY: " ".join(frame.binary)}
