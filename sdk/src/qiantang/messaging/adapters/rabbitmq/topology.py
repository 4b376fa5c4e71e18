"""Topology: exchanges, queues and bindings on the server, made where they are missing; nothing is ever taken away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from aiormq.exceptions import ChannelNotFoundEntity

from qiantang.messaging.adapters.rabbitmq import routing
from qiantang.messaging.adapters.rabbitmq.connection import RPC_SECONDS, RabbitConnection, naming
from qiantang.messaging.adapters.rabbitmq.talk import have_members
from qiantang.messaging.adapters.sharing.membership import Group
from qiantang.messaging.errors import UnknownTopicError
from qiantang.messaging.model.message import HIGHEST

UNLIMITED: Final = -1
UNUSED_MS: Final = 10 * 60 * 1000
"""How long a queue of a broadcast is kept that nobody consumes."""


class Topology:
    """On one server at a time; `queue_type` is what queues are made as."""

    def __init__(self, queue_type: str) -> None:
        self._queue_type = queue_type

    async def make_topic(self, connection: RabbitConnection, topic: str) -> None:
        """Have the exchange of a topic."""
        with naming(f"making topic {topic}"):
            channel = await connection.channel_for()
            await channel.exchange_declare(topic, exchange_type="topic", durable=True, timeout=RPC_SECONDS)
            await channel.close(None, timeout=RPC_SECONDS)

    async def make_group(self, connection: RabbitConnection, known: Group, queues: int) -> int:
        """Have the queues of a group, bound to the topic; give how many it has: another may know of more."""
        topic, group, tags = known.topic, known.name, known.tags
        queues = await self._grown(connection, topic, group, queues)
        arguments = self._arguments(str(connection.server_properties.get("version", "")), broadcast=known.broadcast)
        with naming(f"making group {group} of {topic}"):
            channel = await connection.channel_for()
            for number in range(queues):
                name = routing.queue_name(group, topic, number)
                await channel.queue_declare(name, durable=True, arguments=arguments, timeout=RPC_SECONDS)
            for one in routing.bindings(queues, tags):
                name = routing.queue_name(group, topic, one.queue)
                await channel.queue_bind(name, topic, one.pattern, nowait=True, timeout=RPC_SECONDS)
            for one in routing.outgrown(queues, tags):
                name = routing.queue_name(group, topic, one.queue)
                await channel.queue_unbind(name, topic, one.pattern, timeout=RPC_SECONDS)
            # an answer to this one says that all before it is done
            await have_members(channel, group, topic, broadcast=known.broadcast)
            await channel.close(None, timeout=RPC_SECONDS)
        return queues

    async def end_group(self, connection: RabbitConnection, known: Group) -> None:
        """Remove the queues of a group, with all that waits in them."""
        with naming(f"ending group {known.name} of {known.topic}"):
            channel = await connection.channel_for()
            for number in range(known.queues):
                name = routing.queue_name(known.name, known.topic, number)
                await channel.queue_delete(name, timeout=RPC_SECONDS)
            await channel.close(None, timeout=RPC_SECONDS)

    async def waiting(self, connection: RabbitConnection, topic: str, group: str, numbers: Iterable[int]) -> int:
        """Count what waits in some queues of a group and is in nobody's hand.

        Raises:
            UnknownTopicError: there is no such group.
        """
        doing = f"counting what group {group} has not finished of {topic}"
        channel = await connection.channel_for()
        total = 0
        with naming(doing):
            try:
                for number in numbers:
                    name = routing.queue_name(group, topic, number)
                    found = await channel.queue_declare(name, passive=True, timeout=RPC_SECONDS)
                    total += found.message_count or 0
                await channel.close(None, timeout=RPC_SECONDS)
            except ChannelNotFoundEntity as error:
                raise UnknownTopicError(f"RabbitMQ has no group {group!r} of a topic {topic!r}") from error
        return total

    # -- inside ------------------------------------------------------------------------------------------

    async def _grown(self, connection: RabbitConnection, topic: str, group: str, queues: int) -> int:
        """Count the queues of a group, where it has so many or more."""
        channel = await connection.channel_for()
        with naming(f"looking for queues of group {group} of {topic}"):
            try:
                while True:
                    name = routing.queue_name(group, topic, queues)
                    await channel.queue_declare(name, passive=True, timeout=RPC_SECONDS)
                    queues += 1
            except ChannelNotFoundEntity:
                return queues

    def _arguments(self, version: str, *, broadcast: bool) -> dict[str, Any]:
        if broadcast:  # what a killed process leaves goes by itself
            return {"x-queue-type": "classic", "x-max-priority": HIGHEST, "x-expires": UNUSED_MS}
        if self._queue_type == "classic":
            return {"x-queue-type": "classic", "x-max-priority": HIGHEST}
        arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        if version.partition(".")[0] >= "4":
            # from 4.0 on a message that was delivered twenty times is thrown away: a member that comes and goes delivers again
            arguments["x-delivery-limit"] = UNLIMITED
        return arguments
