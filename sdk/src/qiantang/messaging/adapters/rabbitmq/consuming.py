"""Consuming: gets the hold of a queue: as its only consumer, on a channel of its own.

A classic queue lets itself be consumed by one alone. A quorum queue does not (3.10), so who owns a lock beside it may: a queue that
is one connection's, and goes with it. That the queue has one active consumer keeps the order until the server knows of a death.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiormq import exceptions as amqp
from aiormq.exceptions import ChannelNotFoundEntity

from qiantang.messaging.adapters.rabbitmq import failing, routing
from qiantang.messaging.adapters.rabbitmq.channels import Channel, nothing
from qiantang.messaging.adapters.rabbitmq.connection import RPC_SECONDS, RabbitConnection, naming
from qiantang.messaging.adapters.rabbitmq.holdings import Held, Holdings
from qiantang.messaging.adapters.rabbitmq.incoming import Content
from qiantang.messaging.adapters.rabbitmq.talk import Ear, Voice
from qiantang.messaging.adapters.sharing.members import Word
from qiantang.messaging.adapters.sharing.membership import Group
from qiantang.messaging.adapters.sharing.supervising import Supervisor
from qiantang.messaging.model import envelope

Lost = Callable[[Held], None]


@dataclass(slots=True, frozen=True)
class Server:
    """What all members of a broker share. `remake` makes a group's queues and bindings anew, at least so many queues."""

    connections: Supervisor[RabbitConnection]
    voice: Voice
    remake: Callable[[Group, int], Awaitable[None]]


class Consuming:
    """Of one receiver: a `sharing.membership.Place`."""

    def __init__(self, group: Group, server: Server, holdings: Holdings, *, prefetch: int, locks: bool) -> None:
        self._group = group
        self._server = server
        self._holdings = holdings
        self._prefetch = prefetch
        self._locks = locks
        self._locked: dict[int, RabbitConnection] = {}
        self._ear = Ear(group.topic, group.name, broadcast=group.broadcast)

    async def listen(self, hear: Callable[[Word], object]) -> bool:
        return await self._ear.listen(await self._server.connections.get(), hear)

    async def say(self, word: Word) -> None:
        await self._server.voice.say(self._group.topic, self._group.name, word)

    async def remake(self, queues: int) -> None:
        await self._server.remake(self._group, queues)

    async def get(self, missing: Sequence[int], lost: Lost) -> None:
        connection = await self._server.connections.get()
        try:
            free = await self._free(connection, missing) if missing else []
        except ChannelNotFoundEntity:  # somebody removed them
            await self.remake(self._group.queues)
            free = list(missing)
        for number in free:
            await self._begin(connection, number, lost)
        await self._unlock(connection)

    async def give_up(self, held: Held) -> None:
        if not held.channel.is_closed:
            with naming(f"letting a queue of {self._named} go"):
                await held.channel.close(None, timeout=RPC_SECONDS)

    async def deafen(self) -> None:
        await self._ear.close()

    # -- inside ------------------------------------------------------------------------------------------

    @property
    def _named(self) -> str:
        return f"{self._group.name} of {self._group.topic}"

    async def _free(self, connection: RabbitConnection, numbers: Sequence[int]) -> list[int]:
        """Give those of the queues that nobody consumes: trying at the others would fill the server's log."""
        channel = await connection.channel_for()
        free: list[int] = []
        with naming(f"looking for free queues of {self._named}", but=ChannelNotFoundEntity):
            for number in numbers:
                name = routing.queue_name(self._group.name, self._group.topic, number)
                found = await channel.queue_declare(name, passive=True, timeout=RPC_SECONDS)
                if not found.consumer_count:
                    free.append(number)
            await channel.close(None, timeout=RPC_SECONDS)
        return free

    async def _unlock(self, connection: RabbitConnection) -> None:
        """Give the locks back of queues that are not held."""
        for number in [one for one in self._locked if self._holdings.find(one) is None]:
            if self._locked[number] is connection:
                with naming("giving a lock back"):
                    channel = await connection.channel_for()
                    name = routing.lock_name(self._group.name, self._group.topic, number)
                    await channel.queue_delete(name, timeout=RPC_SECONDS)
                    await channel.close(None, timeout=RPC_SECONDS)
            del self._locked[number]

    async def _begin(self, connection: RabbitConnection, number: int, lost: Lost) -> None:
        """Hold a queue, unless another does."""
        channel = await connection.channel_for()
        held = self._holdings.take(number, channel)
        channel.deliver = functools.partial(self._delivered, held)
        channel.when_closed(lambda _: self._closed(held, lost))
        channel.on_consumer_cancel_callbacks.add(lambda _: self._cancelled(held, lost))
        with naming(f"consuming queue {number} of {self._named}"):
            try:
                await self._consume(connection, channel, number)
            except amqp.AMQPError as error:
                if failing.is_refusal(error):
                    return
                raise
        self._holdings.keep(held)

    async def _consume(self, connection: RabbitConnection, channel: Channel, number: int) -> None:
        if self._locks:
            lock = routing.lock_name(self._group.name, self._group.topic, number)
            await channel.queue_declare(lock, exclusive=True, timeout=RPC_SECONDS)
            self._locked[number] = connection
        name = routing.queue_name(self._group.name, self._group.topic, number)
        await channel.basic_qos(prefetch_count=self._prefetch, timeout=RPC_SECONDS)
        await channel.basic_consume(name, nothing, exclusive=not self._locks, timeout=RPC_SECONDS)

    def _closed(self, held: Held, lost: Lost) -> None:
        if held.kept and not held.lost:
            lost(held)
        held.lost = True

    def _cancelled(self, held: Held, lost: Lost) -> None:
        """Hear that the server ended a consumer: its queue was removed, or moves to another server."""
        self._closed(held, lost)
        channel: Channel = held.channel
        channel.forget()

    def _delivered(self, held: Held, number: int, content: Content) -> None:
        frame = envelope.framed(self._group.topic, content.body, content.text, content.binary)
        if not frame.id:
            frame.id = content.id
        self._holdings.come(held, number, frame)
