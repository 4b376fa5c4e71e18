"""Streams: the calls of one connection that stream, whichever end of it: items there and back, each way with credit by bytes.

A stream stays within its time by what `touch` is told: each item or credit that goes or comes gives it until its next deadline.
While it waits for credit only credit counts, so an end that reads nothing cannot hold the other by sending.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from qiantang.rpc.errors import CancelledError, ConnectionLostError, ProtocolError, TooLargeError
from qiantang.rpc.wire import flow, frames, headers
from qiantang.rpc.wire.frames import Bytes
from qiantang.rpc.wire.link import Link

TURN: Final = 32 << 10
"""Bytes that a stream sends before others have their turn of the loop, and what was sent goes out."""
NEVER: Final = float("inf")


class Span:
    """The time of a stream: `idle` seconds between two items, and until `until` on the monotonic clock for all of it."""

    __slots__ = ("idle", "until")

    def __init__(self, idle: float, until: float = NEVER) -> None:
        self.idle = idle
        self.until = until

    def next(self, now: float) -> float:
        """Give the deadline of the next item."""
        return min(now + self.idle, self.until)


class Stream:
    """One call that streams: what comes is kept until `next` takes it, what `send` is given goes once there is credit.

    `touch` is told the next deadline. After `end` nothing more comes; after `fail` whoever waits gets the error, and nobody sends.
    `has_ended` says that the other end sends no more, `has_sent` that this one sent an item, `is_behind` that items were there at
    the end that had not been taken.
    """

    def __init__(self, number: int, streams: Streams, span: Span, touch: Callable[[int, float], None]) -> None:
        self.number = number
        self.span = span
        self.receiving = flow.Receiving()
        self._sending = flow.Sending()
        self._streams = streams
        self._link = streams.link
        self._touch = touch
        self._loop = asyncio.get_running_loop()
        self._items: deque[Bytes] = deque()
        self.has_ended = False
        self.has_sent = False
        self.is_behind = False
        self._is_over = False
        self._error: BaseException | None = None
        self._stopped: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None
        self._sender: asyncio.Future[None] | None = None
        self._sent_in_turn = 0

    # -- what comes --------------------------------------------------------------------------------------

    def came(self, body: Bytes) -> None:
        """Keep an item.

        Raises:
            ProtocolError: the other end had ended the stream, or had no credit for it.
        """
        if self._is_over:
            raise ProtocolError(f"an item came after the end of stream {self.number}")
        self.receiving.received(len(body))
        # a view would keep all that was read with it
        self._items.append(bytes(body) if isinstance(body, memoryview) else body)
        _wake(self._reader)
        self._went_on()

    def renewed(self, more: int) -> None:
        """Take credit."""
        self._sending.renewed(more)
        _wake(self._sender)
        self._touch(self.number, self.span.next(self._loop.time()))

    def end(self) -> None:
        """Take it that nothing more comes.

        Raises:
            ProtocolError: that was said before.
        """
        if self._is_over:
            raise ProtocolError(f"stream {self.number} was ended twice")
        self._is_over = self.has_ended = True
        _wake(self._reader)
        self._went_on()

    def settle(self, error: BaseException | None) -> None:
        """The call is over: who reads gets what has come, and then the error; who sends gets it at once."""
        self._is_over = True
        self.is_behind = bool(self._items)
        self._error = self._error or error
        self._stopped = self._stopped or error or CancelledError("the call has ended")
        _wake(self._reader)
        _wake(self._sender)

    def fail(self, error: BaseException) -> None:
        """The call is of no use any more: who reads and who sends gets the error at once."""
        self._streams.released(self.receiving.kept)
        self.receiving.kept = 0
        self._items.clear()
        self.settle(error)

    # -- what this end does ------------------------------------------------------------------------------

    async def next(self) -> Bytes | None:
        """Give the next item, or None where the other end has ended the stream.

        Raises:
            QiantangError: what ended it otherwise.
        """
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._is_over:
                return None
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        body = self._items.popleft()
        kept = self.receiving.kept
        more = self.receiving.taken(len(body))
        self._streams.released(kept - self.receiving.kept)
        if more and not self._is_over:
            self._link.send(frames.CREDIT, self.number, body=headers.encode(more))
            self._went_on()
        return body

    async def send(self, body: bytes) -> None:
        """Send an item, once the other end lets it go.

        Raises:
            TooLargeError: it is over the limit of a frame.
            QiantangError: what ended the stream.
        """
        size = len(body)
        if size + frames.HEAD > self._streams.most:
            raise TooLargeError(f"an item has {size:,} bytes: the other end takes {self._streams.most:,}")
        while True:
            if self._stopped is not None:
                raise self._stopped
            while self._link.is_full:
                await self._link.room()
            if not self._link.is_open:
                raise ConnectionLostError("the connection was lost while the call streamed")
            if self._sending.may_send(size):
                break
            await self._credit()
        self._sending.sent(size)
        self.has_sent = True
        self._link.send(frames.STREAM_DATA, self.number, b"", body)
        self._went_on()
        await self._turn(size)

    def finish(self) -> None:
        """Say that nothing more is sent."""
        if self._stopped is not None:
            return
        self._link.send(frames.STREAM_END, self.number)
        self._went_on()

    def _went_on(self) -> None:
        if self._sender is None:
            self._touch(self.number, self.span.next(self._loop.time()))

    async def _credit(self) -> None:
        self._link.flush()
        self._sender = self._loop.create_future()
        try:
            await self._sender
        finally:
            self._sender = None

    async def _turn(self, size: int) -> None:
        self._sent_in_turn += flow.cost(size)
        if self._sent_in_turn >= TURN:
            self._sent_in_turn = 0
            self._link.flush()
            await asyncio.sleep(0)


class Streams:
    """Of one connection. `most` is the largest frame that the other end takes; `overfull` is told of a stream that would have this
    end keep more than `most_kept` bytes of all of them.
    """

    def __init__(self, link: Link, max_frame: int, overfull: Callable[[int], None], most_kept: float = NEVER) -> None:
        self.link = link
        self.most = frames.MAX_FRAME
        self._open: dict[int, Stream] = {}
        self._late = flow.Late(max_frame)
        self._overfull = overfull
        self._kept = 0
        self._most_kept = most_kept

    def numbers(self) -> list[int]:
        """Give which calls they are."""
        return list(self._open)

    def get(self, number: int) -> Stream | None:
        """Give the stream of a call."""
        return self._open.get(number)

    def add(self, stream: Stream) -> Stream:
        """Take frames for a stream; give it."""
        self._open[stream.number] = stream
        return stream

    def drop(self, number: int) -> Stream | None:
        """A stream has ended at this end; what comes for it from now on is passed over, as long as it can have been on its way."""
        stream = self._open.pop(number, None)
        if stream is not None:
            self._late.ended(0 if stream.has_ended else stream.receiving.left)
        return stream

    def refused(self) -> None:
        """A call that streams was refused at once: its items may be on their way."""
        self._late.ended()

    def released(self, size: int) -> None:
        """So many bytes are kept no more."""
        self._kept -= size

    def received(self, kind: int, number: int, body: Bytes) -> None:
        """Take an item, the end of what the other end streams, or credit.

        Raises:
            ProtocolError: it is for no stream that could have it, or more than may come.
        """
        stream = self._open.get(number)
        if stream is None:
            self._late.came(len(body))
        elif kind == frames.CREDIT:
            stream.renewed(headers.read_credit(body))
        elif kind == frames.STREAM_END:
            stream.end()
        else:
            stream.came(body)
            self._kept += flow.cost(len(body))
            if self._kept > self._most_kept:
                self._overfull(number)


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
