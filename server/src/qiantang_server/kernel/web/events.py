"""Events: a stream of server-sent events on an open connection, until either side goes away."""

from __future__ import annotations

from typing import Any

from litestar.types import Receive, Send

from qiantang.kernel import errors
from qiantang_server.kernel.watch.outgoing import Outgoing

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


async def body(receive: Receive, limit: int) -> bytes:
    """Give the body of what asks for a stream.

    Raises:
        InvalidRequestError: it ended before it was whole.
        TooLargeError: it has more than `limit` bytes.
    """
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise errors.InvalidRequestError("the request ended before its body did")
        size += len(message["body"])
        if size > limit:
            raise errors.TooLargeError(f"a stream request may have {limit:,} bytes")
        chunks.append(message["body"])
        if not message["more_body"]:
            return b"".join(chunks)


async def until_disconnected(receive: Receive, stream: Outgoing) -> None:
    """Close the stream once the other side is gone."""
    message: Any = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
    stream.close()


async def pump(stream: Outgoing, send: Send, heartbeat: float) -> None:
    """Send what the stream has, as it comes, until it is closed; `heartbeat` in seconds."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    try:
        while True:
            chunk = await stream.take(heartbeat)
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if stream.closed:
                break
    finally:
        stream.rest()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
