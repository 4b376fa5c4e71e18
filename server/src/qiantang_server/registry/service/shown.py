"""Shown: rows of the registry as people see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from qiantang.kernel import scope
from qiantang.registry.model import Node
from qiantang.registry.model.answers import DefinitionView, MicroserviceView, NodeCounts, NodeView, OverrideView
from qiantang_server.registry.store import views

_nodes = msgspec.json.Decoder(Node)


def microservice(row: views.Row, counted: Iterable[views.Row], offered: Mapping[str, int]) -> MicroserviceView:
    """Show a microservice with the counts of its own nodes and services."""
    its = [one for one in counted if one.microservice == row.name]
    counts = {one.state: int(one.number) for one in its}
    return MicroserviceView(
        name=row.name,
        center=row.center,
        nodes=NodeCounts(**counts),
        overridden=sum(int(one.overridden) for one in its),
        changed_at=row.changed_at,
        services=offered.get(row.name, 0),
    )


def node(row: views.Row) -> Node | None:
    """Show what a node says of itself."""
    return None if row.body is None else _nodes.decode(bytes(row.body))


def override(row: views.Row) -> OverrideView | None:
    """Show what is laid over a node."""
    if row.laid_state is None:
        return None
    return OverrideView(
        state="offline" if row.laid_state else None,
        weight=row.laid_weight,
        reason=row.reason,
        set_by=row.set_by,
        set_at=row.set_at,
    )


def view(row: views.Row) -> NodeView:
    """Show a node as callers see it."""
    said, laid = node(row), override(row)
    own = said or Node(name=row.name, addresses={}, state="offline", weight=0, cluster="default")
    laid_weight = laid.weight if laid is not None else None
    return NodeView(
        name=row.name,
        present=said is not None,
        state="offline" if laid is not None and laid.state else own.state,
        weight=own.weight if laid_weight is None else laid_weight,
        own_state=own.state,
        own_weight=own.weight,
        cluster=own.cluster if said is not None else "",
        override=laid,
        center=row.center or "",
        application=row.application or "",
        registered_at=row.registered_at or 0,
        session_age_ms=None if row.session_age is None else max(0, int(row.session_age)),
    )


def absent(name: str, place: scope.Scope) -> NodeView:
    """Show a node of which nothing is known any more."""
    return NodeView(
        name=name,
        present=False,
        state="offline",
        weight=0,
        own_state="offline",
        own_weight=0,
        cluster="",
        override=None,
        center=place.center,
        application=place.application,
        registered_at=0,
        session_age_ms=None,
    )


def definition(row: views.Row) -> DefinitionView:
    """Show what a service offers, without the document."""
    return DefinitionView(service=row.service, digest=row.digest, size=int(row.size), published_at=row.published_at)
