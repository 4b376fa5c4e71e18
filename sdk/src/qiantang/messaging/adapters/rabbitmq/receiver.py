"""Receiver: a member of a group, and how the server is told of what is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from qiantang.messaging.adapters.rabbitmq import frames as wire
from qiantang.messaging.adapters.rabbitmq.channels import Channel
from qiantang.messaging.adapters.rabbitmq.connection import naming
from qiantang.messaging.adapters.rabbitmq.holdings import Holdings
from qiantang.messaging.adapters.sharing.membership import Membership
from qiantang.messaging.adapters.sharing.receiver import SharingReceiver
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Taken

WRITE_SECONDS: Final = 5.0
Join = Callable[[Holdings, Callable[[], None]], Membership[Any]]


class RabbitReceiver(SharingReceiver[Holdings]):
    """Of one event loop. `join` makes its membership."""

    def __init__(self, name: str, tags: Sequence[str], join: Join) -> None:
        super().__init__(name, lambda wake, emptied: Holdings(tags, wake, emptied), join)

    async def finish(self, some: Iterable[Taken]) -> None:
        """Acknowledge, in one write to each connection: it may be two for a moment, an old one and a new one."""
        writes: dict[int, tuple[Channel, list[bytes]]] = {}
        for held, numbers in self.holdings.done(some).items():
            channel: Channel = held.channel
            if not channel.is_closed:
                found = writes.setdefault(id(channel.connection), (channel, []))
                found[1].append(wire.acknowledged(channel.number, numbers))
        for channel, parts in writes.values():
            try:
                with naming("acknowledging"):
                    async with asyncio.timeout(WRITE_SECONDS):
                        await channel.write(b"".join(parts))
            except BrokerAwayError:
                channel.cut()  # what is not acknowledged comes again, on a connection that is none of this one
                raise
