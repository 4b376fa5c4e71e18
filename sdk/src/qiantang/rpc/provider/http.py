"""HTTP: the same methods for every other language: `POST /service/method`, JSON there and back, problem+json where it went wrong.

`GET /openapi.json` says what there is. The caller shows its token as a bearer; what it has left comes in `qiantang-timeout-ms`, its
trace in `traceparent`. A stream of results is a line of JSON for each, as fast as the caller reads them; what went wrong after the
first is a last line `{"error": …}`. What the caller streams is not taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol, cast

import h11
import msgspec

from qiantang.kernel import errors, scope
from qiantang.rpc.errors import DeadlineError, InvalidArgumentsError, TooLargeError, UnknownMethodError
from qiantang.rpc.governance.verdict import Outcome, Ticket, outcome_of
from qiantang.rpc.model.context import CallContext, current
from qiantang.rpc.model.openapi import LINES
from qiantang.rpc.model.streams import TAKES
from qiantang.rpc.provider.handlers import Handler
from qiantang.rpc.provider.host import Host, told
from qiantang.rpc.provider.http_headers import bearer_of, context_of, problem_of
from qiantang.rpc.provider.work import Work
from qiantang.rpc.wire.streams import TURN

MAX_HEAD: Final = 32 << 10
MAX_AHEAD: Final = 64 << 10
"""Bytes of further requests that are read while one is answered."""
DESCRIPTION: Final = "/openapi.json"
_NEVER: Final = float("inf")
_encode = msgspec.json.Encoder().encode


class HttpHost(Host, Protocol):
    """What a session of HTTP needs of its provider."""

    def left(self, session: HttpSession) -> None:
        """The connection has ended."""
        ...


class HttpSession(asyncio.Protocol):
    """One connection: one request after another. What is read of a request is bounded before it is kept."""

    def __init__(self, host: HttpHost, routes: Mapping[str, Handler], described: Callable[[], bytes]) -> None:
        self._host = host
        self._routes = routes
        self._described = described
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._leaving = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._full_at = _NEVER
        self._streams = False
        self._ended_by: errors.QiantangError | None = None
        self._began = self._heard_at = self._loop.time()

    # -- what the provider asks ----------------------------------------------------------------------------

    def say_goodbye(self, reason: str) -> None:
        """Have this be the last request of the connection."""
        del reason
        self._leaving = True
        if self._task is None:
            self.close()

    def end_streams(self, error: errors.QiantangError) -> None:
        """End the answer that streams, however far it is."""
        if self._task is not None and self._streams:
            self._ended_by = error
            self._task.cancel()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def look(self, now: float, hello_within: float, frame_within: float, silent_for: float) -> None:
        """End a connection that says nothing, or does not say to the end what it began."""
        del hello_within
        transport = self._transport
        if transport is None:
            return
        began = self._request is not None or bool(self._http.trailing_data[0])
        if now - self._full_at > frame_within:
            transport.abort()
        elif self._task is not None:
            return
        elif began and now - self._began > frame_within:
            transport.abort()
        elif now - self._heard_at > silent_for:
            transport.close()

    # -- asyncio's side ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self._heard_at = self._loop.time()
        self._http.receive_data(data)
        if self._task is None:
            self._take()
        self._read_or_wait()

    def pause_writing(self) -> None:
        """The caller reads more slowly than it is answered."""
        self._writable.clear()
        self._full_at = self._loop.time()
        self._read_or_wait()

    def resume_writing(self) -> None:
        """The caller has read."""
        self._writable.set()
        self._full_at = _NEVER
        self._read_or_wait()
        self._take()

    def _read_or_wait(self) -> None:
        """Keep little of what comes while a call is answered, or its answer waits to be read; its end is heard of by reading."""
        if self._transport is None or self._transport.is_closing():
            return
        if not self._writable.is_set() or len(self._http.trailing_data[0]) > MAX_AHEAD:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what nobody waits for any more."""
        del exc
        self._writable.set()
        if self._task is not None:
            self._task.cancel()
        self._host.left(self)

    # -- requests --------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Take what came apart, until a request is whole or more has to come."""
        try:
            self._take_events()
        except h11.RemoteProtocolError as error:
            self._refuse(errors.InvalidRequestError(f"what came is no HTTP: {error}"), error.error_status_hint)

    def _take_events(self) -> None:
        while self._task is None and self._writable.is_set():
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.Request):
                self._request, self._body, self._began = event, bytearray(), self._loop.time()
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > self._host.max_frame:
                    most = self._host.max_frame
                    self._refuse(TooLargeError(f"a call may have {most:,} bytes"), 413)
                    return
            elif isinstance(event, h11.EndOfMessage) and self._request is not None:
                self._task = asyncio.create_task(self._answer(self._request, bytes(self._body)))

    async def _answer(self, request: h11.Request, body: bytes) -> None:
        try:
            kind, written = "application/json", await self._result(request, body)
            status, more = 200, list[tuple[str, str]]()
        except errors.QiantangError as error:
            kind, written, status, more = self._went_wrong(error)
        except asyncio.CancelledError:
            if self._ended_by is None:
                raise
            kind, written, status, more = self._went_wrong(self._ended_by)
        self._respond(status, kind, written, more)
        self._task = self._request = None
        self._streams = False
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE and not self._leaving:
            self._http.start_next_cycle()
            self._take()  # what came meanwhile
            self._read_or_wait()
        else:
            self.close()

    async def _result(self, request: h11.Request, body: bytes) -> bytes:
        path = request.target.decode("ascii", "replace").partition("?")[0]
        said = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
        caller = self._host.gate.admit_bearer(bearer_of(said), self._host.node)
        if path == DESCRIPTION and request.method == b"GET":
            return self._described()
        handler = self._handler(path, request)
        context = context_of(handler.definition, said, str(caller.application))
        refused = self._host.may_begin()
        if refused is not None:
            raise refused
        try:
            return await self._do(self._work(handler, body, context, caller.application))
        finally:
            self._host.ended()

    def _handler(self, path: str, request: h11.Request) -> Handler:
        handler = self._routes.get(path)
        if handler is None:
            raise UnknownMethodError(f"there is no {path[:200]} here; {DESCRIPTION} says what there is")
        if request.method != b"POST":
            raise errors.InvalidRequestError(f"call {path} with POST and a JSON object of its arguments")
        if handler.definition.streams & TAKES:
            raise errors.UnsupportedError(f"{path} takes a stream, which HTTP does not carry here: call it over csf1")
        return handler

    def _work(self, handler: Handler, body: bytes, context: CallContext, who: scope.Scope) -> Work:
        """Read a call, and let it in."""
        entrance = self._host.guard.entrance(handler.definition, who)
        refusal = entrance.admit(who)
        if refusal is not None:
            raise refusal.error()
        try:
            arguments = handler.definition.read_json_arguments(body or b"{}")
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise InvalidArgumentsError(f"what was sent does not fit the method: {error}") from error
        now = time.monotonic()
        ticket = Ticket(now, context.deadline, context.priority)
        refusal = entrance.enter(now, ticket, arguments)
        if refusal is not None:
            raise refusal.error()
        if handler.definition.streams:
            context = msgspec.structs.replace(context, deadline=_NEVER)  # its time is between two items
        return Work(handler, arguments, context, entrance, ticket)

    async def _do(self, work: Work) -> bytes:
        outcome = Outcome.CANCELLED
        current.set(work.context)
        try:
            async with asyncio.timeout_at(work.ticket.deadline) as time_left:  # the loop's clock is the monotonic one
                await work.wait()
                if work.handler.definition.streams:
                    found = await self._lines(work, time_left)
                else:
                    found = _encode(await work.handler.call(work.arguments))
            outcome = Outcome.OK
        except TimeoutError:
            raise DeadlineError(f"the call had no answer on {self._host.node} within its time") from None
        except Exception as error:
            failure = told(error, self._host, work.context)
            outcome = outcome_of(failure)
            raise failure from None
        finally:
            work.leave(outcome)
        return found

    async def _lines(self, work: Work, time_left: asyncio.Timeout) -> bytes:
        """Answer with a line for each item; give what is left to be written, which is nothing."""
        self._streams = True
        ticket, written = work.ticket, 0
        idle = ticket.deadline - ticket.begun
        async with contextlib.aclosing(work.handler.call(work.arguments, None)) as items:
            async for item in items:
                line = _encode(item) + b"\n"
                if len(line) > self._host.max_frame:
                    raise TooLargeError(f"an item has {len(line):,} bytes: {self._host.max_frame:,} are allowed")
                await self._writable.wait()
                self._begin_lines()
                self._write(h11.Data(data=line))
                written += len(line)
                if written >= TURN:
                    written = 0
                    await asyncio.sleep(0)
                ticket.deadline = self._loop.time() + idle
                time_left.reschedule(ticket.deadline)
        self._begin_lines()
        return b""

    # -- answers ---------------------------------------------------------------------------------------------

    def _respond(self, status: int, kind: str, body: bytes, more: list[tuple[str, str]]) -> None:
        """Answer; or write what is left of an answer that streams."""
        if self._http.our_state is not h11.SEND_BODY:
            self._begin(status, [("content-type", kind), ("content-length", f"{len(body)}"), *more])
        self._write(h11.Data(data=body), h11.EndOfMessage())

    def _begin_lines(self) -> None:
        if self._http.our_state is not h11.SEND_BODY:
            self._begin(200, [("content-type", LINES)])

    def _begin(self, status: int, head: list[tuple[str, str]]) -> None:
        if self._leaving:
            head.append(("connection", "close"))
        self._write(h11.Response(status_code=status, headers=head))

    def _write(self, *events: h11.Event) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        said = [self._http.send(one) for one in events]
        self._transport.write(b"".join(one for one in said if one))

    def _went_wrong(self, error: errors.QiantangError) -> tuple[str, bytes, int, list[tuple[str, str]]]:
        """Give what is answered, as a last line where items were before."""
        kind, body, status, more = problem_of(error)
        if self._http.our_state is h11.SEND_BODY:
            body = b'{"error":' + body + b"}\n"
        return kind, body, status, more

    def _refuse(self, error: errors.QiantangError, status: int) -> None:
        """Answer what cannot be read any further, and end the connection."""
        self._leaving = True
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            kind, body, _, more = problem_of(error)
            self._respond(status, kind, body, more)
        self.close()
