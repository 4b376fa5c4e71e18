"""Targets: the nodes that can be called, of all microservices, each with its connections."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from qiantang.registry.model import Node
from qiantang.rpc.balance.endpoint import Endpoint


class Reaches(Protocol):
    """The connections to one node."""

    @property
    def address(self) -> str:
        """Where it is."""
        ...


P = TypeVar("P", bound=Reaches)


class Target(Endpoint, Generic[P]):
    """A node that can be called."""

    __slots__ = ("pool",)

    def __init__(self, node: Node, pool: P, now: float, microservice: str = "") -> None:
        super().__init__(node, now, microservice)
        self.pool = pool


class Site(NamedTuple):
    """Whom connections are to: a node of a microservice, at an address."""

    microservice: str
    node: str
    address: str


class Targets(Generic[P]):
    """Of one caller. `connect` makes the connections to a node; none is opened before it is needed."""

    def __init__(self, connect: Callable[[Site], P]) -> None:
        self._connect = connect
        self._of: dict[str, dict[str, Target[P]]] = {}

    @property
    def microservices(self) -> tuple[str, ...]:
        """Those of which nodes are known."""
        return tuple(self._of)

    def use(self, nodes: Sequence[Node], now: float, microservice: str = "") -> tuple[tuple[Target[P], ...], list[P]]:
        """Take these as the nodes of a microservice: give all targets there are then, those that were there before as they are,
        and the connections that nobody needs now.
        """
        had = self._of.get(microservice, {})
        named = {one.name: one for one in nodes if "csf1" in one.addresses}
        found = {name: self._target(had.get(name), node, now, microservice) for name, node in named.items()}
        self._of[microservice] = found
        if not found:
            del self._of[microservice]
        kept = {id(one.pool) for one in found.values()}
        gone = [one.pool for one in had.values() if id(one.pool) not in kept]
        return tuple(itertools.chain.from_iterable(one.values() for one in self._of.values())), gone

    def _target(self, known: Target[P] | None, node: Node, now: float, microservice: str) -> Target[P]:
        address = node.addresses["csf1"]
        if known is None or known.pool.address != address:
            return Target(node, self._connect(Site(microservice, node.name, address)), now, microservice)
        known.update(node, now)
        return known
