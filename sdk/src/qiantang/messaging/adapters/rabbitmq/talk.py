"""Talk: how members of groups say their names to one another, over a fanout exchange of each group.

What is said goes over the connection for publishing, and is heard over the one for consuming: that one must never be stopped, for
the messages that it acknowledges are what the server needs to be rid of when its memory is full.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

from aiormq import spec

from qiantang.messaging.adapters.rabbitmq import routing
from qiantang.messaging.adapters.rabbitmq.channels import Channel, nothing
from qiantang.messaging.adapters.rabbitmq.connection import RPC_SECONDS, RabbitConnection, naming
from qiantang.messaging.adapters.rabbitmq.incoming import Content
from qiantang.messaging.adapters.rabbitmq.sender import FULL
from qiantang.messaging.adapters.sharing import members
from qiantang.messaging.adapters.sharing.members import HEARD_SECONDS, Members, Word
from qiantang.messaging.adapters.sharing.supervising import Supervisor
from qiantang.messaging.errors import BrokerAwayError

WRITE_SECONDS = 1.0
HEAR_SECONDS = 1.2
"""So long it takes until everybody has said something."""


class Voice:
    """Says words of all members of this process, over the connection for publishing."""

    def __init__(self, connections: Supervisor[RabbitConnection]) -> None:
        self._connections = connections
        self._turn = asyncio.Lock()
        self._channel: Channel | None = None

    async def say(self, topic: str, group: str, word: Word) -> None:
        """Say a word to whoever listens now.

        Raises:
            BrokerAwayError: it cannot be said now.
        """
        async with self._turn:
            connection = await self._connections.get()
            if await connection.is_blocked(0):
                raise BrokerAwayError(FULL)
            if self._channel is None or self._channel.is_closed or self._channel.connection is not connection:
                self._channel = await connection.channel_for()
            with naming(f"saying who takes part in {group} of {topic}"):
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._channel.basic_publish(
                        members.written(word),
                        exchange=routing.members_name(group, topic),
                        properties=spec.Basic.Properties(expiration=f"{HEARD_SECONDS * 1000:.0f}"),
                        wait=False,
                    )


async def have_members(channel: Channel, group: str, topic: str, *, broadcast: bool) -> str:
    """Have the exchange over which members of a group hear of one another; give its name. A broadcast's goes with its member."""
    name = routing.members_name(group, topic)
    await channel.exchange_declare(
        name, exchange_type="fanout", durable=True, auto_delete=broadcast, timeout=RPC_SECONDS
    )
    return name


class Ear:
    """Hears the members of one group."""

    def __init__(self, topic: str, group: str, *, broadcast: bool = False) -> None:
        self._topic, self._group = topic, group
        self._broadcast = broadcast
        self._channel: Channel | None = None

    async def listen(self, connection: RabbitConnection, hear: Callable[[Word], object]) -> bool:
        """Listen, if it does not yet; say whether it has only begun. `hear` gets each word.

        Raises:
            BrokerAwayError: it cannot.
        """
        channel = self._channel
        if channel is not None and not channel.is_closed and channel.connection is connection:
            return False
        with naming(f"listening to the members of {self._group} of {self._topic}"):
            channel = await connection.channel_for()
            exchange = await have_members(channel, self._group, self._topic, broadcast=self._broadcast)
            made = await channel.queue_declare("", exclusive=True, auto_delete=True, timeout=RPC_SECONDS)
            await channel.queue_bind(made.queue or "", exchange, timeout=RPC_SECONDS)
            channel.deliver = functools.partial(_delivered, hear)
            await channel.basic_consume(made.queue or "", nothing, no_ack=True, timeout=RPC_SECONDS)
        self._channel = channel
        return True

    async def close(self) -> None:
        """Listen no more."""
        channel, self._channel = self._channel, None
        if channel is not None and not channel.is_closed:
            with naming("listening no more"):
                await channel.close(None, timeout=RPC_SECONDS)


def _delivered(hear: Callable[[Word], object], _number: int, content: Content) -> None:
    word = members.read(content.body)
    if word is not None:
        hear(word)


class Watch:
    """Hears the members of one group without being one of them."""

    def __init__(self, topic: str, group: str) -> None:
        self._clock = asyncio.get_running_loop().time
        self._members = Members("")
        self._ear = Ear(topic, group)

    async def in_hand(self, connection: RabbitConnection, first: int = 0) -> int:
        """Count what the members have in hand of the queues from a number on, by what each last said.

        It takes a second to hear all of them, the first time; with `first` each time, so that it is what they have now.

        Raises:
            BrokerAwayError: the connection is lost.
        """
        began = await self._ear.listen(connection, lambda word: self._members.hear(word, self._clock()))
        if began or first:
            await asyncio.sleep(HEAR_SECONDS)
        return self._members.in_hand(self._clock(), first)
