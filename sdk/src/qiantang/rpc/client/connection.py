"""Connection: a caller's connection to one node: calls by their numbers, and what comes back for each."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Final

from qiantang.kernel import errors
from qiantang.rpc.errors import (
    CancelledError,
    ConnectionLostError,
    DeadlineError,
    NodeAwayError,
    ProtocolError,
    TooLargeError,
)
from qiantang.rpc.wire import frames, headers
from qiantang.rpc.wire.frames import Bytes
from qiantang.rpc.wire.headers import CallHeader, StreamHeader
from qiantang.rpc.wire.link import Deadlines, Link
from qiantang.rpc.wire.streams import Span, Stream, Streams

PING_AFTER: Final = 15.0
DEAD_AFTER: Final = 2 * PING_AFTER + 5.0
CONNECT_SECONDS: Final = 3.0

Introduces = Callable[[headers.Challenge], headers.Hello]
"""Gives what a caller says of itself to a node that asks."""
Pending = tuple["asyncio.Future[Bytes]", float]


class Connection:
    """Open, and of one event loop. Once it is `is_leaving` or lost it takes no more calls."""

    def __init__(self, address: str, link: Link) -> None:
        self.address = address
        self.node = ""
        self.load = 0
        self.is_leaving = False
        self.methods: dict[str, int] = {}
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, Pending] = {}
        self._deadlines = Deadlines(self._pending, self._expire)
        self._streams = Streams(link, frames.MAX_FRAME, self.give_up)
        self._number = 0
        self._most = frames.MAX_FRAME
        self._most_calls = 1
        self._challenge: asyncio.Future[headers.Challenge] = self._loop.create_future()
        self._welcome: asyncio.Future[None] = self._loop.create_future()
        self._look: asyncio.TimerHandle | None = None
        link.end = self

    def __len__(self) -> int:
        """Count the calls that are under way."""
        return len(self._pending)

    @property
    def takes_calls(self) -> bool:
        """Whether another call can be made on it."""
        return not self.is_leaving and self._link.is_open and len(self._pending) < self._most_calls

    async def meet(self, introduce: Introduces) -> None:
        """Say who calls, and learn what the node answers for.

        Raises:
            ProtocolError, NodeAwayError: it is no provider, or was lost.
            UnauthenticatedError, ForbiddenError: it does not admit this caller.
        """
        challenge = await self._challenge
        self.node = challenge.node
        self._link.begin(frames.HELLO, headers.encode(introduce(challenge)))
        await self._welcome
        self._look = self._loop.call_later(PING_AFTER, self._ping)

    async def call(self, header: CallHeader, body: bytes, deadline: float) -> Bytes:
        """Make a call; give the bytes of its result. `deadline` is on the monotonic clock.

        Raises:
            QiantangError: what the provider raised, or what befell the connection.
        """
        if len(body) + frames.HEAD > self._most or self._link.is_full or not self._link.is_open:
            await self._room(body, deadline)
        answer = self._begin(header, body, deadline)
        number = self._number
        try:
            return await answer
        except asyncio.CancelledError:
            if self._pending.pop(number, None) is not None:
                self._link.send(frames.CANCEL, number)
            raise

    async def open(
        self, header: StreamHeader, body: bytes, streams: int, deadline: float, span: Span
    ) -> tuple[Stream, asyncio.Future[Bytes]]:
        """Begin a call that streams: give the stream, and what gives its result, nothing where it gave items; or why it ended.

        The deadline is until something comes, or is sent after the arguments. `give_up` follows where the call did not end.

        Raises:
            TooLargeError, NodeAwayError: it was not sent.
        """
        if len(body) + frames.HEAD > self._most or self._link.is_full or not self._link.is_open:
            await self._room(body, deadline)
        answer = self._begin(header, body, deadline, streams)
        stream = self._streams.add(Stream(self._number, self._streams, span, self._touch))
        answer.add_done_callback(lambda ended: self._settled(stream, ended))
        return stream, answer

    def give_up(self, number: int) -> None:
        """Have the node give up a call that streams, if it has not ended."""
        pending = self._pending.pop(number, None)
        if pending is not None:
            pending[0].cancel()
            self._link.send(frames.CANCEL, number)

    async def close(self, within: float = 0.0) -> None:
        """End the connection, once what is under way is answered or so many seconds have passed."""
        self.is_leaving = True
        waiting = [answer for answer, _ in self._pending.values()]
        if waiting and within:
            await asyncio.wait(waiting, timeout=within)
        self._link.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self._link.closed()
        self._link.abort()

    # -- what comes --------------------------------------------------------------------------------------

    def opened(self) -> None:
        """The node speaks first."""

    def received(self, kind: int, flags: int, call: int, header: Bytes, body: Bytes) -> None:
        """Take a frame."""
        del header  # what comes back has none
        if kind == frames.RESULT:
            self.load = flags
            pending = self._pending.pop(call, None)
            if pending is not None and not pending[0].done():
                pending[0].set_result(body)
        elif kind == frames.ERROR and self._welcome.done():
            self.load = flags
            self._fail(call, headers.read_error(body))
        elif kind == frames.CHALLENGE and not self._challenge.done():
            self._challenge.set_result(headers.read_challenge(body))
        elif kind == frames.ERROR:
            self._turned_away(headers.read_error(body))
        elif kind == frames.PONG:
            self.load = flags
        elif kind == frames.GOAWAY:
            self._said_goodbye(body)
        elif kind == frames.WELCOME and not self._welcome.done():
            self._welcomed(headers.read_welcome(body))
        elif kind >= frames.STREAM_DATA:
            self._streamed(kind, flags, call, body)
        else:
            raise ProtocolError(f"the node sent a frame of type {kind}, which no caller expects")

    def lost(self, error: Exception | None) -> None:
        """Tell every call that is under way, at once."""
        self.is_leaving = True
        self._deadlines.close()
        if self._look is not None:
            self._look.cancel()
        why = f": {error}" if error is not None else ""
        self._turned_away(NodeAwayError(f"{self.address} ended the connection before it was open{why}"))
        lost = f"the connection to {self.node or self.address} was lost{why}"
        for number in list(self._pending):
            self._fail(number, ConnectionLostError(lost))

    # -- inside ------------------------------------------------------------------------------------------

    def _welcomed(self, said: headers.Welcome) -> None:
        self.methods = {name: place for place, name in enumerate(said.methods)}
        self._most = self._streams.most = max(frames.HEAD, said.max_frame)
        self._most_calls = max(1, said.max_calls)
        self._welcome.set_result(None)

    def _said_goodbye(self, body: Bytes) -> None:
        self.is_leaving = True
        reason = bytes(body[:1000]).decode(errors="replace")
        self._turned_away(ProtocolError(f"{self.address} sent this caller away: {reason}"))

    def _turned_away(self, error: errors.QiantangError) -> None:
        """Tell who is still waiting for the connection."""
        for waiting in (self._challenge, self._welcome):
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # one of the two is waited for

    def _fail(self, number: int, error: errors.QiantangError) -> None:
        pending = self._pending.pop(number, None)
        if pending is not None and not pending[0].done():
            pending[0].set_exception(error)

    def _expire(self, number: int) -> None:
        self._fail(number, DeadlineError(f"{self.node} gave no answer within the time of the call"))
        self._link.send(frames.CANCEL, number)

    def _begin(self, header: CallHeader, body: bytes, deadline: float, flags: int = 0) -> asyncio.Future[Bytes]:
        """Send a call; its number is the last that was given."""
        self._number = number = self._number + 1
        answer: asyncio.Future[Bytes] = self._loop.create_future()
        self._pending[number] = (answer, deadline)
        self._deadlines.watch(deadline)
        self._link.send(frames.CALL, number, headers.encode(header), body, flags)
        if len(self._pending) == 1:
            self._link.flush()  # nothing that it could go with
        return answer

    async def _room(self, body: bytes, deadline: float) -> None:
        """Wait until a call can be sent.

        Raises:
            TooLargeError, NodeAwayError: it cannot.
        """
        if len(body) + frames.HEAD > self._most:
            raise TooLargeError(f"the call has {len(body):,} bytes: {self.node} takes {self._most:,}")
        try:
            async with asyncio.timeout_at(deadline):
                await self._link.room()
        except TimeoutError:
            raise NodeAwayError(f"{self.node} reads nothing: the call was not sent within its time") from None
        if not self._link.is_open:
            raise NodeAwayError(f"the connection to {self.address} has ended")

    # -- calls that stream -------------------------------------------------------------------------------

    def _touch(self, number: int, deadline: float) -> None:
        pending = self._pending.get(number)
        if pending is not None:
            self._pending[number] = (pending[0], deadline)
            self._deadlines.watch(deadline)

    def _streamed(self, kind: int, flags: int, number: int, body: Bytes) -> None:
        """Take what comes of a stream; at its end nothing is its result."""
        if kind != frames.STREAM_END or self._streams.get(number) is None:
            self._streams.received(kind, number, body)
            return
        self.load = flags
        pending = self._pending.pop(number, None)
        if pending is not None and not pending[0].done():
            pending[0].set_result(b"")

    def _settled(self, stream: Stream, answer: asyncio.Future[Bytes]) -> None:
        self._streams.drop(stream.number)
        if answer.cancelled():
            stream.settle(CancelledError("the call was given up"))
        else:
            stream.settle(answer.exception())

    def _ping(self) -> None:
        quiet = self._loop.time() - self._link.heard_at
        if quiet > DEAD_AFTER:
            self._link.abort()
            return
        if quiet >= PING_AFTER / 2:
            self._link.send(frames.PING)
        self._look = self._loop.call_later(PING_AFTER, self._ping)


async def connect(
    address: str, introduce: Introduces, *, tls: ssl.SSLContext | None = None, within: float = CONNECT_SECONDS
) -> Connection:
    """Open a connection to a node: host:port, or unix:path.

    Raises:
        NodeAwayError: it could not be reached in time.
        ProtocolError: what answers there is no provider.
    """
    loop = asyncio.get_running_loop()
    link = Link(answers=False)
    connection = Connection(address, link)
    try:
        async with asyncio.timeout(within):
            if address.startswith("unix:"):
                await loop.create_unix_connection(lambda: link, address.removeprefix("unix:"), ssl=tls)
            else:
                host, _, port = address.rpartition(":")
                await loop.create_connection(lambda: link, host.strip("[]"), int(port), ssl=tls)
            await connection.meet(introduce)
    except (OSError, TimeoutError, ValueError) as error:
        link.abort()
        why = str(error) or f"no answer within {within:g} s"
        raise NodeAwayError(f"{address} could not be connected to: {why}") from error
    except BaseException:
        link.abort()
        raise
    return connection
