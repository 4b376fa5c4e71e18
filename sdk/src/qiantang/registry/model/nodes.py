"""Nouns of the registry: a node of a service, all nodes at one moment, what a service offers, what consumers hold of a node."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal

import msgspec

from qiantang.kernel import scope, wire

State = Literal["starting", "ready", "draining", "offline"]
"""`starting` warms up and takes no calls; `draining` finishes what it has; `offline` was taken out by an operator, and stays."""

Word = Annotated[str, msgspec.Meta(max_length=128)]
SERVICE: Final = r"[A-Za-z][A-Za-z0-9_.-]{0,127}"
"""What a whole name of a service is."""
ServiceName = Annotated[str, msgspec.Meta(pattern=rf"^{SERVICE}$(?!\n)")]


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


class Change(wire.Wire, frozen=True):
    """What may change of a node while it is registered; None leaves it."""

    state: State | None = None
    weight: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | None = None
    tags: dict[Word, Word] | None = None

    def applied(self, node: Node) -> Node:
        """Give the node as it is after the change."""
        given = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return msgspec.structs.replace(node, **given)


class Definition(wire.Wire, frozen=True):
    """What a service offers, as a JSON document, and the SHA-256 of that document's canonical form in hexadecimal."""

    service: ServiceName
    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    document: dict[str, Any]

    @classmethod
    def of(cls, service: str, document: dict[str, Any]) -> Definition:
        """Make it, with the digest of the document."""
        return cls(service=service, digest=digest(document), document=document)


class Vote(wire.Wire, frozen=True):
    """What one consumer (`voter`) holds of one node of a service, for breakers that open for a whole cluster.

    `value` is the voter's own text, such as a state with a rate; empty takes the vote back.
    """

    service: ServiceName
    node: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    voter: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    value: Annotated[str, msgspec.Meta(max_length=1024)] = ""


class Condition(wire.Wire, frozen=True):
    """How a registry is: ready, or why not, and since when (milliseconds since 1970)."""

    ready: bool
    reason: str = ""
    since: int = 0


def digest(document: dict[str, Any]) -> str:
    """Give the SHA-256 of a document's canonical JSON in hexadecimal."""
    return hashlib.sha256(wire.encode(document)).hexdigest()
