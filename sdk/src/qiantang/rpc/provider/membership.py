"""Membership: a provider in the registry, from the first address that it listens on until its last call is answered."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import time
from contextlib import AsyncExitStack
from typing import Final, Self

import msgspec

from qiantang.kernel import observe, scope, wire
from qiantang.kernel.backoff import Backoff
from qiantang.registry.client import Registration
from qiantang.registry.errors import RegistryAwayError, RegistryReadOnlyError
from qiantang.registry.model import Definition, Node, Provided
from qiantang.registry.port import Registry
from qiantang.rpc.model.definition import document_of
from qiantang.rpc.provider import addresses
from qiantang.rpc.provider.serving import Provider
from qiantang.rpc.settings import RpcSettings

log = observe.BoundedLog(logging.getLogger(__name__))

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.:@-]")


class Member:
    """One process of a microservice. An async context manager, of one event loop.

    Entering listens, registers, and is ready. Leaving says so to the registry and to all callers, refuses what is new (it was
    not processed, and is called elsewhere), waits for what is under way, and is gone. Neither waits for a registry that is away.
    """

    def __init__(self, provider: Provider, registry: Registry, settings: RpcSettings, *, microservice: str) -> None:
        self._provider = provider
        self._registry = registry
        self._settings = settings
        self._microservice = scope.check_name(microservice, "the microservice")
        self._stack = AsyncExitStack()
        self._publishing: asyncio.Task[None] | None = None
        self.registration: Registration | None = None

    async def __aenter__(self) -> Self:
        """Listen, register and be ready.

        Raises:
            MisconfiguredError: it cannot listen or be told there.
            OSError: the address cannot be listened on.
        """
        try:
            node = self._node(await self._listen())
            notice = self._settings.notice.total_seconds()
            registration = Registration(self._registry, self._microservice, node, notice=notice)
            self.registration = await self._stack.enter_async_context(registration)
            self._stack.push_async_callback(self._leave, registration)
            await registration.ready()
        except BaseException:
            await self._stack.aclose()
            await self._provider.close()
            raise
        self._publishing = asyncio.create_task(self._publish(), name=f"definitions of {self._microservice}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drain, and be gone."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
        await self._stack.aclose()

    async def _leave(self, registration: Registration) -> None:
        await registration.drain()
        await self._provider.drain(self._settings.drain.total_seconds())
        await self._provider.close()

    async def _listen(self) -> dict[str, str]:
        said, context = self._settings, self._tls()
        place = addresses.place_of(said.listen, "rpc.listen")
        if place.is_unix:
            found = {"csf1": await self._provider.listen_unix(place.host)}
        else:
            bound = await self._provider.listen(place.host, place.port, tls=context)
            found = {"csf1": addresses.told(bound, said.advertise, "rpc.listen")}
        if said.http:
            place = addresses.place_of(said.http, "rpc.http")
            url = await self._provider.listen_http(place.host, place.port, tls=context)
            scheme, _, bound = url.partition("://")
            found["http"] = f"{scheme}://{addresses.told(bound, said.advertise, 'rpc.http')}"
        return found

    def _tls(self) -> ssl.SSLContext | None:
        said = self._settings
        if said.certificate_file is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(said.certificate_file, said.key_file)
        return context

    def _node(self, found: dict[str, str]) -> Node:
        services = {
            name: Provided(version=one.version, group=one.group, digest=one.digest)
            for name, one in self._provider.services.items()
        }
        node = Node(
            name=node_name(self._provider.node),
            addresses=found,
            services=services,
            state="starting",
            weight=self._settings.weight,
            zone=self._settings.zone,
            cluster=self._settings.cluster or "default",
            tags=self._settings.tags,
            started_at=time.time(),
        )
        return wire.convert(wire.builtins(node), Node)  # constructing it checks nothing

    async def _publish(self) -> None:
        """Tell the registry what each service offers, until it knows: for people and tools, callers do without."""
        pauses = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        waiting = list(self._provider.services.values())
        while waiting:
            document = msgspec.to_builtins(document_of(waiting[0]))
            try:
                await self._registry.publish(self._microservice, Definition.of(waiting[0].name, document))
            except RegistryAwayError:
                await asyncio.sleep(pauses.next())
                continue
            except RegistryReadOnlyError:
                return
            except Exception as error:
                log.failure(waiting[0].name, "a definition cannot be published", error=error)
            pauses.reset()
            del waiting[0]


def node_name(instance: str) -> str:
    """Give the name of a node for that of an instance, which may have more in it."""
    name = _NO_NAME.sub("-", instance)[:128].lstrip("-_.:@")
    return name or "node"
