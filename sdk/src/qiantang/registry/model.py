"""Nouns of the registry: a node of a service, and all nodes at one moment."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qiantang.kernel import scope, wire

State = Literal["starting", "ready", "draining", "offline"]
"""`starting` warms up and takes no calls; `draining` finishes what it has; `offline` was taken out by an operator, and stays."""

Word = Annotated[str, msgspec.Meta(max_length=128)]
ServiceName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,127}$(?!\n)")]


class Provided(wire.Wire, frozen=True):
    """A service as one node has it: its version, its group, and the digest of its definition."""

    version: Word = "0"
    group: Word = "default"
    digest: Word = ""


class Node(wire.Wire, frozen=True):
    """One process that provides services.

    `name` is unique among the nodes of its microservice while it lives. `addresses` says where it listens, by protocol: `csf1`
    as host:port or unix:path, `http` as a base URL. `weight` is what it takes of the calls in proportion to others, 0 none.
    `started_at` is in seconds since 1970 by its own clock. `tags` are what routes choose by, such as a lane or a release.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    addresses: dict[Word, Annotated[str, msgspec.Meta(max_length=300)]]
    services: dict[ServiceName, Provided] = {}
    state: State = "ready"
    weight: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100
    zone: Word = ""
    cluster: scope.Name = "default"
    tags: dict[Word, Word] = {}
    started_at: float = 0.0


class Snapshot(wire.Wire, frozen=True):
    """All nodes of a microservice at one moment: complete, never a change.

    `revision` rises with each change that one registry tells; it says nothing between registries. `is_stale` says that the
    registry is away and these are the last that were known.
    """

    nodes: tuple[Node, ...] = ()
    revision: int = 0
    is_stale: bool = False
