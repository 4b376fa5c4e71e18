"""Targets: the nodes that can be called, by the services that they provide, each with its connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from qiantang.registry.model import Node
from qiantang.rpc.balance.endpoint import Endpoint
from qiantang.rpc.errors import UnknownServiceError


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
        self._by_service: dict[str, tuple[Target[P], ...]] = {}
        self._turn = 0

    def use(self, nodes: Sequence[Node]) -> list[P]:
        """Call these nodes from now on; give the connections that are not needed any more."""
        now = time.monotonic()
        before = [one.pool for one in self._by_name.values()]
        named = {one.name: one for one in nodes if "csf1" in one.addresses}
        self._by_name = {name: self._target(node, now) for name, node in named.items()}
        services = {service for one in named.values() for service in one.services}
        self._by_service = {
            service: tuple(
                one for one in self._by_name.values() if service in one.node.services and one.node.state == "ready"
            )
            for service in services
        }
        kept = {id(one.pool) for one in self._by_name.values()}
        return [pool for pool in before if id(pool) not in kept]

    def pick(self, service: str) -> Target[P]:
        """Choose a node for a call.

        Raises:
            UnknownServiceError: none that is ready provides the service.
        """
        targets = self._by_service.get(service)
        if not targets:
            raise UnknownServiceError(f"no node that is ready provides {service}")
        self._turn += 1
        return targets[self._turn % len(targets)]

    def _target(self, node: Node, now: float) -> Target[P]:
        known = self._by_name.get(node.name)
        address = node.addresses["csf1"]
        if known is None or known.pool.address != address:
            return Target(node, self._connect(address), now)
        known.node = node
        return known
