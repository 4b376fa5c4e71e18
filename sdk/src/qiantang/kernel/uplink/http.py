"""HTTP: a lean HTTP/1.1 connection (RFC 9112, by h11): keep-alive, gzip, bounds, no redirects."""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import AsyncGenerator, Generator

import h11
import msgspec

from qiantang.kernel import errors
from qiantang.kernel.uplink.address import Address
from qiantang.kernel.uplink.line import BrokenError, Line, Tls, dial

MAX_HEAD_BYTES = 32_768
MAX_INTERIM_ANSWERS = 8


class AnswerTooLargeError(errors.TooLargeError):
    """The server's answer is over this client's limit."""

    code = "uplink.answer_too_large"


class Request(msgspec.Struct, frozen=True):
    """What is asked: headers in lower case, without those that the connection itself writes."""

    method: str
    target: str
    headers: list[tuple[str, str]] = []
    body: bytes = b""

    def __repr__(self) -> str:
        """Never show headers or body: they hold tokens."""
        return f"Request({self.method} {self.target})"


class Head(msgspec.Struct, frozen=True):
    """The head of an answer; header names in lower case, the last of equal names kept."""

    status: int
    headers: dict[str, str]

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Answer(msgspec.Struct, frozen=True):
    """An answer in full, decompressed."""

    head: Head
    body: bytes


class Connection:
    """One connection to one server, for one exchange at a time.

    It has no clock: the caller bounds each call with `asyncio.timeout`, and closes the connection when it
    fired.
    """

    def __init__(self, address: Address, line: Line) -> None:
        self.address = address
        self.used = 0
        self.idle_since = 0.0
        self._line = line
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)

    @classmethod
    async def open(cls, address: Address, tls: Tls, seconds: float) -> Connection:
        """Connect.

        Raises:
            UnreachableError: not connected within `seconds`.
        """
        return cls(address, await dial(address, tls, seconds))

    async def exchange(self, request: Request, limit: int) -> Answer:
        """Send a request and give its answer.

        Raises:
            BrokenError: the line broke, or what came is not HTTP.
            AnswerTooLargeError: the answer is larger than `limit` bytes, before or after decompression.
        """
        head = await self.begin(request)
        body = await self._whole_body(head, limit)
        self._rest()
        return Answer(head=head, body=body)

    async def begin(self, request: Request) -> Head:
        """Send a request and give the head of its answer; the body is left to `chunks`.

        Raises:
            BrokenError: the line broke, or what came is not HTTP.
        """
        self.used += 1
        with self._breaking():
            await self._line.send(self._spelled(request))
            for _ in range(MAX_INTERIM_ANSWERS):
                event = await self._next_event()
                if isinstance(event, h11.Response):
                    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
                    return Head(status=event.status_code, headers=headers)
        raise BrokenError(f"{self.address} gave no final answer")

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Give the body as it comes, until its end.

        Raises:
            BrokenError: the line broke before the end.
        """
        while True:
            with self._breaking():
                event = await self._next_event()
            if isinstance(event, h11.EndOfMessage):
                return
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    @property
    def reusable(self) -> bool:
        """Whether another exchange may follow on this connection."""
        return self._http.our_state is h11.IDLE and self._line.idle_and_open()

    def close(self) -> None:
        """Let go of the connection, whatever it was doing."""
        self._line.close()

    def _spelled(self, request: Request) -> bytes:
        headers = [("host", self.address.authority), *request.headers]
        if request.body or request.method not in {"GET", "HEAD", "DELETE"}:
            headers.append(("content-length", str(len(request.body))))
        head = h11.Request(method=request.method, target=request.target, headers=headers)
        parts = [self._http.send(head)]
        if request.body:
            parts.append(self._http.send(h11.Data(data=request.body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        return b"".join(part for part in parts if part)

    async def _next_event(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._line.receive())
            elif isinstance(event, h11.Event) and not isinstance(event, h11.ConnectionClosed):
                return event
            else:
                raise BrokenError(f"{self.address} closed the connection in the middle of an answer")

    @contextlib.contextmanager
    def _breaking(self) -> Generator[None]:
        try:
            yield
        except h11.RemoteProtocolError as error:
            raise BrokenError(f"{self.address} does not speak HTTP/1.1 as it should: {error}") from error
        except OSError as error:
            raise BrokenError(f"the line to {self.address} broke: {error}") from error

    async def _whole_body(self, head: Head, limit: int) -> bytes:
        announced = head.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise self._too_large(limit)
        try:
            gatherer = _Gatherer(head.headers.get("content-encoding", "identity").lower(), limit)
            async for chunk in self.chunks():
                gatherer.add(chunk)
            return gatherer.whole()
        except OverflowError as error:
            raise self._too_large(limit) from error
        except (ValueError, zlib.error) as error:
            raise BrokenError(f"the answer of {self.address} cannot be decompressed: {error}") from error

    def _too_large(self, limit: int) -> AnswerTooLargeError:
        return AnswerTooLargeError(f"the answer of {self.address} is over this client's limit of {limit} bytes")

    def _rest(self) -> None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self.idle_since = time.monotonic()


class _Gatherer:
    """Collects a body, decompressed, never holding more than the limit.

    Raises OverflowError over the limit, ValueError for what cannot be read.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        if encoding not in {"identity", "", "gzip"}:
            raise ValueError(f"content encoding {encoding!r} was not asked for")
        self._inflate = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        self._limit = limit
        self._received = 0
        self._size = 0
        self._parts: list[bytes] = []

    def add(self, chunk: bytes) -> None:
        self._received += len(chunk)
        if self._received > self._limit:
            raise OverflowError
        if self._inflate is not None:
            chunk = self._inflate.decompress(chunk, self._limit - self._size + 1)
        self._size += len(chunk)
        if self._size > self._limit:
            raise OverflowError
        self._parts.append(chunk)

    def whole(self) -> bytes:
        if self._inflate is not None and self._received and not self._inflate.eof:
            raise ValueError("it ends too early")
        return b"".join(self._parts)
