"""Watch over HTTP: the stream of notices, fetches and acknowledgements of mirrors (`qiantang.kernel.protocol`)."""

# pyright: reportUnknownMemberType=false
# Litestar leaves some of its types open

from __future__ import annotations

import asyncio
from typing import Any, cast

from litestar import Request, Response, Router, asgi, post
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody
from litestar.types import Receive, Scope, Send

from qiantang.kernel import errors, protocol, resource, wire
from qiantang.kernel import scope as scopes
from qiantang_server.kernel import access
from qiantang_server.kernel.access import Authenticator, Presented, Principal, Target
from qiantang_server.kernel.watch import Watch
from qiantang_server.kernel.watch.hub import Subscriber
from qiantang_server.kernel.web import events

PERMISSIONS = {"watch.bundle:read": "receive what is published for an application, secrets included"}
READ = "watch.bundle:read"
MAX_STREAM_REQUEST = 1 << 18
OPEN_WITHIN = 10.0


def _watch(request: Request[Principal, Any, Any]) -> Watch:
    """Give the watch. It and the principal are not injected here: a release makes every instance call these routes at once,
    and each injected name costs the request a task.
    """
    return cast("Watch", request.app.state["watch"])


def _require(principal: Principal, bundle_scope: Any) -> None:
    access.require(principal, READ, Target.of(bundle_scope))


async def _may_read_whole(principal: Principal, bundle: resource.Bundle, watch: Watch) -> bool:
    """Say whether the principal gets all of a bundle, or as an application that links to it the public part alone."""
    if principal.allows(READ, Target.of(bundle.scope)):
        return True
    own = principal.scope
    if own is not None and (own.tenant, own.environment) == (bundle.scope.tenant, bundle.scope.environment):
        links = await watch.deliveries.links(resource.Bundle(scope=own, capability=bundle.capability))
        if bundle in links:
            return False
    _require(principal, bundle.scope)
    return False


@post(
    "/fetch",
    opt={"authenticated": "a bundle is checked against the principal's scope and links"},
    status_code=200,
    responses={
        200: ResponseSpec(dict[str, Any], generate_examples=False, description="A Snapshot, Delta or Unchanged")
    },
)
async def fetch(data: JSONBody[protocol.FetchRequest], request: Request[Principal, Any, Any]) -> Response[bytes]:
    """Give a bundle as the instance gets it: in full, as a delta, or unchanged."""
    watch = _watch(request)
    watch.require_capability(data.bundle.capability)
    whole = await _may_read_whole(request.user, data.bundle, watch)
    answer = await watch.deliveries.fetch(data, public_only=not whole)
    if answer.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(answer.gzipped, headers=headers, media_type="application/json")
    return Response(answer.body, media_type="application/json")


@post("/acknowledge", opt={"authenticated": "the scope is checked against the principal's"}, status_code=204)
async def acknowledge(data: JSONBody[protocol.Acknowledgement], request: Request[Principal, Any, Any]) -> None:
    """Take down what an instance holds now."""
    _require(request.user, data.scope)
    watch = _watch(request)
    watch.instances.acknowledge(data.scope, data.instance, await watch.received(data.scope, data.held))


@asgi("/stream", opt={"authenticated": "the scope is checked against the principal's"}, copy_scope=True)
async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Stream notices of an application's bundles as server-sent events until either side goes away."""
    watch = cast("Watch", scope["litestar_app"].state["watch"])
    principal = cast("Principal", scope["user"])
    if scope.get("method") != "POST":
        raise errors.InvalidRequestError("open the stream with POST and a StreamRequest")
    async with asyncio.timeout(OPEN_WITHIN):
        request = wire.decode(await events.body(receive, MAX_STREAM_REQUEST), protocol.StreamRequest)
    _require(principal, request.scope)
    _require_room(watch, request.scope)
    presented = cast("Presented", scope.get("presented"))
    authenticator = cast("Authenticator", scope["litestar_app"].state["authenticator"])

    async def admitted() -> None:
        _require(await authenticator.authenticate(presented), request.scope)

    subscriber = Subscriber(await watch.bundles(request), admitted, request.scope, takes_deliveries=request.deliveries)
    held = await watch.received(request.scope, request.held)
    watch.hub.add(subscriber)
    key = watch.instances.arrive(request.scope, request.instance, held)
    gone = asyncio.create_task(events.until_disconnected(receive, subscriber))
    try:
        await watch.greet(subscriber)
        await events.pump(subscriber, send, watch.settings.heartbeat.total_seconds())
    finally:
        gone.cancel()
        watch.hub.remove(subscriber)
        watch.instances.leave(key)


def _require_room(watch: Watch, place: scopes.Scope) -> None:
    if len(watch.hub) >= watch.settings.max_streams:
        raise errors.UnavailableError("this server holds as many streams as it may: connect to another", retry_after=5)
    most = watch.settings.max_streams_per_application
    if watch.hub.count(place) >= most:
        raise errors.UnavailableError(
            f"this server holds {most} streams of {place}, as many as it may of one application: connect to another, or "
            "raise watch.max_streams_per_application",
            retry_after=5,
        )


def router() -> Router:
    """Make the routes of mirrors."""
    return Router(path="/api/v1/watch", route_handlers=[fetch, acknowledge, stream], tags=["watch"])
