"""Connection: HTTP/1.1 with bounds on what is taken in before anybody is known, and deadlines for its coming.

uvicorn's protocol on llhttp reads heads of any size and waits for them for ever.
"""

# pyright: reportUnknownMemberType=false
# uvicorn leaves some of its types open

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from qiantang.kernel import errors, wire

_quiet = logging.getLogger(f"{__name__}.protocol")
_quiet.setLevel(logging.ERROR)  # or whoever sends no HTTP writes a line of the log with each try

MAX_HEAD = 64 << 10
"""Bytes of a request's line and headers."""
FRAMING = 16
"""Bytes around each byte of a chunked body, at most: its sizes, extensions and trailers."""
SLICE = 16 << 10
HEAD_WITHIN = 20.0
"""Seconds for a request's line and headers to come, from its first byte, or from when the connection was made."""
BODY_WITHIN = 300.0
"""Seconds for a request's body to come."""


class HeadTooLargeError(errors.TooLargeError):
    """The request's line and headers are over the limit."""

    code = "http.head_too_large"
    status = 431
    title = "Request head too large"


class MalformedError(errors.InvalidRequestError):
    """What came is no HTTP."""

    code = "http.malformed"
    status = 400
    title = "No HTTP request"


class BoundedConnection(HttpToolsProtocol):
    """One connection of a client, whose unfinished request costs bounded memory for a bounded time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.logger = _quiet
        self._in_head = False
        self._head = self._fields = self._around = self._body = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._due(HEAD_WITHIN)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._due(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came, slice by slice, until something grows over its limit."""
        for start in range(0, len(data), SLICE):
            if self.transport.is_closing():
                return
            self._take(data[start : start + SLICE])

    def _take(self, data: bytes) -> None:
        went_on = self._in_head
        if went_on:
            self._head += len(data)
        else:
            self._around += len(data)
        super().data_received(data)
        if self._in_head and not went_on:
            self._head = len(data)  # a little more than that, where it came behind another request
        if self._in_head and self._head > MAX_HEAD:
            self._refuse(_head_too_large())
        elif not self._in_head and self._around - self._body > MAX_HEAD + FRAMING * self._body:
            self._refuse(MalformedError("the body's chunks have more around them than in them"))

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True
        self._head = self._fields = self._around = self._body = 0
        self._due(HEAD_WITHIN)

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        self._fields += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer behind the body is passed over."""
        if self._in_head:
            self._fields += len(name) + len(value) + len(": \r\n")
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; its body may follow."""
        if self._fields > MAX_HEAD:
            raise ValueError("head too large")  # the parser stops, and has `send_400_response` called
        self._in_head = False
        self._due(BODY_WITHIN)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._due(None)
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser stopped at, in the format of every other error."""
        if self._fields > MAX_HEAD:
            self._refuse(_head_too_large())
        else:
            self._refuse(MalformedError(f"this is not a request that can be read: {msg}"))

    def _refuse(self, error: errors.QiantangError) -> None:
        self._due(None)
        body = wire.encode(error.document())
        head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()

    def _due(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def _head_too_large() -> HeadTooLargeError:
    return HeadTooLargeError(f"a request's line and headers may have {MAX_HEAD:,} bytes together")
