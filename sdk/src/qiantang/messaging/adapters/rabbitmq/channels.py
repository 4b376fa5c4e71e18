"""Channels: plain channels of aiormq; what comes of messages and confirms is told at once to whoever uses the channel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from aiormq.abc import ChannelFrame, DeliveredMessage
from aiormq.channel import Channel as PlainChannel
from aiormq.connection import Connection as PlainConnection

from qiantang.messaging.adapters.rabbitmq.incoming import Content

FORGET_SECONDS = 8.0
BUFFER = 256
"""So many frames of a channel wait to be taken apart; then the connection is read no further."""

Deliver = Callable[[int, Content], None]
Closed = Callable[[BaseException | None], None]


class Answers(Protocol):
    """Who hears what becomes of published messages, which count from 1 on a channel."""

    def confirmed(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """Hear that a message was taken, or not; with `multiple`, all before it that were not confirmed as well."""
        ...

    def returned(self, id: str) -> None:
        """Hear that no queue wants a message, which is confirmed next."""
        ...


class Channel(PlainChannel):
    """One channel; `cut` ends its connection. `deliver` gets each delivery with its number, `answers` what becomes of messages."""

    def __init__(
        self, connection: PlainConnection, number: int, cut: Callable[[], None], answers: Answers | None = None
    ) -> None:
        super().__init__(connection, number, publisher_confirms=answers is not None, frame_buffer=BUFFER)
        self.deliver: Deliver | None = None
        self._answers = answers
        self._cut = cut
        self._forgetting: asyncio.Task[None] | None = None

    def when_closed(self, told: Closed) -> None:
        """Have somebody told when it closes, and of what; nothing is said of it where it was closed from here."""
        plain: Any = self  # annotated in part only
        closing: asyncio.Future[Any] = plain.closing
        closing.add_done_callback(lambda future: told(None if future.cancelled() else future.exception()))

    def forget(self) -> None:
        """Close it by and by: who cannot wait for that calls this."""
        self._forgetting = asyncio.create_task(self._forget())

    def cut(self) -> None:
        """Cut its connection off: the server does not read what is written to it."""
        self._cut()

    async def write(self, data: bytes) -> None:
        """Put frames on their way that are bytes already, all or none of them, in one go."""
        plain: Any = self  # annotated in part only
        await plain.write_queue.put(ChannelFrame(payload=data, should_close=False))

    async def _forget(self) -> None:
        with contextlib.suppress(
            Exception
        ):  # whatever the library says of it: it is closed, or lost with its connection
            await self.close(None, timeout=FORGET_SECONDS)

    # -- what comes, see `incoming.Taker` ----------------------------------------------------------------

    def delivered(self, number: int, content: Content) -> None:
        if self.deliver is not None:
            self.deliver(number, content)

    def returned(self, content: Content) -> None:
        if self._answers is not None:
            self._answers.returned(content.id)

    def confirmed(self, number: int, *, multiple: bool, accepted: bool) -> None:
        if self._answers is not None:
            self._answers.confirmed(number, multiple=multiple, accepted=accepted)


async def nothing(_message: DeliveredMessage) -> None:
    """Take the place of a callback: what comes is told by `Channel.deliver`."""
