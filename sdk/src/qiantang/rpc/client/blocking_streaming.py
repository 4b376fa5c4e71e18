"""Blocking streaming: calls that stream for programs without an event loop: a plain iterator of what comes, or of what goes.

One socket is used by one call alone, so what is not read stays there: the window bounds what the other end sends meanwhile. Both
directions at once are refused: a thread that waits to send reads nothing, and two ends that do so wait for each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Protocol

from qiantang.kernel import errors
from qiantang.rpc.client import exchange
from qiantang.rpc.client.asking import Asked, span_of
from qiantang.rpc.client.going import Going
from qiantang.rpc.client.governing import Governor
from qiantang.rpc.errors import DeadlineError, InvalidArgumentsError, ProtocolError, UnreadableResultError
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.model.streams import GIVES, TAKES
from qiantang.rpc.wire import flow, frames, headers
from qiantang.rpc.wire.frames import Bytes


class Line(Protocol):
    """A connection with one call under way."""

    node: str
    methods: Mapping[str, int]

    def begin(self, header: headers.CallHeader, body: bytes, deadline: float, streams: int = 0) -> None:
        """Begin a call."""
        ...

    def tell(self, kind: int, body: bytes, deadline: float) -> None:
        """Send a frame of the call."""
        ...

    def heard(self, deadline: float, *, waits: bool = True) -> tuple[int, Bytes]:
        """Give the next frame of the call, with the type 0 where it is not there and nobody waits for it."""
        ...


class Lines(Protocol):
    """The connections to a node."""

    def take(self, deadline: float) -> Any:
        """Give one that nobody else uses."""
        ...

    def give_back(self, connection: Any) -> None:
        """Keep it, if it is of use."""
        ...


class BlockingStreaming:
    """The calls of one caller that stream. `lines` chooses the node of an attempt; the governor is asked under the lock."""

    def __init__(
        self, governor: Governor[Any], lock: threading.Lock, lines: Callable[[Going[Any], float], Lines]
    ) -> None:
        self.governor = governor
        self.lock = lock
        self.lines = lines

    def open(self, method: MethodDefinition, arguments: Any, outgoing: Any) -> Any:
        """Give an iterator of what a method gives, which calls it when it is begun; or send what it takes, and give its result.

        Raises:
            UnsupportedError: it does both.
            QiantangError: see `BlockingCaller.call`.
        """
        if method.streams == GIVES | TAKES:
            raise errors.UnsupportedError(
                f"{method.path} streams both ways, which a blocking caller cannot: call it from an event loop"
            )
        if method.streams & TAKES and not hasattr(outgoing, "__iter__"):
            kind = type(outgoing).__name__
            raise InvalidArgumentsError(f"{method.path} takes, as {method.stream}, an iterable: a {kind} is none")
        asked = Asked(method, arguments, exchange.written(method, arguments), current.get(), outgoing)
        return self._items(asked) if method.streams & GIVES else self._result(asked)

    def _items(self, asked: Asked) -> Generator[Any]:
        call, failure = BlockingCall(self, asked), None
        try:
            body = call.first()
            while body:
                yield exchange.result_of(asked.method, call.node, body)
                body = call.next()
        except BaseException as error:
            failure = error
            raise
        finally:
            call.end(failure)

    def _result(self, asked: Asked) -> Any:
        call, failure = BlockingCall(self, asked), None
        try:
            return exchange.result_of(asked.method, call.node, call.first() or b"")
        except BaseException as error:
            failure = error
            raise
        finally:
            call.end(failure)


class BlockingCall:
    """One call on its way, with all its attempts; `end` follows. It begins to count when it is made."""

    def __init__(self, streaming: BlockingStreaming, asked: Asked) -> None:
        self.node = ""
        self._lock = streaming.lock
        self._lines = streaming.lines
        self._asked = asked
        with self._lock:
            self._going = streaming.governor.begin(asked.method, asked.arguments, asked.above, time.monotonic())
        self._span = span_of(self._going.ticket, asked.above)
        self._open: tuple[Lines, Line] | None = None
        self._sending, self._receiving = flow.Sending(), flow.Receiving()
        self._was_taken = False
        self._has_begun = False
        self._gave_at = 0.0
        self._is_behind = False

    def first(self) -> Bytes | None:
        """Give the first item, or the result; None where the stream ended without one.

        Raises:
            QiantangError: what befell the last attempt.
        """
        going = self._going
        with self._lock:
            pause = going.wait(going.ticket.begun)
        while True:
            if pause:
                time.sleep(pause)
            try:
                found = self._attempt()
            except errors.QiantangError as error:
                self._leave()
                if self._was_taken:
                    raise  # nobody can take again what the caller streams
                with self._lock:
                    pause = going.failed(error, time.monotonic())
            else:
                self._has_begun = True
                self._gave_at = time.monotonic()
                with self._lock:
                    going.answered(self._gave_at)
                return found

    def next(self) -> Bytes | None:
        """Give the next item, or None at the end.

        Raises:
            QiantangError: what ended the stream otherwise.
        """
        now = time.monotonic()
        self._is_behind = self._is_behind or now - self._gave_at >= self._span.idle
        found = self._take(self._line(), self._deadline())
        self._gave_at = time.monotonic()
        return found

    def end(self, failure: BaseException | None) -> None:
        """The call is over, however that came; a connection on which it is not is of no use any more."""
        self._leave()
        is_own = isinstance(failure, DeadlineError) and self._is_behind
        if self._has_begun and (is_own or not isinstance(failure, errors.QiantangError)):
            failure = None  # who has had enough, or read too slowly, says nothing against the node
        with self._lock:
            self._going.end(time.monotonic(), failure)

    def _attempt(self) -> Bytes | None:
        going, asked, now = self._going, self._asked, time.monotonic()
        deadline = going.ticket.deadline
        lines = self._lines(going, now)
        line: Line = lines.take(deadline)
        self._open, self.node = (lines, line), line.node
        self._sending, self._receiving = flow.Sending(), flow.Receiving()
        header = exchange.stream_header_of(going.header(line.methods, asked.above, now), self._span, now)
        line.begin(header, asked.body, deadline, asked.method.streams)
        if asked.method.streams & GIVES:
            return self._take(line, deadline)
        return self._send(line, iter(asked.outgoing))

    def _take(self, line: Line, deadline: float) -> Bytes | None:
        kind, body = line.heard(deadline)
        if kind == frames.STREAM_END:
            return None
        if kind == frames.ERROR:
            raise headers.read_error(body)
        if kind == frames.RESULT:
            raise UnreadableResultError(f"{self.node} gave a result of {self._asked.method.path}, and no stream")
        if kind != frames.STREAM_DATA:
            raise ProtocolError(f"{self.node} sent a frame of type {kind} to who sends nothing")
        self._receiving.received(len(body))
        more = self._receiving.taken(len(body))
        if more:
            line.tell(frames.CREDIT, headers.encode(more), deadline)
        return body

    def _send(self, line: Line, outgoing: Iterator[Any]) -> Bytes:
        """Send all that the caller streams; give the result."""
        self._was_taken = True
        for item in outgoing:
            body = exchange.item_of(self._asked.method, item)
            answer = self._credit(line, len(body))
            if answer is not None:
                return answer
            self._sending.sent(len(body))
            line.tell(frames.STREAM_DATA, body, self._deadline())
        line.tell(frames.STREAM_END, b"", self._deadline())
        while True:
            answer = self._answer(*line.heard(self._deadline()))
            if answer is not None:
                return answer

    def _credit(self, line: Line, size: int) -> Bytes | None:
        """Wait until an item may be sent; give the result where the node has that already."""
        while True:
            may_send = self._sending.may_send(size)
            kind, body = line.heard(self._deadline(), waits=not may_send)
            if not kind:
                return None
            answer = self._answer(kind, body)
            if answer is not None:
                return answer

    def _answer(self, kind: int, body: Bytes) -> Bytes | None:
        if kind == frames.ERROR:
            raise headers.read_error(body)
        if kind == frames.CREDIT:
            self._sending.renewed(headers.read_credit(body))
            return None
        if kind != frames.RESULT:
            raise UnreadableResultError(f"{self.node} gave a stream of {self._asked.method.path}, and no result")
        return body

    def _deadline(self) -> float:
        return self._span.next(time.monotonic())

    def _line(self) -> Line:
        assert self._open is not None  # noqa: S101  # the first was given
        return self._open[1]

    def _leave(self) -> None:
        if self._open is not None:
            (lines, line), self._open = self._open, None
            lines.give_back(line)
