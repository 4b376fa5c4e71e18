"""Events: the reader of server-sent events (WHATWG HTML §9.2): bounded, and watching the heartbeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Self

import msgspec

from qiantang.kernel import errors
from qiantang.kernel.uplink.address import Address
from qiantang.kernel.uplink.http import Connection
from qiantang.kernel.uplink.line import BrokenError

MAX_EVENT_BYTES = 262_144
HEARTBEATS_MISSED = 2.5
FIRST_HEARTBEAT_SECONDS = 15.0


class EventTooLargeError(errors.TooLargeError):
    """An event of the stream is over this client's limit."""

    code = "uplink.event_too_large"


class Event(msgspec.Struct, frozen=True):
    """One event: its name and its data."""

    name: str
    data: bytes


class EventParser:
    """Turns bytes, cut anywhere, into events; holds at most one event of `limit` bytes."""

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._rest = b""
        self._after_return = False
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """Give the events that are complete with this chunk.

        Raises:
            EventTooLargeError: an event is over the limit.
        """
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_return = chunk.endswith(b"\r") if chunk else self._after_return
        text = (self._rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = text.split(b"\n")
        events = [event for line in lines if (event := self._line(line)) is not None]
        self._check(len(self._rest))
        return events

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._finish()
        self._check(len(line))
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"data":
            self._data.append(value)
            self._size += len(value) + 1
        return None

    def _finish(self) -> Event | None:
        event = Event(name=self._name or "message", data=b"\n".join(self._data)) if self._data else None
        self._name, self._data, self._size = "", [], 0
        return event

    def _check(self, more: int) -> None:
        if self._size + more > self._limit:
            raise EventTooLargeError(f"an event of the server's stream is over {self._limit} bytes")


class EventStream:
    """An open stream: iterate inside `async with`, on the runtime's loop; leaving the block closes it.

    Iteration ends when the server ends the stream, and raises BrokenError when the line breaks or when no
    byte came for two and a half heartbeats.
    """

    def __init__(
        self,
        connection: Connection,
        heed: Callable[[EventStream, Event], None],
        closed: Callable[[], None],
    ) -> None:
        self.heartbeat_seconds = FIRST_HEARTBEAT_SECONDS
        self._connection = connection
        self._heed = heed
        self._closed: Callable[[], None] | None = closed
        self._chunks = connection.chunks()
        self._parser = EventParser()
        self._ready: list[Event] = []

    @property
    def address(self) -> Address:
        """The server at the far end."""
        return self._connection.address

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._ready:
            self._ready = self._parser.feed(await self._chunk())
        event = self._ready.pop(0)
        self._heed(self, event)
        return event

    async def _chunk(self) -> bytes:
        patience = self.heartbeat_seconds * HEARTBEATS_MISSED
        try:
            async with asyncio.timeout(patience):
                return await anext(self._chunks)
        except TimeoutError as error:
            raise BrokenError(f"{self.address} was silent for {patience:g} s") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection, from the task that iterates; safe to call twice."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()
        self._connection.close()
        await self._chunks.aclose()
