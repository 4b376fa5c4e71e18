"""Targets: the nodes that can be called, each with its connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

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

    def __init__(self, node: Node, pool: P, now: float) -> None:
        super().__init__(node, now)
        self.pool = pool


class Targets(Generic[P]):
    """Of one caller. `connect` makes the connections to an address; none is opened before it is needed."""

    def __init__(self, connect: Callable[[str], P]) -> None:
        self._connect = connect
        self._by_name: dict[str, Target[P]] = {}

    def use(self, nodes: Sequence[Node], now: float) -> tuple[tuple[Target[P], ...], list[P]]:
        """Give the targets of these nodes, those that were there before as they are, and the connections that nobody needs now."""
        before = [one.pool for one in self._by_name.values()]
        named = {one.name: one for one in nodes if "csf1" in one.addresses}
        self._by_name = {name: self._target(node, now) for name, node in named.items()}
        kept = {id(one.pool) for one in self._by_name.values()}
        return tuple(self._by_name.values()), [pool for pool in before if id(pool) not in kept]

    def _target(self, node: Node, now: float) -> Target[P]:
        known = self._by_name.get(node.name)
        address = node.addresses["csf1"]
        if known is None or known.pool.address != address:
            return Target(node, self._connect(address), now)
        known.update(node, now)
        return known
