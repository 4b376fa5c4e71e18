"""Calling: from the function of a stub to the bytes on a connection, and back. One caller for all services of a program."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from typing import Any, Self, TypeVar, cast

from qiantang.kernel import errors
from qiantang.registry.model import Node
from qiantang.rpc.balance.matching import Consumer
from qiantang.rpc.client import exchange
from qiantang.rpc.client.connection import Introduces
from qiantang.rpc.client.governing import SWEEP_SECONDS, Governor
from qiantang.rpc.client.pool import NodePool
from qiantang.rpc.client.stubs import Stub
from qiantang.rpc.client.targets import Target, Targets
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import MethodDefinition, definition_of

S = TypeVar("S")


class Caller:
    """Calls services. Of one event loop; open it as an async context manager.

    `who` says to nodes who calls: see `introducing`; `consumer` what routes know of that. `governor` takes rules and routes.
    """

    def __init__(
        self,
        who: Introduces,
        nodes: Sequence[Node] = (),
        *,
        tls: ssl.SSLContext | None = None,
        consumer: Consumer | None = None,
    ) -> None:
        self._targets: Targets[NodePool] = Targets(lambda address: NodePool(address, who, tls))
        self._nodes = nodes
        self._sweeping: asyncio.Task[None] | None = None
        self.governor: Governor[Target[NodePool]] = Governor(consumer or Consumer())
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin; connections are made when they are needed."""
        self.use(self._nodes)
        self._sweeping = asyncio.create_task(self._sweep(), name="sweep of calls")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        self.use([])
        await asyncio.gather(*self._leaving)

    def client(self, service: type[S]) -> S:
        """Give an object with the methods of a service, each of which calls it."""
        definition = definition_of(service)
        return cast("S", Stub(definition.name, definition.methods, self.call))

    def use(self, nodes: Sequence[Node]) -> None:
        """Call these nodes from now on. What is under way on others is answered before their connections end."""
        now = time.monotonic()
        targets, gone = self._targets.use(nodes, now)
        self.governor.follow(targets, now)
        for pool in gone:
            task = asyncio.create_task(pool.close(), name=f"leave {pool.address}")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def call(self, method: MethodDefinition, arguments: Any) -> Any:
        """Call a method with its arguments.

        Raises:
            QiantangError: what the provider raised, or what befell the call; see `rpc.errors.was_processed`.
        """
        body, above = exchange.written(method, arguments), current.get()
        going = self.governor.begin(method, arguments, above, time.monotonic())
        failure: BaseException | None = None
        try:
            pause = going.wait(going.ticket.begun)
            while True:
                if pause:
                    await asyncio.sleep(pause)
                try:
                    now, deadline = time.monotonic(), going.ticket.deadline
                    pool = going.target(now).pool
                    connection = pool.ready() or await pool.connection(deadline)
                    header = going.header(connection.methods, above, now)
                    answer = await connection.call(header, body, deadline)
                    return exchange.result_of(method, connection.node, answer)
                except errors.QiantangError as error:
                    pause = going.failed(error, time.monotonic())
        except BaseException as error:
            failure = error
            raise
        finally:
            going.end(time.monotonic(), failure)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.governor.sweep(time.monotonic())
