"""Calling: from the function of a stub to the bytes on a connection, and back. One caller for all services of a program."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Any, Self, TypeVar, cast

import msgspec

from qiantang.registry.model import Node
from qiantang.rpc.balance.endpoint import Endpoint
from qiantang.rpc.client.connection import Connection
from qiantang.rpc.client.pool import NodePool
from qiantang.rpc.client.stubs import Stub, encoded
from qiantang.rpc.errors import (
    DeadlineError,
    UnknownMethodError,
    UnknownServiceError,
    UnreadableResultError,
)
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import PRIORITIES, MethodDefinition, definition_of
from qiantang.rpc.wire import headers

S = TypeVar("S")
HOP_SECONDS = 0.002
"""What a call below another leaves of its time for the way back."""


class Target(Endpoint):
    """A node that can be called."""

    __slots__ = ("pool",)

    def __init__(self, node: Node, pool: NodePool, now: float) -> None:
        super().__init__(node, now)
        self.pool = pool


class Caller:
    """Calls services. Of one event loop; open it as an async context manager.

    `application` is who calls, as `tenant/environment/center/application`; `instance` which process of it.
    """

    def __init__(
        self, application: str, nodes: Sequence[Node] = (), *, instance: str = "", tls: ssl.SSLContext | None = None
    ) -> None:
        self._hello = headers.Hello(headers.VERSION, application, instance)
        self._tls = tls
        self._targets: dict[str, Target] = {}
        self._by_service: dict[str, tuple[Target, ...]] = {}
        self._turn = 0
        self._nodes = nodes

    async def __aenter__(self) -> Self:
        """Begin; connections are made when they are needed."""
        self.use(self._nodes)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        targets, self._targets = self._targets, {}
        self._by_service = {}
        await asyncio.gather(*(one.pool.close() for one in targets.values()))

    def client(self, service: type[S]) -> S:
        """Give an object with the methods of a service, each of which calls it."""
        definition = definition_of(service)
        return cast("S", Stub(definition.name, definition.methods, self.call))

    def use(self, nodes: Sequence[Node]) -> None:
        """Call these nodes from now on. What is under way on others is answered."""
        now = time.monotonic()
        named = {one.name: one for one in nodes if "csf1" in one.addresses}
        targets: dict[str, Target] = {}
        for name, node in named.items():
            known = self._targets.get(name)
            if known is None or known.pool.address != node.addresses["csf1"]:
                known = Target(node, NodePool(node.addresses["csf1"], self._hello, self._tls), now)
            known.node = node
            targets[name] = known
        self._targets = targets
        services = {service for one in targets.values() for service in one.node.services}
        self._by_service = {
            service: tuple(
                one for one in targets.values() if service in one.node.services and one.node.state == "ready"
            )
            for service in services
        }

    async def call(self, method: MethodDefinition, arguments: Any) -> Any:
        """Call a method with its arguments.

        Raises:
            QiantangError: what the provider raised, or what befell the call; see `rpc.errors.was_processed`.
        """
        body = encoded(method, arguments, headers.encode)
        above = current.get()
        now = time.monotonic()
        timeout = min(method.options.timeout, above.deadline - now - HOP_SECONDS)
        if timeout <= 0:
            raise DeadlineError(f"no time is left for {method.path}: the call above it has used it up")
        deadline = now + timeout
        target = self._pick(method)
        connection = target.pool.ready() or await target.pool.connection(deadline)
        header = headers.CallHeader(
            _place(connection, method),
            max(1, int(timeout * 1000)),
            above.trace,
            above.attempt,
            PRIORITIES.index(method.options.priority),
            above.tag,
        )
        answer = await connection.call(header, body, deadline)
        try:
            return method.read_result(answer)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise UnreadableResultError(
                f"{connection.node} gave a result of {method.path} that does not fit its type here: {error}"
            ) from error

    def _pick(self, method: MethodDefinition) -> Target:
        targets = self._by_service.get(method.service)
        if not targets:
            raise UnknownServiceError(f"no node that is ready provides {method.service}")
        self._turn += 1
        return targets[self._turn % len(targets)]


def _place(connection: Connection, method: MethodDefinition) -> int:
    place = connection.methods.get(method.path)
    if place is None:
        raise UnknownMethodError(f"{connection.node} has no {method.path}: it has another version of the service")
    return place
