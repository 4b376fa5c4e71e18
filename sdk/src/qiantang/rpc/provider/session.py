"""Session: one caller's connection at a provider: who it is, and its calls that are under way."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from qiantang.kernel import errors, scope
from qiantang.rpc.errors import (
    CancelledError,
    DeadlineError,
    InvalidArgumentsError,
    OverloadedError,
    ProtocolError,
    TooLargeError,
    UnknownMethodError,
)
from qiantang.rpc.governance.verdict import Outcome, Ticket, outcome_of
from qiantang.rpc.model.context import CallContext, current
from qiantang.rpc.provider import streaming
from qiantang.rpc.provider.handlers import Handler
from qiantang.rpc.provider.host import Host, told
from qiantang.rpc.provider.work import Work
from qiantang.rpc.wire import frames, headers, proof
from qiantang.rpc.wire.frames import Bytes
from qiantang.rpc.wire.link import Deadlines, Link
from qiantang.rpc.wire.streams import Span, Stream, Streams

CANCELS_A_SECOND: Final = 100
"""More than this on average is no use of a service: whoever does it is sent away (as HTTP/2's rapid resets had to be)."""
MOST_KEPT: Final = 64 << 20
"""Bytes of items that one caller's connection may have a provider keep until its handlers take them."""


class Hosts(Host, Protocol):
    """What a session of csf1 needs of its provider."""

    @property
    def handlers(self) -> Sequence[Handler]:
        """What it answers for; a call names one by its place."""
        ...

    def left(self, session: Session) -> None:
        """The connection has ended."""
        ...


class Session:
    """Of one connection. Calls that are under way end with it."""

    def __init__(self, link: Link, host: Hosts) -> None:
        self._link = link
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, tuple[asyncio.Task[None], Work, float]] = {}
        self._deadlines = Deadlines(self._calls, self._expire)
        self._streams = Streams(link, host.max_frame, self._overfull, MOST_KEPT)
        self._caller: scope.Scope | None = None
        self._name = ""
        self._nonce = proof.nonce()
        self._most = host.max_frame
        self._cancels = 0
        self._began = self._loop.time()
        link.end = self

    def __len__(self) -> int:
        """Count the calls that are under way."""
        return len(self._calls)

    @property
    def is_known(self) -> bool:
        """Whether the caller has said who it is."""
        return self._caller is not None

    def opened(self) -> None:
        """Say who answers here, and ask who calls."""
        challenge = headers.Challenge(headers.VERSION, self._host.node, self._nonce)
        self._link.send(frames.CHALLENGE, body=headers.encode(challenge))

    def received(self, kind: int, flags: int, call: int, header: Bytes, body: Bytes) -> None:
        """Take a frame."""
        if kind == frames.CALL and self._caller is not None:
            self._begin(call, flags, header, body)
        elif kind >= frames.STREAM_DATA:
            self._streams.received(kind, call, body)
        elif kind == frames.CANCEL:
            self._cancel(call)
        elif kind == frames.PING:
            self._link.send(frames.PONG, call, flags=self._host.load())
        elif kind == frames.HELLO and self._caller is None:
            self._meet(body)
        else:
            raise ProtocolError(
                f"a caller sent a frame of type {kind} {'before' if not self.is_known else 'after'} HELLO"
            )

    def lost(self, error: Exception | None) -> None:
        """Give up what nobody waits for any more."""
        del error
        self._deadlines.close()
        for number in list(self._calls):
            self._stop(number)
        self._host.left(self)

    def say_goodbye(self, reason: str) -> None:
        """Have the caller send no more calls here; what is under way is answered."""
        self._link.send(frames.GOAWAY, body=reason.encode())

    def end_streams(self, error: errors.QiantangError) -> None:
        """End the calls that stream, however far they are."""
        for number in self._streams.numbers():
            self._stop(number)
            self._fail(number, error)

    def close(self) -> None:
        """End the connection once what was written is sent."""
        self._link.close()

    def look(self, now: float, hello_within: float, frame_within: float, silent_for: float) -> None:
        """End a connection that says nothing, or does not say to the end what it began."""
        says_nothing = not self.is_known and now - self._began > hello_within
        link = self._link
        if says_nothing or now - link.frame_began_at > frame_within or now - link.full_at > frame_within:
            link.abort()
        elif now - self._link.heard_at > silent_for and not self._calls:
            self._link.close()

    # -- inside ------------------------------------------------------------------------------------------

    def _meet(self, body: Bytes) -> None:
        said = headers.read_hello(body)
        if said.version != headers.VERSION:
            raise ProtocolError(f"version {said.version} of csf1 is not known here: this node speaks {headers.VERSION}")
        host = self._host
        try:
            caller = host.gate.admit(said.token, said.proof, self._nonce, host.node)
        except errors.QiantangError as error:
            self._link.send(frames.ERROR, body=headers.write_error(error))
            self._link.close()
            return
        self._caller, self._name = caller.application, str(caller.application)
        self._most = self._streams.most = min(said.max_frame or frames.MAX_FRAME, frames.MAX_FRAME)
        names = [one.definition.path for one in host.handlers]
        welcome = headers.Welcome(names, host.max_frame, host.max_calls)
        self._link.send(frames.WELCOME, body=headers.encode(welcome))

    def _begin(self, number: int, streams: int, header: Bytes, body: Bytes) -> None:
        calls = self._calls
        if number in calls:
            raise ProtocolError(f"call {number} is under way already")
        refused = self._host.may_begin() if len(calls) < self._host.max_calls else self._crowded()
        if refused is not None:
            self._refuse(number, streams, refused)
            return
        try:
            work, span = self._let_in(streams, header, body)
        except errors.QiantangError as error:
            self._host.ended()
            self._refuse(number, streams, error)
            return
        stream = self._streams.add(Stream(number, self._streams, span, self._touch)) if span is not None else None
        deadline = work.ticket.deadline
        calls[number] = (self._loop.create_task(self._answer(number, work, stream)), work, deadline)
        self._deadlines.watch(deadline)

    def _let_in(self, streams: int, header: Bytes, body: Bytes) -> tuple[Work, Span | None]:
        """Read a call, and let it in; the span is that of one that streams.

        Raises:
            QiantangError: it cannot be read, or a rule refuses it.
        """
        caller = self._caller
        assert caller is not None  # noqa: S101  # asked before
        try:
            head = headers.read_stream_call(header) if streams else headers.read_call(header)
            handler = self._host.handlers[head.method]
            said = handler.definition
            if streams != said.streams:
                raise UnknownMethodError(f"{said.path} streams otherwise here: the two ends have different versions")
            entrance = self._host.guard.entrance(said, caller)
            refusal = entrance.admit(caller)
            arguments = said.read_arguments(body) if refusal is None else None
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise InvalidArgumentsError(f"what was sent does not fit the method: {error}") from error
        except IndexError:
            raise UnknownMethodError("the node has fewer methods than that: connect again") from None
        now = time.monotonic()
        until, span = now + head.timeout / 1000, None
        ticket = Ticket(now, until, head.priority, head.attempt)
        if streams and isinstance(head, headers.StreamHeader):
            span = streaming.span_of(head, now)
            until = span.until
            ticket.deadline = min(ticket.deadline, until)
        refusal = refusal or (None if entrance.is_open else entrance.enter(now, ticket, arguments))
        if refusal is not None:
            raise refusal.error()
        context = CallContext(
            said.service, said.name, self._name, until, head.trace, head.attempt, head.priority, head.tag
        )
        return Work(handler, arguments, context, entrance, ticket), span

    def _crowded(self) -> errors.QiantangError:
        return OverloadedError(f"{self._host.max_calls} calls of this connection are under way, as many as may be")

    async def _answer(self, number: int, work: Work, stream: Stream | None) -> None:
        current.set(work.context)
        outcome = Outcome.OK
        try:
            await work.wait()
            if stream is None:
                body = headers.encode(await work.handler.call(work.arguments))
            else:
                body = await streaming.answer(work, stream)
        except asyncio.CancelledError:
            outcome = Outcome.CANCELLED  # whoever cancelled has answered, or nobody waits
        except Exception as error:
            failure = told(error, self._host, work.context)
            outcome = outcome_of(failure)
            self._fail(number, failure)
        else:
            self._tell(number, body)
        finally:
            self._calls.pop(number, None)
            if stream is not None:
                self._close(stream)
            work.leave(outcome)
            self._host.ended()

    def _tell(self, number: int, body: bytes) -> None:
        if len(body) + frames.HEAD > self._most:
            self._fail(number, TooLargeError(f"the result has {len(body):,} bytes: {self._most:,} are allowed"))
        elif number in self._calls:
            self._link.send(frames.RESULT if body else frames.STREAM_END, number, b"", body, self._host.load())
            if len(self._calls) == 1:
                self._link.flush()  # nothing that it could go with

    def _refuse(self, number: int, streams: int, error: errors.QiantangError) -> None:
        self._fail(number, error)
        if streams:
            self._streams.refused()

    def _fail(self, number: int, error: errors.QiantangError) -> None:
        self._link.send(frames.ERROR, number, b"", headers.write_error(error), self._host.load())

    def _touch(self, number: int, deadline: float) -> None:
        """Something of a stream went or came: it has time until its next deadline."""
        call = self._calls.get(number)
        if call is not None:
            task, work, _ = call
            work.ticket.deadline = deadline
            self._calls[number] = (task, work, deadline)
            self._deadlines.watch(deadline)

    def _overfull(self, number: int) -> None:
        self._stop(number)
        self._fail(number, errors.ExhaustedError(f"{self._host.node} keeps too much that its handlers have not taken"))

    def _close(self, stream: Stream) -> None:
        """Take nothing more of a stream; a thread that waits for its next item waits no longer."""
        self._streams.drop(stream.number)
        stream.fail(CancelledError("the call has ended"))

    def _expire(self, number: int) -> None:
        self._stop(number)
        self._fail(number, DeadlineError(f"the call had no answer on {self._host.node} within its time"))

    def _cancel(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is None or not stream.has_sent:
            self._cancels += 1  # a stream of which items were sent was of use
        if self._cancels > CANCELS_A_SECOND * (1 + self._loop.time() - self._began):
            raise ProtocolError("too many calls are given up on this connection")
        self._stop(number)

    def _stop(self, number: int) -> None:
        """Cancel a handler. It counts until it has ended, however long it takes to give up."""
        call = self._calls.pop(number, None)
        if call is None:
            return
        task, work, _ = call
        stream = self._streams.get(number)
        if stream is not None:
            self._close(stream)
        if inspect.getcoroutinestate(task.get_coro()) == inspect.CORO_CREATED:  # pyright: ignore[reportArgumentType]
            work.leave(Outcome.CANCELLED)  # it will not run at all
            self._host.ended()
        task.cancel()
