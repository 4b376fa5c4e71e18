"""Routes of people: microservices, their nodes and what is laid over them, and what services offer."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Router, get, patch
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from qiantang.kernel import release, resource
from qiantang.registry.model import protocol
from qiantang.registry.model.answers import (
    DefinitionDetail,
    DefinitionView,
    MicroserviceView,
    NodeChange,
    NodeDetail,
    NodeView,
)
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.web.resources import PLACE, provide_bundle
from qiantang_server.registry.service import Registry
from qiantang_server.registry.service.overrides import (
    LIST,
    LIST_DEFINITIONS,
    READ,
    READ_DEFINITIONS,
    UPDATE,
    Asked,
)

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
Words = Annotated[str, QueryParameter(max_length=128, description="only what holds this in its name, in any case")]


@get("/{tenant:str}/{environment:str}/microservices", opt={"permission": LIST})
async def list_microservices(
    principal: NamedDependency[Principal],
    registry: NamedDependency[Registry],
    *,
    tenant: FromPath[str],
    environment: FromPath[str],
    after: FromQuery[str] = "",
    limit: Limit = 100,
    words: Words = "",
) -> release.Page[MicroserviceView]:
    """List the microservices of an environment that the reader may see, in order of name."""
    asked = Asked(words=words, after=after, limit=limit)
    return await registry.overrides.microservices(principal, tenant, environment, asked)


@get("/nodes", opt={"permission": LIST})
async def list_nodes(
    bundle: NamedDependency[resource.Bundle],
    registry: NamedDependency[Registry],
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> release.Page[NodeView]:
    """List the nodes of an application's microservice in order of name, and what is laid over nodes that are away."""
    return await registry.overrides.nodes(bundle.scope, Asked(after=after, limit=limit))


@get("/nodes/{node:str}", opt={"permission": READ})
async def read_node(
    bundle: NamedDependency[resource.Bundle], registry: NamedDependency[Registry], node: FromPath[str]
) -> NodeDetail:
    """Read a node with all that it says of itself."""
    return await registry.overrides.node(bundle.scope, node)


@patch("/nodes/{node:str}", opt={"permission": UPDATE})
async def change_node(
    principal: NamedDependency[Principal],
    bundle: NamedDependency[resource.Bundle],
    registry: NamedDependency[Registry],
    node: FromPath[str],
    data: JSONBody[NodeChange],
) -> NodeDetail:
    """Take a node offline, give it another weight, or take that back with null; stays over restarts of the node."""
    return await registry.overrides.change(principal, bundle.scope, node, data)


@get("/definitions", opt={"permission": LIST_DEFINITIONS})
async def list_definitions(
    bundle: NamedDependency[resource.Bundle],
    registry: NamedDependency[Registry],
    after: FromQuery[str] = "",
    limit: Limit = 100,
) -> release.Page[DefinitionView]:
    """List what the services of an application's microservice offer, in order of name."""
    return await registry.overrides.definitions(bundle.scope, Asked(after=after, limit=limit))


@get("/definitions/{service:str}", opt={"permission": READ_DEFINITIONS})
async def read_definition(
    bundle: NamedDependency[resource.Bundle], registry: NamedDependency[Registry], service: FromPath[str]
) -> DefinitionDetail:
    """Read what a service offers."""
    return await registry.overrides.definition(bundle.scope, service)


def router(registry: Registry) -> Router:
    """Make the routes."""
    handlers: list[Any] = [list_nodes, read_node, change_node, list_definitions, read_definition]
    below = Router(
        path=PLACE,
        route_handlers=handlers,
        dependencies={"bundle": Provide(provide_bundle)},
        opt={"capability": "registry"},
    )
    return Router(
        path=protocol.PATH,
        route_handlers=[list_microservices, below],
        dependencies={"registry": Provide(lambda: registry, sync_to_thread=False)},
        tags=["registry"],
    )
