"""Answers: microservices, nodes and definitions as people see them, and what they may change. Moments are milliseconds UTC."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from qiantang.kernel import wire
from qiantang.registry.model.nodes import Definition, Node, State

Weight = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class NodeCounts(wire.Wire, frozen=True):
    """How many nodes are in which state, as callers see them."""

    starting: int = 0
    ready: int = 0
    draining: int = 0
    offline: int = 0


class MicroserviceView(wire.Wire, frozen=True):
    """A microservice: the application of its name, its nodes, how many of its nodes people have changed, and how many services
    it has published definitions of.
    """

    name: str
    center: str
    nodes: NodeCounts
    overridden: int
    changed_at: int
    services: int = 0


class OverrideView(wire.Wire, frozen=True):
    """What somebody laid over what a node says of itself; null where the node's own word stands."""

    state: Literal["offline"] | None
    weight: int | None
    reason: str
    set_by: str
    set_at: int


class NodeView(wire.Wire, frozen=True):
    """A node as callers see it, and what it says itself where that differs.

    `session_age_ms` is how long its process has been known; null and an empty cluster where it is not there, and only the
    override is.
    """

    name: str
    present: bool
    state: State
    weight: int
    own_state: State
    own_weight: int
    cluster: str
    override: OverrideView | None
    center: str
    application: str
    registered_at: int
    session_age_ms: int | None


class NodeDetail(wire.Wire, frozen=True):
    """A node with all that it says of itself; `node` is null where it is not there."""

    view: NodeView
    node: Node | None


class NodeChange(wire.Command, frozen=True):
    """What to lay over a node: null takes back, what is left out stays as it is."""

    state: Literal["offline"] | UnsetType | None = UNSET
    weight: Weight | UnsetType | None = UNSET
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class DefinitionView(wire.Wire, frozen=True):
    """What a service offers, without the document."""

    service: str
    digest: str
    size: int
    published_at: int


class DefinitionDetail(wire.Wire, frozen=True):
    """What a service offers."""

    view: DefinitionView
    definition: Definition
