"""Link: one connection of csf1, whichever end of it: frames, back pressure, and entries that run out of time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, cast

from qiantang.kernel import errors
from qiantang.rpc.errors import ProtocolError
from qiantang.rpc.wire import frames
from qiantang.rpc.wire.frames import Bytes, FrameReader

_NEVER: Final = float("inf")
_pack: Final = frames.PACK
_AFTER_LENGTH: Final = frames.AFTER_LENGTH
PRECISION: Final = 0.01
"""How exactly deadlines are kept, in seconds: one look for all costs less than a timer for each."""


class Deadlines:
    """Ends what runs out of time among the entries of a dict, each a tuple whose last item is its deadline on the monotonic clock,
    which is that of event loops.

    One timer, set for the earliest that was known at the last look: entries that ended in time cost nothing more.
    """

    __slots__ = ("_entries", "_expire", "_loop", "_next", "_timer")

    def __init__(self, entries: Mapping[int, tuple[Any, ...]], expire: Callable[[int], None]) -> None:
        self._entries = entries
        self._expire = expire
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._next = float("inf")

    def watch(self, deadline: float) -> None:
        """An entry was added."""
        if deadline < self._next:
            if self._timer is not None:
                self._timer.cancel()
            self._set(deadline)

    def close(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._next = float("inf")

    def _set(self, deadline: float) -> None:
        self._next = deadline
        self._timer = self._loop.call_at(deadline + PRECISION, self._look)

    def _look(self) -> None:
        self._timer, self._next = None, float("inf")
        now = self._loop.time()
        for number in [number for number, entry in self._entries.items() if entry[-1] <= now]:
            self._expire(number)
        if self._entries and self._timer is None:
            self._set(max(now, min(entry[-1] for entry in self._entries.values())))


class Receives(Protocol):
    """What an end of a link does with what comes."""

    def opened(self) -> None:
        """The connection is there."""
        ...

    def received(self, kind: int, flags: int, call: int, header: Bytes, body: Bytes) -> None:
        """Take a frame. A ProtocolError ends the connection, with its words for the other end."""
        ...

    def lost(self, error: Exception | None) -> None:
        """The connection has ended."""
        ...


class Link(asyncio.Protocol):
    """One connection. `end` takes what comes; it is set before the first byte does.

    `heard_at`, `frame_began_at` and `full_at` say when the last byte came, when a frame began that is not whole, and since when
    the other end has not read what was written; on the loop's clock. The end that `answers` reads no more while its answers wait.
    """

    def __init__(self, *, answers: bool, max_frame: int = frames.MAX_FRAME) -> None:
        self.end: Receives | None = None
        self.transport: asyncio.Transport | None = None
        self.heard_at = 0.0
        self.frame_began_at = _NEVER
        self.full_at = _NEVER
        self._answers = answers
        self._outgoing: list[bytes] = []
        self._reader = FrameReader(max_frame)
        self._preface = bytearray() if answers else None
        self._loop = asyncio.get_running_loop()
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = self._loop.create_future()

    @property
    def is_open(self) -> bool:
        """Whether something can be written still."""
        return self.transport is not None and not self.transport.is_closing()

    @property
    def is_full(self) -> bool:
        """Whether the other end reads more slowly than this one writes."""
        return not self._writable.is_set()

    async def room(self) -> None:
        """Wait until the other end has read most of what was written."""
        await self._writable.wait()

    def send(self, kind: int, call: int = 0, header: bytes = b"", body: bytes = b"", flags: int = 0) -> None:
        """Write a frame, with others of the same turn of the loop: writing each by itself costs more than all else of a call.

        One for a connection that has ended goes nowhere.
        """
        outgoing = self._outgoing
        if not outgoing:
            self._loop.call_soon(self.flush)
        if len(body) <= frames.JOINED_UP_TO:
            size = len(header)  # `frames.frame` written out: to call it takes a fiftieth of a call
            outgoing.append(_pack(_AFTER_LENGTH + size + len(body), kind, flags, size, call) + header + body)
        else:
            outgoing.append(frames.head(kind, call, header, len(body), flags))
            outgoing.append(body)

    def begin(self, kind: int, body: bytes) -> None:
        """Write the preface and the first frame."""
        self._outgoing.append(frames.PREFACE)
        self.send(kind, body=body)
        self.flush()

    def flush(self) -> None:
        """Write now what waits for the end of the turn."""
        outgoing = self._outgoing
        if not outgoing:
            return
        self._outgoing = []
        if self.transport is not None and not self.transport.is_closing():
            self.transport.writelines(outgoing)

    def close(self) -> None:
        """End the connection once what was written is sent."""
        if self.transport is not None:
            self.flush()
            self.transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    async def closed(self) -> None:
        """Wait until the connection has ended."""
        await asyncio.shield(self._closed)

    # -- asyncio's side ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)
        self.heard_at = self._loop.time()
        if self.end is not None:
            self.end.opened()

    def data_received(self, data: bytes) -> None:
        """Take frames apart and pass them on; what is no csf1 ends the connection."""
        self.heard_at = self._loop.time()
        end = self.end
        assert end is not None  # noqa: S101  # set where the link is made
        try:
            if self._preface is not None:
                data = self._begun(data)
            reader = self._reader
            reader.feed(data, end.received)
            if reader.is_inside:
                self.frame_began_at = min(self.frame_began_at, self.heard_at)
            else:
                self.frame_began_at = _NEVER
        except ProtocolError as error:
            self._refuse(error)

    def pause_writing(self) -> None:
        """The other end is slow."""
        self._writable.clear()
        self.full_at = self._loop.time()
        if self._answers and self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The other end has read."""
        self._writable.set()
        self.full_at = _NEVER
        if self._answers and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._writable.set()
        if not self._closed.done():
            self._closed.set_result(None)
        if self.end is not None:
            self.end.lost(exc)

    def _begun(self, data: bytes) -> bytes:
        """Take the preface off; give what follows it."""
        preface = self._preface
        assert preface is not None  # noqa: S101  # asked before
        missing = len(frames.PREFACE) - len(preface)
        preface += data[:missing]
        if not frames.PREFACE.startswith(preface):
            raise ProtocolError(f"the connection began with {bytes(preface)!r}, and not with the preface of csf1")
        if len(preface) == len(frames.PREFACE):
            self._preface = None
        return data[missing:]

    def _refuse(self, error: errors.QiantangError) -> None:
        if self.is_open:
            self.send(frames.GOAWAY, body=error.detail.encode()[:1000])
            self.close()
