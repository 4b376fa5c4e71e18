"""Calling: from the function of a stub to the bytes on a connection, and back. One caller for all services of a program."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Self, TypeVar, cast

from qiantang.kernel import errors
from qiantang.registry.client import Directory
from qiantang.registry.model import Node, Snapshot
from qiantang.rpc.balance.matching import Consumer
from qiantang.rpc.client import exchange
from qiantang.rpc.client.chain import Chain
from qiantang.rpc.client.connection import Introduces
from qiantang.rpc.client.degrading import Fallback, Instead, fallbacks_of
from qiantang.rpc.client.following import Followed
from qiantang.rpc.client.going import Going
from qiantang.rpc.client.governing import SWEEP_SECONDS, Governor
from qiantang.rpc.client.hedging import Race
from qiantang.rpc.client.pool import NodePool
from qiantang.rpc.client.streaming import Streaming
from qiantang.rpc.client.stubs import client_of
from qiantang.rpc.client.targets import Site, Target, Targets
from qiantang.rpc.governance.degrade import BY_RULE, Degrade, why_of
from qiantang.rpc.governance.hedge import Hedge
from qiantang.rpc.model.context import CallContext, current
from qiantang.rpc.model.definition import MethodDefinition, definition_of
from qiantang.rpc.model.reports import Report

S = TypeVar("S")
T = TypeVar("T")
GOVERNED_SECONDS: Final = 5.0


class Caller:
    """Calls services. Of one event loop; open it as an async context manager.

    `who` says to nodes who calls: see `introducing`; `consumer` what routes know of that. `governor` takes rules and routes.
    `nodes` are called without a registry; else `follow` its directories.
    """

    def __init__(
        self,
        who: Introduces,
        nodes: Sequence[Node] = (),
        *,
        tls: ssl.SSLContext | None = None,
        consumer: Consumer | None = None,
    ) -> None:
        self._who, self._tls = who, tls
        self._targets: Targets[NodePool] = Targets(self._pool)
        self._followed = Followed()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._nodes = nodes
        self._sweeping: asyncio.Task[None] | None = None
        self.governor: Governor[Target[NodePool]] = Governor(consumer or Consumer())
        self._streaming = Streaming(self.governor)
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin; connections are made when they are needed."""
        self._loop = asyncio.get_running_loop()
        self.use(self._nodes)
        self._sweeping = asyncio.create_task(self._sweep(), name="sweep of calls")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End all connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        self._followed.end()
        for microservice in self._targets.microservices:
            self.use((), microservice)
        await asyncio.gather(*self._leaving)

    def client(self, service: type[S], fallback: object = None) -> S:
        """Give an object with the methods of a service, each of which calls it.

        `fallback` answers where a rule says so: an object with some of the methods, or functions by the methods' names, which take
        what those take and may be coroutine functions. Plain ones run on the loop, and must not wait.

        Raises:
            MisconfiguredError: a fallback takes other arguments than its method.
        """
        definition = definition_of(service)
        self.governor.know(definition.methods.values())
        named = fallbacks_of(definition, fallback, waits=True) if fallback is not None else None
        return cast("S", client_of(definition, self.call, self._streaming.open, named))

    def follow(self, directory: Directory) -> Callable[[], None]:
        """Call the nodes of a microservice as its directory says them now, and after each change; give what ends that.

        The directory may live on another event loop. It is told of nodes that cannot be connected to.

        Raises:
            MisconfiguredError: another directory of that microservice is followed.
        """
        hand = functools.partial(_hand_over, asyncio.get_running_loop())
        return self._followed.follow(directory, self.use, hand)

    def use(self, nodes: Sequence[Node], microservice: str = "") -> None:
        """Call these nodes of a microservice from now on, and no others of it. What is under way on those is answered before their
        connections end.
        """
        now = time.monotonic()
        targets, gone = self._targets.use(nodes, now, microservice)
        self.governor.follow(targets, now)
        for pool in gone:
            task = asyncio.create_task(pool.close(), name=f"leave {pool.address}")
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def govern(self, rules: Mapping[str, bytes], routes: Mapping[str, bytes]) -> list[Report]:
        """Take rules and routes as they were delivered, by id; calls under way keep theirs."""
        return [self.governor.rule(rules), self.governor.route(routes)]

    def call(
        self, method: MethodDefinition, arguments: Any, fallback: Fallback | None = None
    ) -> Coroutine[Any, Any, Any]:
        """Call a method with its arguments. `fallback` is what the consumer declared for bad times.

        Raises:
            QiantangError: what the provider raised, or what befell the call; see `rpc.errors.was_processed`.
        """
        if self.governor.detours:
            chain = self.governor.chain(method)
            if chain.degrade is not None:
                return self._degraded(chain, chain.degrade, arguments, fallback)
            return self._call(method, arguments, chain.hedge)
        return self._call(method, arguments)

    async def _degraded(self, chain: Chain, degrade: Degrade, arguments: Any, fallback: Fallback | None) -> Any:
        above, instead = current.get(), Instead(degrade, chain.method, arguments, fallback)
        if degrade.is_always:
            return await instead.wait(above, min(chain.timeout, above.remaining()), BY_RULE)
        try:
            result = await self._call(chain.method, arguments, chain.hedge)
        except errors.QiantangError as error:
            why = why_of(error)
            if not why:
                raise
            return await instead.wait(above, min(chain.timeout, above.remaining()), why, error)
        instead.remember(above, result)
        return result

    async def _call(self, method: MethodDefinition, arguments: Any, hedge: Hedge | None = None) -> Any:
        body, above = exchange.written(method, arguments), current.get()
        going = self.governor.begin(method, arguments, above, time.monotonic())
        failure: BaseException | None = None
        try:
            pause = going.wait(going.ticket.begun)
            while True:
                if pause:
                    await asyncio.sleep(pause)
                try:
                    if hedge is not None:
                        return await Race(going, hedge, functools.partial(self._attempt, method, body, above)).run()
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

    async def _attempt(
        self, method: MethodDefinition, body: bytes, above: CallContext, leg: Going[Target[NodePool]]
    ) -> Any:
        pool, deadline = leg.chosen.pool, leg.ticket.deadline
        connection = pool.ready() or await pool.connection(deadline)
        answer = await connection.call(leg.header(connection.methods, above, leg.began), body, deadline)
        return exchange.result_of(method, connection.node, answer)

    def _pool(self, site: Site) -> NodePool:
        return NodePool(site.address, self._who, self._tls, functools.partial(self._followed.failed, site))

    async def governed(self, function: Callable[[Governor[Any]], T]) -> T:
        """Have a function look at rules and breakers on this caller's loop, from whatever loop.

        Raises:
            UnavailableError: the caller's loop has ended.
        """
        loop = self._loop
        if loop is None or asyncio.get_running_loop() is loop:
            return function(self.governor)
        try:
            asked = asyncio.run_coroutine_threadsafe(_called(function, self.governor), loop)
        except RuntimeError as error:
            raise errors.UnavailableError("the event loop of the caller has ended") from error
        async with asyncio.timeout(GOVERNED_SECONDS):  # `wait_for` of Python 3.11 may swallow that it was cancelled
            return await asyncio.wrap_future(asked)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self.governor.sweep(time.monotonic())


def _hand_over(loop: asyncio.AbstractEventLoop, take: Callable[[Snapshot], None], snapshot: Snapshot) -> None:
    """Have a snapshot taken on a loop, from any thread."""
    if asyncio.get_running_loop() is loop:
        take(snapshot)
        return
    with contextlib.suppress(RuntimeError):  # that loop was closed: nobody calls on it any more
        loop.call_soon_threadsafe(take, snapshot)


async def _called(function: Callable[[Governor[Any]], T], governor: Governor[Any]) -> T:
    return function(governor)
