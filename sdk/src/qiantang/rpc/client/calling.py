"""Calling: from the function of a stub to the bytes on a connection, and back. One caller for all services of a program."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Any, Self, TypeVar, cast

from qiantang.registry.model import Node
from qiantang.rpc.client import exchange
from qiantang.rpc.client.connection import Introduces
from qiantang.rpc.client.pool import NodePool
from qiantang.rpc.client.stubs import Stub
from qiantang.rpc.client.targets import Targets
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import MethodDefinition, definition_of

S = TypeVar("S")


class Caller:
    """Calls services. Of one event loop; open it as an async context manager.

    `who` says to nodes who calls: see `introducing`.
    """

    def __init__(self, who: Introduces, nodes: Sequence[Node] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self._targets: Targets[NodePool] = Targets(lambda address: NodePool(address, who, tls))
        self._nodes = nodes
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin; connections are made when they are needed."""
        self.use(self._nodes)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        self.use([])
        await asyncio.gather(*self._leaving)

    def client(self, service: type[S]) -> S:
        """Give an object with the methods of a service, each of which calls it."""
        definition = definition_of(service)
        return cast("S", Stub(definition.name, definition.methods, self.call))

    def use(self, nodes: Sequence[Node]) -> None:
        """Call these nodes from now on. What is under way on others is answered before their connections end."""
        for pool in self._targets.use(nodes):
            task = asyncio.create_task(pool.close(), name=f"leave {pool.address}")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def call(self, method: MethodDefinition, arguments: Any) -> Any:
        """Call a method with its arguments.

        Raises:
            QiantangError: what the provider raised, or what befell the call; see `rpc.errors.was_processed`.
        """
        body = exchange.written(method, arguments)
        above, now = current.get(), time.monotonic()
        timeout = exchange.timeout_of(method, above, now)
        pool = self._targets.pick(method.service).pool
        connection = pool.ready() or await pool.connection(now + timeout)
        header = exchange.header_of(method, connection.methods, timeout, above)
        return exchange.result_of(method, connection.node, await connection.call(header, body, now + timeout))
