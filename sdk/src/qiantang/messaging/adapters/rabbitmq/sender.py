"""Sender: frames on their way to RabbitMQ, all of a batch at once, with one answer for the batch.

On a connection of its own, since one that publishes is stopped as a whole when the server runs out of memory or disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.rabbitmq import frames as wire
from qiantang.messaging.adapters.rabbitmq import routing
from qiantang.messaging.adapters.rabbitmq.channels import Channel
from qiantang.messaging.adapters.rabbitmq.confirms import Confirms
from qiantang.messaging.adapters.rabbitmq.connection import RabbitConnection, naming
from qiantang.messaging.adapters.sharing.delivery import Delivery, DeliverySender
from qiantang.messaging.adapters.sharing.supervising import Supervisor
from qiantang.messaging.errors import BrokerAwayError, InvalidMessageError
from qiantang.messaging.model import Frame
from qiantang.messaging.port import SendOutcome

CONFIRM_SECONDS = 15.0
"""After so long without an answer a message's outcome is unknown, and the connection is given up."""
BLOCKED_SECONDS = 2.0
"""So long a message waits while the server takes none for want of memory or disk; then it is refused."""
WRITE_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.5
FULL: Final = "RabbitMQ takes no messages for want of memory or disk"


class RabbitSender(DeliverySender[RabbitConnection]):
    """Of one broker. `queues` gives how many a topic has, `connections` the connection that is for publishing."""

    def __init__(self, connections: Supervisor[RabbitConnection], queues: Callable[[str], int]) -> None:
        super().__init__(connections, queues)
        self._opened: tuple[RabbitConnection, Channel, Confirms] | None = None

    async def send(self, frames: Sequence[Frame]) -> tuple[list[SendOutcome], set[int]]:
        """Send frames; give an outcome for each, and the places of those that no queue wanted. A queue's keep their order."""
        delivery = await self.deliver(frames)
        return [one for one in delivery.outcomes if one is not None], delivery.returned

    # -- inside ------------------------------------------------------------------------------------------

    async def _publish(self, delivery: Delivery) -> RabbitConnection | None:
        """Write a delivery to a channel, whole or not at all; give the connection where it was written."""
        try:
            connection, channel, confirms = await self._channel()
            if await connection.is_blocked(BLOCKED_SECONDS):
                raise BrokerAwayError(FULL, retry_after=1)
        except errors.QiantangError as error:
            delivery.refuse(error)
            return None
        places, data = _encoded(delivery, channel.number, connection.connection_tune.frame_max)
        confirms.expect(delivery, places)
        try:
            with naming("sending"):
                async with asyncio.timeout(WRITE_SECONDS):
                    await channel.write(data)
        except errors.QiantangError as error:
            delivery.refuse(error)
            self._connections.drop(connection)
            return None
        return connection

    async def _channel(self) -> tuple[RabbitConnection, Channel, Confirms]:
        connection = await self._connections.get()
        opened = self._opened
        if opened is not None and opened[0] is connection and not opened[2].closed and not opened[1].is_closed:
            return opened
        confirms = Confirms()
        channel = await connection.channel_for(confirms)
        channel.when_closed(confirms.lose)
        self._opened = (connection, channel, confirms)
        return self._opened

    async def _wait(self, delivery: Delivery, connection: RabbitConnection) -> None:
        """Wait for the answers; not for long where the server has stopped reading: then nobody gets one before it goes on."""
        clock = asyncio.get_running_loop().time
        ends, stopped = clock() + CONFIRM_SECONDS, 0.0
        while (left := ends - clock()) > 0:
            await asyncio.wait({delivery.answered}, timeout=min(left, LOOK_SECONDS))
            if delivery.answered.done():
                return
            if not await connection.is_blocked(0):
                stopped = 0.0
            elif not stopped:
                stopped = clock()
            elif clock() - stopped > BLOCKED_SECONDS:
                delivery.give_up(f"{FULL}: what was written to it before may be there, or come there later")
                return
        delivery.give_up(f"RabbitMQ did not confirm a message within {CONFIRM_SECONDS:g} s: it may be there")
        self._connections.drop(connection)


def _encoded(delivery: Delivery, channel: int, frame_max: int) -> tuple[list[int], bytes]:
    """Give the places of the messages that can be written, and their bytes; the others are refused."""
    places: list[int] = []
    parts: list[bytes] = []
    for place, frame in enumerate(delivery.frames):
        key = routing.routing_key(delivery.queues[place], frame.tag)
        try:
            parts.append(wire.published(channel, frame, key, frame_max))
            places.append(place)
        except ValueError as error:
            refused = InvalidMessageError(f"RabbitMQ cannot carry the message {frame.id[:64]!r}: {error}")
            delivery.settle(place, SendOutcome.refused(refused))
    return places, b"".join(parts)
