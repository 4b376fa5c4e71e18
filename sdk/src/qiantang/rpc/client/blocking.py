"""Blocking: a caller for programs without an event loop: plain sockets, shared by all threads."""

from __future__ import annotations

import functools
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

from qiantang.kernel import errors
from qiantang.registry.client import Directory
from qiantang.registry.model import Node
from qiantang.rpc.balance.matching import Consumer
from qiantang.rpc.client import exchange
from qiantang.rpc.client.blocking_streaming import BlockingStreaming
from qiantang.rpc.client.chain import Chain
from qiantang.rpc.client.connection import Introduces
from qiantang.rpc.client.degrading import Fallback, Instead, fallbacks_of
from qiantang.rpc.client.following import Followed, at_once
from qiantang.rpc.client.going import Going
from qiantang.rpc.client.governing import SWEEP_SECONDS, Governor
from qiantang.rpc.client.sockets import BlockingPool
from qiantang.rpc.client.stubs import client_of
from qiantang.rpc.client.targets import Site, Target, Targets
from qiantang.rpc.governance.degrade import BY_RULE, Degrade, why_of
from qiantang.rpc.model.context import CallContext, current
from qiantang.rpc.model.definition import MethodDefinition, definition_of
from qiantang.rpc.model.reports import Report

S = TypeVar("S")
T = TypeVar("T")


class BlockingCaller:
    """Calls services from any thread, without an event loop. Open it as a context manager; see `Caller`."""

    def __init__(
        self,
        who: Introduces,
        nodes: Sequence[Node] = (),
        *,
        tls: ssl.SSLContext | None = None,
        consumer: Consumer | None = None,
    ) -> None:
        self._who, self._tls = who, tls
        self._targets: Targets[BlockingPool] = Targets(self._pool)
        self._followed = Followed()
        self._lock = threading.Lock()
        self._nodes = nodes
        self._swept = 0.0
        self.governor: Governor[Target[BlockingPool]] = Governor(consumer or Consumer())
        self._streaming = BlockingStreaming(self.governor, self._lock, self._chosen)

    def __enter__(self) -> Self:
        """Begin; connections are made when they are needed."""
        self.use(self._nodes)
        return self

    def __exit__(self, *_: object) -> None:
        """End all connections."""
        self._followed.end()
        for microservice in self._targets.microservices:
            self.use((), microservice)

    def client(self, service: type[S], fallback: object = None) -> S:
        """Give an object with the methods of a service, each of which calls it, and blocks until it has the answer.

        `fallback` as `Caller.client` has it, of plain functions.
        """
        definition = definition_of(service)
        with self._lock:
            self.governor.know(definition.methods.values())
        named = fallbacks_of(definition, fallback, waits=False) if fallback is not None else None
        return cast("S", client_of(definition, self.call, self._streaming.open, named))

    def follow(self, directory: Directory) -> Callable[[], None]:
        """Call the nodes of a microservice as its directory says them, on whatever event loop that lives; see `Caller.follow`."""
        return self._followed.follow(directory, self.use, at_once)

    def use(self, nodes: Sequence[Node], microservice: str = "") -> None:
        """Call these nodes of a microservice from now on, and no others of it."""
        with self._lock:
            now = time.monotonic()
            targets, gone = self._targets.use(nodes, now, microservice)
            self.governor.follow(targets, now)
        for pool in gone:
            pool.close()

    def govern(self, rules: Mapping[str, bytes], routes: Mapping[str, bytes]) -> list[Report]:
        """Take rules and routes as they were delivered, by id; from any thread."""
        with self._lock:
            return [self.governor.rule(rules), self.governor.route(routes)]

    def call(self, method: MethodDefinition, arguments: Any, fallback: Fallback | None = None) -> Any:
        """Call a method with its arguments; see `Caller.call`."""
        if self.governor.detours:
            with self._lock:
                chain = self.governor.chain(method)
            if chain.degrade is not None:
                return self._degraded(chain, chain.degrade, arguments, fallback)
        return self._call(method, arguments)

    def _degraded(self, chain: Chain, degrade: Degrade, arguments: Any, fallback: Fallback | None) -> Any:
        above, instead = current.get(), Instead(degrade, chain.method, arguments, fallback, lock=self._lock)
        if degrade.is_always:
            return instead.give(above, BY_RULE)
        try:
            result = self._call(chain.method, arguments)
        except errors.QiantangError as error:
            why = why_of(error)
            if not why:
                raise
            return instead.give(above, why, error)
        instead.remember(above, result)
        return result

    def _call(self, method: MethodDefinition, arguments: Any) -> Any:
        body, above = exchange.written(method, arguments), current.get()
        with self._lock:
            going = self.governor.begin(method, arguments, above, time.monotonic())
        failure: BaseException | None = None
        try:
            return self._attempts(method, body, above, going)
        except BaseException as error:
            failure = error
            raise
        finally:
            with self._lock:
                going.end(time.monotonic(), failure)

    async def governed(self, function: Callable[[Governor[Any]], T]) -> T:
        """Have a function look at rules and breakers, from whatever loop; it must not wait."""
        with self._lock:
            return function(self.governor)

    def _pool(self, site: Site) -> BlockingPool:
        return BlockingPool(site.address, self._who, self._tls, functools.partial(self._followed.failed, site))

    def _chosen(self, going: Going[Target[BlockingPool]], now: float) -> BlockingPool:
        """Choose the node of an attempt."""
        with self._lock:
            if now >= self._swept + SWEEP_SECONDS:
                self._swept = now
                self.governor.sweep(now)
            return going.target(now).pool

    def _attempts(
        self, method: MethodDefinition, body: bytes, above: CallContext, going: Going[Target[BlockingPool]]
    ) -> Any:
        with self._lock:
            pause = going.wait(going.ticket.begun)
        while True:
            if pause:
                time.sleep(pause)
            try:
                return self._attempt(method, body, above, going)
            except errors.QiantangError as error:
                with self._lock:
                    pause = going.failed(error, time.monotonic())

    def _attempt(
        self, method: MethodDefinition, body: bytes, above: CallContext, going: Going[Target[BlockingPool]]
    ) -> Any:
        now, deadline = time.monotonic(), going.ticket.deadline
        pool = self._chosen(going, now)
        connection = pool.take(deadline)
        try:
            header = going.header(connection.methods, above, now)
            answer = connection.call(header, body, deadline)
        finally:
            pool.give_back(connection)
        return exchange.result_of(method, connection.node, answer)
