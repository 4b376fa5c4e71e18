"""Stream over HTTP: the one stream of server-sent events that a browser keeps open for all its pages."""

# pyright: reportUnknownMemberType=false
# Litestar leaves some of its types open

from __future__ import annotations

import asyncio
from typing import Any, cast
from urllib.parse import parse_qs

from litestar import Router, asgi
from litestar.datastructures import Headers
from litestar.types import Receive, Scope, Send

from qiantang.kernel import errors
from qiantang_server.kernel.access import Authenticator, Presented, Principal
from qiantang_server.kernel.watch import Watch
from qiantang_server.kernel.watch.topics.follower import Follower
from qiantang_server.kernel.watch.topics.topic import wanted
from qiantang_server.kernel.watch.topics.topics import Asked
from qiantang_server.kernel.web.problems import MethodNotAllowedError

PATH = "/api/v1/stream"
MAX_QUERY = 16 << 10
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


@asgi(
    "/", opt={"authenticated": "each topic is checked against the principal's grants", "method": "GET"}, copy_scope=True
)
async def follow(scope: Scope, receive: Receive, send: Send) -> None:
    """Stream what changes in the topics of `?topics=`, comma separated, until either side goes away.

    Events: hello, changed, refused, reset (what was missed since Last-Event-ID is not known: look again at everything).
    """
    if scope.get("method") != "GET":
        raise MethodNotAllowedError("open the stream with GET")
    watch = cast("Watch", scope["litestar_app"].state["watch"])
    authenticator = cast("Authenticator", scope["litestar_app"].state["authenticator"])
    presented = cast("Presented", scope.get("presented"))

    async def admitted() -> Principal:
        return await authenticator.authenticate(presented)

    asked = Asked(topics=wanted(_topics(scope)), last=Headers.from_scope(scope).get("last-event-id", "")[:80])
    follower = watch.topics.open(cast("Principal", scope["user"]), asked, admitted)
    gone = asyncio.create_task(_until_disconnected(receive, follower))
    try:
        await _pump(follower, send, watch.settings.heartbeat.total_seconds())
    finally:
        gone.cancel()
        watch.topics.leave(follower)


def _topics(scope: Scope) -> str:
    query = bytes(scope.get("query_string", b""))
    if len(query) > MAX_QUERY:
        raise errors.TooLargeError(f"the query may have {MAX_QUERY:,} bytes")
    return ",".join(parse_qs(query.decode("utf-8", "replace")).get("topics", []))


async def _until_disconnected(receive: Receive, follower: Follower) -> None:
    message: Any = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
    follower.close()


async def _pump(follower: Follower, send: Send, heartbeat: float) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    while True:
        chunk = await follower.take(heartbeat)
        if chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if follower.closed:
            break
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def router() -> Router:
    """Make the route."""
    return Router(path=PATH, route_handlers=[follow], tags=["overview"])
