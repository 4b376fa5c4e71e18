"""HTTP: the same methods for every other language: `POST /service/method`, JSON there and back, problem+json where it went wrong.

`GET /openapi.json` says what there is. The caller shows its token as a bearer; what it has left comes in `qiantang-timeout-ms`, its
trace in `traceparent`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, cast

import h11
import msgspec

from qiantang.kernel import errors, scope
from qiantang.rpc.errors import DeadlineError, InvalidArgumentsError, TooLargeError, UnknownMethodError
from qiantang.rpc.governance.verdict import Outcome, Ticket, outcome_of
from qiantang.rpc.model.context import CallContext, current
from qiantang.rpc.model.definition import LONGEST_TIMEOUT, PRIORITIES
from qiantang.rpc.model.openapi import TIMEOUT_HEADER
from qiantang.rpc.provider.handlers import Handler
from qiantang.rpc.provider.host import Host, told
from qiantang.rpc.provider.work import Work

MAX_HEAD: Final = 32 << 10
MAX_AHEAD: Final = 64 << 10
"""Bytes of further requests that are read while one is answered."""
DESCRIPTION: Final = "/openapi.json"
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
        self._is_full = False
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

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    def look(self, now: float, hello_within: float, frame_within: float, silent_for: float) -> None:
        """End a connection that says nothing, or does not say to the end what it began."""
        del hello_within
        transport = self._transport
        if transport is None or (self._task is not None and not self._is_full):
            return
        began = self._request is not None or bool(self._http.trailing_data[0])
        reads_nothing = self._is_full and now - self._heard_at > frame_within
        if reads_nothing or (began and now - self._began > frame_within):
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
        self._is_full = True
        self._read_or_wait()

    def resume_writing(self) -> None:
        """The caller has read."""
        self._is_full = False
        self._read_or_wait()
        self._take()

    def _read_or_wait(self) -> None:
        """Keep little of what comes while a call is answered, or its answer waits to be read; its end is heard of by reading."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_full or len(self._http.trailing_data[0]) > MAX_AHEAD:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what nobody waits for any more."""
        del exc
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
        while self._task is None and not self._is_full:
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
            kind, written, status, more = _problem(error)
        self._respond(status, kind, written, more)
        self._task = self._request = None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE and not self._leaving:
            self._http.start_next_cycle()
            self._take()  # what came meanwhile
            self._read_or_wait()
        else:
            self.close()

    async def _result(self, request: h11.Request, body: bytes) -> bytes:
        path = request.target.decode("ascii", "replace").partition("?")[0]
        said = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
        caller = self._host.gate.admit_bearer(_bearer(said), self._host.node)
        if path == DESCRIPTION and request.method == b"GET":
            return self._described()
        handler = self._routes.get(path)
        if handler is None:
            raise UnknownMethodError(f"there is no {path[:200]} here; {DESCRIPTION} says what there is")
        if request.method != b"POST":
            raise errors.InvalidRequestError(f"call {path} with POST and a JSON object of its arguments")
        context = _context(handler, said, str(caller.application))
        refused = self._host.may_begin()
        if refused is not None:
            raise refused
        try:
            return await self._do(self._work(handler, body, context, caller.application))
        finally:
            self._host.ended()

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
        return Work(handler, arguments, context, entrance, ticket)

    async def _do(self, work: Work) -> bytes:
        outcome = Outcome.CANCELLED
        current.set(work.context)
        try:
            async with asyncio.timeout(work.context.remaining()):
                await work.wait()
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

    # -- answers ---------------------------------------------------------------------------------------------

    def _respond(self, status: int, kind: str, body: bytes, more: list[tuple[str, str]]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        head = [("content-type", kind), ("content-length", f"{len(body)}"), *more]
        if self._leaving:
            head.append(("connection", "close"))
        http = self._http
        said = (
            http.send(h11.Response(status_code=status, headers=head)),
            http.send(h11.Data(data=body)),
            http.send(h11.EndOfMessage()),
        )
        self._transport.write(b"".join(one for one in said if one))

    def _refuse(self, error: errors.QiantangError, status: int) -> None:
        """Answer what cannot be read any further, and end the connection."""
        self._leaving = True
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            kind, body, _, more = _problem(error)
            self._respond(status, kind, body, more)
        self.close()


def _context(handler: Handler, said: Mapping[str, str], caller: str) -> CallContext:
    method = handler.definition
    timeout = method.options.timeout
    asked = said.get(TIMEOUT_HEADER, "")
    if asked:
        if not (asked.isascii() and asked.isdigit() and 0 < int(asked[:10]) <= LONGEST_TIMEOUT * 1000):
            raise errors.InvalidRequestError(f"{TIMEOUT_HEADER} is {asked[:40]!r}: write milliseconds, an hour at most")
        timeout = int(asked[:10]) / 1000
    return CallContext(
        service=method.service,
        method=method.name,
        caller=caller,
        deadline=time.monotonic() + timeout,
        trace=said.get("traceparent", "")[:100],
        priority=PRIORITIES.index(method.options.priority),
    )


def _bearer(said: Mapping[str, str]) -> str:
    scheme, _, token = said.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _problem(error: errors.QiantangError) -> tuple[str, bytes, int, list[tuple[str, str]]]:
    document = error.document()
    more: list[Any] = [] if error.retry_after is None else [("retry-after", f"{max(1, round(error.retry_after))}")]
    return "application/problem+json", _encode(document), document.status, more
