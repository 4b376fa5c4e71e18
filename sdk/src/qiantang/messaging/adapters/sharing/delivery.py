"""Delivery: messages that go out together, what the broker said of each, and how they are sent."""

from __future__ import annotations

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from qiantang.kernel import errors
from qiantang.messaging.adapters.sharing.supervising import Supervisor
from qiantang.messaging.errors import OutcomeUnknownError, UnknownTopicError
from qiantang.messaging.model import Frame, Topic, bands
from qiantang.messaging.port import SendOutcome

CLOSE_SECONDS: Final = 5.0
Send = Callable[[Sequence[Frame]], Awaitable[Sequence[SendOutcome]]]


class Delivery:
    """Messages that go out together, the numbers of their queues, and an outcome for each; of one event loop."""

    __slots__ = ("answered", "frames", "left", "outcomes", "queues", "returned")

    def __init__(self, frames: list[Frame], queues: list[int]) -> None:
        self.frames = frames
        self.queues = queues
        self.outcomes: list[SendOutcome | None] = [None] * len(frames)
        self.left = len(frames)
        self.returned: set[int] = set()
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, place: int, outcome: SendOutcome) -> None:
        """Note an outcome; the first counts."""
        if self.outcomes[place] is not None:
            return
        self.outcomes[place] = outcome
        self.left -= 1
        if not self.left and not self.answered.done():
            self.answered.set_result(None)

    def accept(self, place: int) -> None:
        """Say of a message that the broker has it."""
        self.settle(place, SendOutcome(verdict="accepted", queue=f"{self.queues[place]}"))

    def refuse(self, error: errors.QiantangError) -> None:
        """Say of what has no outcome yet that it was not sent."""
        self._settle_rest(SendOutcome.refused(error))

    def give_up(self, why: str) -> None:
        """Say of what has no outcome yet that none came."""
        self._settle_rest(SendOutcome.unknown(OutcomeUnknownError(why)))

    def _settle_rest(self, outcome: SendOutcome) -> None:
        for place in range(len(self.outcomes)):
            self.settle(place, outcome)


C = TypeVar("C")


class DeliverySender(ABC, Generic[C]):
    """Sends batches over a connection that is for sending, one after the other, and waits for the answers beside one another.

    `queues` gives how many a topic has.
    """

    def __init__(self, connections: Supervisor[Any], queues: Callable[[str], int]) -> None:
        self._connections = connections
        self._queues = queues
        self._turns = itertools.count()
        self._turn = asyncio.Lock()
        self._deliveries: set[Delivery] = set()

    async def close(self) -> None:
        """Wait for what is being sent."""
        waiting = {one.answered for one in self._deliveries}
        if waiting:
            await asyncio.wait(waiting, timeout=CLOSE_SECONDS)

    async def deliver(self, frames: Sequence[Frame]) -> Delivery:
        """Send frames; give them with an outcome for each. A queue's keep their order."""
        delivery = Delivery(list(frames), [one.queue_of(self._queues(one.topic), self._turns) for one in frames])
        self._deliveries.add(delivery)
        try:
            async with self._turn:
                connection = await self._publish(delivery)
            if connection is not None and not delivery.answered.done():
                await self._wait(delivery, connection)
        finally:
            self._deliveries.discard(delivery)
        return delivery

    @abstractmethod
    async def _publish(self, delivery: Delivery) -> C | None:
        """Write a delivery, whole or not at all; give the connection where it was written."""

    @abstractmethod
    async def _wait(self, delivery: Delivery, connection: C) -> None:
        """Wait for the answers, and give up what has none in time."""


async def send_but(
    refused: Mapping[str, errors.QiantangError], frames: Sequence[Frame], send: Send
) -> Sequence[SendOutcome]:
    """Send frames, but for those of topics that are refused, each with its error."""
    if not refused:
        return await send(frames) if frames else []
    sent = [one for one in frames if one.topic not in refused]
    outcomes = iter(await send(sent) if sent else ())
    return [SendOutcome.refused(refused[one.topic]) if one.topic in refused else next(outcomes) for one in frames]


async def send_known(frames: Sequence[Frame], topics: Container[str], broker: str, send: Send) -> Sequence[SendOutcome]:
    """Send frames of topics that are known, and refuse the others: a broker that makes topics by itself would lose them."""
    unknown = {one.topic for one in frames if one.topic not in topics}
    return await send_but({name: _unknown(broker, name) for name in unknown}, frames, send)


async def have_homes(
    frames: Sequence[Frame],
    topics: Mapping[str, Topic],
    broker: str,
    have_band: Callable[[Topic, str], Awaitable[None]],
) -> dict[str, errors.QiantangError]:
    """Have the bands that messages need; give by topic why there is none."""
    refused: dict[str, errors.QiantangError] = {}
    for name, band in {(one.topic, bands.band_of(one)) for one in frames}:
        topic = topics.get(name)
        if topic is None:
            refused[name] = _unknown(broker, name)
            continue
        try:
            await have_band(topic, band)
        except errors.QiantangError as error:
            refused[name] = error
    return refused


def _unknown(broker: str, topic: str) -> UnknownTopicError:
    return UnknownTopicError(f"{broker} has no topic {topic!r}")
