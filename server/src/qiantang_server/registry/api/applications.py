"""Routes of applications: sessions, nodes, votes, definitions, and the stream of the lists that a process follows.

Who calls, and so which tenant, environment and application it is about, his credential says.
"""

# pyright: reportUnknownMemberType=false
# Litestar leaves some of its types open

from __future__ import annotations

import asyncio
from typing import Any, cast

from litestar import Request, Router, asgi, post
from litestar.di import NamedDependency, Provide
from litestar.params import JSONBody
from litestar.types import Receive, Scope, Send

from qiantang.kernel import errors, scope, wire
from qiantang.registry.errors import ApplicationsOnlyError
from qiantang.registry.model import protocol
from qiantang_server.kernel.access import Authenticator, Presented, Principal
from qiantang_server.kernel.web import events
from qiantang_server.registry.service import Registry
from qiantang_server.registry.service.listings import Seat

ITS_OWN = {"authenticated": "an application speaks for itself alone, by its credential; others are refused"}
MAX_FOLLOW = 128 << 10
OPEN_WITHIN = 10.0


def caller_of(principal: Principal) -> scope.Scope:
    """Give the application that calls.

    Raises:
        ApplicationsOnlyError: it is somebody else.
    """
    if principal.kind != "application" or principal.scope is None:
        raise ApplicationsOnlyError(
            "only an application registers, votes and follows here, with a credential of its own; people look at the "
            "registry below /api/v1/registry/{tenant}/{environment}"
        )
    return principal.scope


def provide_caller(request: Request[Principal, Any, Any]) -> scope.Scope:
    """Give the application that calls."""
    return caller_of(request.user)


@post("/sessions", opt=ITS_OWN, status_code=200)
async def open_session(caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry]) -> protocol.Opened:
    """Open a session: what is registered in it lives as long as it is renewed."""
    return await registry.sessions.open(caller)


@post("/renew", opt=ITS_OWN, status_code=204)
async def renew_session(
    caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry], data: JSONBody[protocol.OfSession]
) -> None:
    """Give a session a full lease."""
    await registry.sessions.renew(caller, data.session)


@post("/close", opt=ITS_OWN, status_code=204)
async def close_session(
    caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry], data: JSONBody[protocol.OfSession]
) -> None:
    """End a session with all that was registered in it."""
    await registry.sessions.close(caller, data.session)


@post("/register", opt=ITS_OWN, status_code=200)
async def register_node(
    caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry], data: JSONBody[protocol.Register]
) -> protocol.Registered:
    """Have a node in the list of the application's own microservice."""
    return await registry.nodes.register(caller, data)


@post("/deregister", opt=ITS_OWN, status_code=204)
async def deregister_node(
    caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry], data: JSONBody[protocol.Deregister]
) -> None:
    """Take a node of the session out of the list."""
    await registry.nodes.deregister(caller, data)


@post("/vote", opt=ITS_OWN, status_code=204)
async def cast_vote(
    caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry], data: JSONBody[protocol.Cast]
) -> None:
    """Say what the process holds of a node."""
    await registry.nodes.vote(caller, data)


@post("/votes", opt=ITS_OWN, status_code=200)
async def list_votes(
    caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry], data: JSONBody[protocol.AskVotes]
) -> protocol.Votes:
    """Give the votes of all consumers of a microservice."""
    return await registry.nodes.votes(caller, data.microservice)


@post("/publish", opt=ITS_OWN, status_code=204)
async def publish_definition(
    caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry], data: JSONBody[protocol.Publish]
) -> None:
    """Keep what a service of the application's own microservice offers."""
    await registry.nodes.publish(caller, data)


@post("/definitions", opt=ITS_OWN, status_code=200)
async def ask_definitions(
    caller: NamedDependency[scope.Scope], registry: NamedDependency[Registry], data: JSONBody[protocol.AskDefinitions]
) -> protocol.Definitions:
    """Give what the services of a microservice offer."""
    return await registry.nodes.definitions(caller, data)


def _stream(registry: Registry) -> Any:
    @asgi("/stream", opt=ITS_OWN, copy_scope=True)
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        """Stream the nodes of microservices as server-sent events until either side goes away."""
        if scope.get("method") != "POST":
            raise errors.InvalidRequestError("open the stream with POST and a Follow")
        caller = caller_of(cast("Principal", scope["user"]))
        async with asyncio.timeout(OPEN_WITHIN):
            asked = wire.decode(await events.body(receive, MAX_FOLLOW), protocol.Follow)
        registry.listings.require_room(caller)
        presented = cast("Presented", scope.get("presented"))
        authenticator = cast("Authenticator", scope["litestar_app"].state["authenticator"])

        async def admitted() -> None:
            caller_of(await authenticator.authenticate(presented))

        seat = Seat(caller, asked.microservices, admitted)
        gone = asyncio.create_task(events.until_disconnected(receive, seat))
        try:
            await registry.follow(seat, asked.at_least)
            await events.pump(seat, send, registry.watch.settings.heartbeat.total_seconds())
        finally:
            gone.cancel()
            registry.listings.remove(seat)

    return stream


def router(registry: Registry) -> Router:
    """Make the routes."""
    handlers: list[Any] = [
        open_session,
        renew_session,
        close_session,
        register_node,
        deregister_node,
        cast_vote,
        list_votes,
        publish_definition,
        ask_definitions,
        _stream(registry),
    ]
    return Router(
        path=protocol.PATH,
        route_handlers=handlers,
        dependencies={
            "caller": Provide(provide_caller, sync_to_thread=False),
            "registry": Provide(lambda: registry, sync_to_thread=False),
        },
        tags=["registry"],
    )
