"""Routes of the catalog: lists of services, and requests to call them."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from qiantang.catalog.model import kinds
from qiantang.catalog.model.answers import AccessRequest, AnswerCommand, AskCommand, OfferView
from qiantang.kernel import release, resource
from qiantang_server.catalog.service import AccessRequests, Listing, Wanted
from qiantang_server.catalog.service.listing import States
from qiantang_server.catalog.service.requests import CREATE, PUBLISH, READ
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.web.resources import PLACE, provide_bundle

Limit = Annotated[int, QueryParameter(ge=1, le=200)]
Standing = Annotated[States, QueryParameter(name="state", description="only services in this state")]


async def provide_wanted(
    words: FromQuery[str] = "",
    standing: Standing = "",
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> Wanted:
    """Give which services are asked for: with words in their names, methods or descriptions, in a state."""
    return Wanted(words=words, state=standing, after=after, limit=limit)


_wanted = {"wanted": Provide(provide_wanted)}


@get(
    "/offers/{tenant:str}",
    opt={"authenticated": "lists only what the reader may see, in the query itself"},
)
async def list_tenant_offers(
    principal: NamedDependency[Principal],
    listing: NamedDependency[Listing],
    tenant: FromPath[str],
    environment: FromQuery[str] = "",
    words: FromQuery[str] = "",
    standing: Standing = "",
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> release.Page[OfferView]:
    """List the published services of a tenant that one may see, in order of environment, application and name."""
    wanted = Wanted(environment=environment, words=words, state=standing, after=after, limit=limit)
    return await listing.of_tenant(principal, tenant, wanted)


@get("/offers", opt={"verb": "read"}, dependencies=_wanted)
async def list_offers(
    bundle: NamedDependency[resource.Bundle], listing: NamedDependency[Listing], wanted: NamedDependency[Wanted]
) -> release.Page[OfferView]:
    """List an application's published services with who may call them and who subscribed."""
    return await listing.of_application(bundle, wanted)


@get("/access-requests/asked", opt={"permission": READ})
async def list_asked(
    bundle: NamedDependency[resource.Bundle],
    access_requests: NamedDependency[AccessRequests],
    decided: FromQuery[bool] = False,
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> release.Page[AccessRequest]:
    """List what an application asked others for, newest first: what waits, or with `decided` all."""
    return await access_requests.list_asked(bundle, decided=decided, after=after, limit=limit)


@get("/access-requests/received", opt={"permission": READ})
async def list_received(
    bundle: NamedDependency[resource.Bundle],
    access_requests: NamedDependency[AccessRequests],
    decided: FromQuery[bool] = False,
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> release.Page[AccessRequest]:
    """List what others asked an application for, newest first: what waits, or with `decided` all."""
    return await access_requests.list_received(bundle, decided=decided, after=after, limit=limit)


@post("/access-requests", opt={"permission": CREATE})
async def ask_access(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    access_requests: NamedDependency[AccessRequests],
    data: JSONBody[AskCommand],
) -> AccessRequest:
    """Ask that the application may call a service of another one."""
    return await access_requests.ask(principal, bundle, data)


@post("/access-requests/{request_id:str}/withdraw", opt={"permission": CREATE}, status_code=200)
async def withdraw_access(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    access_requests: NamedDependency[AccessRequests],
    request_id: FromPath[str],
    data: JSONBody[AnswerCommand],
) -> AccessRequest:
    """Take back what the application asked for."""
    return await access_requests.withdraw(principal, bundle, request_id, data.reason)


@post("/access-requests/{request_id:str}/accept", opt={"permission": PUBLISH}, status_code=200)
async def accept_access(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    access_requests: NamedDependency[AccessRequests],
    request_id: FromPath[str],
    data: JSONBody[AnswerCommand],
) -> AccessRequest:
    """Make who asks a subscriber of the service, and publish that."""
    return await access_requests.accept(principal, bundle, request_id, data.reason)


@post("/access-requests/{request_id:str}/refuse", opt={"permission": PUBLISH}, status_code=200)
async def refuse_access(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    access_requests: NamedDependency[AccessRequests],
    request_id: FromPath[str],
    data: JSONBody[AnswerCommand],
) -> AccessRequest:
    """Refuse what was asked for."""
    return await access_requests.refuse(principal, bundle, request_id, data.reason)


def router(listing: Listing, access_requests: AccessRequests) -> Router:
    """Make the routes."""
    of_application: list[Any] = [
        list_offers,
        list_asked,
        list_received,
        ask_access,
        withdraw_access,
        accept_access,
        refuse_access,
    ]
    placed = Router(path=PLACE, route_handlers=of_application, dependencies={"bundle": Provide(provide_bundle)})
    return Router(
        path=f"/api/v1/{kinds.CAPABILITY}",
        route_handlers=[list_tenant_offers, placed],
        dependencies={
            "listing": Provide(lambda: listing, sync_to_thread=False),
            "access_requests": Provide(lambda: access_requests, sync_to_thread=False),
        },
        opt={"capability": kinds.CAPABILITY, "kind": kinds.SERVICE_KIND},
        tags=[kinds.CAPABILITY],
    )
