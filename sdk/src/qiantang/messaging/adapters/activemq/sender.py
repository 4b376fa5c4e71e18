"""Sender: frames on their way to ActiveMQ, a batch as a few transactions that go out together.

The server writes what it takes to its disk before it answers, and takes nothing more of a connection meanwhile: one answer for many
messages costs what one costs. A transaction holds messages of one topic, so that what is refused is refused for all that is in it:
what may not be sent to, and what the server has no room for. On a connection of its own, since the server stops reading one that
sends when it has no memory or disk left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.activemq import destinations, failing, frames
from qiantang.messaging.adapters.activemq.connection import StompConnection
from qiantang.messaging.adapters.activemq.failing import RefusedError
from qiantang.messaging.adapters.sharing.delivery import Delivery, DeliverySender
from qiantang.messaging.adapters.sharing.supervising import Supervisor
from qiantang.messaging.errors import BodyTooLargeError, BrokerAwayError, InvalidMessageError
from qiantang.messaging.model import Frame
from qiantang.messaging.port import SendOutcome

CONFIRM_SECONDS = 15.0
"""After so long without an answer a message's outcome is unknown, and the connection is given up."""
BLOCKED_SECONDS = 2.0
"""So long a message waits while the server takes none for want of memory or disk; then it is refused."""
MOST, MOST_BYTES = 500, 1024 * 1024
"""So many messages and bytes are in one transaction."""
FULL: Final = "ActiveMQ takes no messages for want of memory or disk"


class StompSender(DeliverySender[StompConnection]):
    """Of one broker. `queues` gives how many a topic has; `delays` says whether the server holds messages back.

    Of messages over `largest` bytes none is sent: the server ends the connection for one, without a word as a rule.
    """

    def __init__(
        self, connections: Supervisor[StompConnection], queues: Callable[[str], int], *, delays: bool, largest: int
    ) -> None:
        super().__init__(connections, queues)
        self._delays = delays
        self._largest = largest

    async def send(self, some: Sequence[Frame]) -> list[SendOutcome]:
        """Send frames; give an outcome for each. A queue's keep their order."""
        return [one for one in (await self.deliver(some)).outcomes if one is not None]

    # -- inside ------------------------------------------------------------------------------------------

    async def _publish(self, delivery: Delivery) -> StompConnection | None:
        """Write a delivery, whole or not at all; give the connection where it was written."""
        try:
            connection = await self._connections.get()
            if not await connection.is_writable(BLOCKED_SECONDS):
                raise BrokerAwayError(FULL, retry_after=1)
        except errors.QiantangError as error:
            delivery.refuse(error)
            return None
        parts: list[bytes] = []
        for places in _parted(delivery.frames):
            parts += self._written(delivery, places, connection)
        try:
            with failing.naming("sending"):
                await connection.write(b"".join(parts))
        except errors.QiantangError as error:
            delivery.refuse(error)
            self._connections.drop(connection)
            return None
        return connection

    def _written(self, delivery: Delivery, places: Sequence[int], connection: StompConnection) -> list[bytes]:
        """Write messages that go together; those that cannot be written are refused."""
        single = len(places) == 1
        transaction = "" if single else connection.next()
        good: list[int] = []
        parts: list[bytes] = []
        receipt = connection.next()
        more = f"receipt:{receipt}\n" if single else f"transaction:{transaction}\n"
        for place in places:
            frame = delivery.frames[place]
            if frame.size > self._largest:
                delivery.settle(place, self._too_large(frame))
                continue
            try:
                destination = destinations.virtual_topic(frame.topic, delivery.queues[place])
                parts.append(frames.sent(frame, destination, more, self._delay(frame)))
                good.append(place)
            except ValueError as error:
                refused = InvalidMessageError(f"ActiveMQ cannot carry the message {frame.id[:64]!r}: {error}")
                delivery.settle(place, SendOutcome.refused(refused))
        if good:
            connection.expect(receipt, lambda error: _settled(delivery, good, error))
        if single or not good:
            return parts
        return [frames.begin(transaction), *parts, frames.commit(transaction, receipt)]

    def _too_large(self, frame: Frame) -> SendOutcome:
        words = f"the message {frame.id[:64]!r} has {frame.size} bytes with its headers: ActiveMQ takes {self._largest}"
        return SendOutcome.refused(BodyTooLargeError(words))

    def _delay(self, frame: Frame) -> int:
        """Give for how many milliseconds the server has to hold a message back; never too short."""
        if not self._delays or not frame.deliver_at:
            return 0
        return max(0, frame.deliver_at - int(time.time() * 1000) + 1)

    async def _wait(self, delivery: Delivery, connection: StompConnection) -> None:
        await asyncio.wait({delivery.answered}, timeout=CONFIRM_SECONDS)
        if not delivery.answered.done():
            delivery.give_up(f"ActiveMQ did not confirm a message within {CONFIRM_SECONDS:g} s: it may be there")
            self._connections.drop(connection)


def _parted(some: Sequence[Frame]) -> Iterator[list[int]]:
    """Give the places of messages that go together, each topic's in their order."""
    topics: dict[str, list[int]] = {}
    for place, frame in enumerate(some):
        topics.setdefault(frame.topic, []).append(place)
    for places in topics.values():
        part: list[int] = []
        size = 0
        for place in places:
            if part and (len(part) >= MOST or size + some[place].size > MOST_BYTES):
                yield part
                part, size = [], 0
            part.append(place)
            size += some[place].size
        yield part


def _settled(delivery: Delivery, places: Sequence[int], error: BaseException | None) -> None:
    """Hear what became of messages that went together."""
    if error is None:
        for place in places:
            delivery.accept(place)
        return
    some = [delivery.frames[place] for place in places]
    if isinstance(error, RefusedError) and not error.is_too_large and some:
        outcomes = [failing.refused(error, some[0].topic)] * len(some)
    else:
        outcomes = failing.unanswered(some, error)
    for place, outcome in zip(places, outcomes, strict=True):
        delivery.settle(place, outcome)
