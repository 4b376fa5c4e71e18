"""Stream over HTTP: the one stream of server-sent events that a browser keeps open for all its pages."""

# pyright: reportUnknownMemberType=false
# Litestar leaves some of its types open

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast
from urllib.parse import parse_qs

from litestar import Router, asgi
from litestar.datastructures import Headers
from litestar.types import Receive, Scope, Send

from qiantang.kernel import errors
from qiantang_server.kernel.access import Authenticator, Presented, Principal
from qiantang_server.kernel.watch import Watch
from qiantang_server.kernel.watch.topics.topic import wanted
from qiantang_server.kernel.watch.topics.topics import Asked
from qiantang_server.kernel.web import events
from qiantang_server.kernel.web.problems import MethodNotAllowedError

PATH = "/api/v1/stream"
MAX_QUERY = 16 << 10


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
    presented = replace(cast("Presented", scope.get("presented")), in_use=False)  # that it is open is no use

    async def admitted() -> Principal:
        return await authenticator.authenticate(presented)

    asked = Asked(topics=wanted(_topics(scope)), last=Headers.from_scope(scope).get("last-event-id", "")[:80])
    follower = watch.topics.open(cast("Principal", scope["user"]), asked, admitted)
    gone = asyncio.create_task(events.until_disconnected(receive, follower))
    try:
        await events.pump(follower, send, watch.settings.heartbeat.total_seconds())
    finally:
        gone.cancel()
        watch.topics.leave(follower)


def _topics(scope: Scope) -> str:
    query = bytes(scope.get("query_string", b""))
    if len(query) > MAX_QUERY:
        raise errors.TooLargeError(f"the query may have {MAX_QUERY:,} bytes")
    return ",".join(parse_qs(query.decode("utf-8", "replace")).get("topics", []))


def router() -> Router:
    """Make the route."""
    return Router(path=PATH, route_handlers=[follow], tags=["overview"])
