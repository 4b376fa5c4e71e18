"""Watch: the one way out. Opens the relay, hears of other servers' releases, and keeps streams and instances."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from qiantang.kernel import errors, protocol, resource, scope
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.cache.port import ReleaseCache
from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.kernel.jobs import supervised
from qiantang_server.kernel.resources import Resources
from qiantang_server.kernel.resources.service.ground import Edited, Published
from qiantang_server.kernel.watch.delivery import Deliveries, links_of
from qiantang_server.kernel.watch.heads import Heads
from qiantang_server.kernel.watch.hub import Hub, Subscriber
from qiantang_server.kernel.watch.instances import Instances
from qiantang_server.kernel.watch.overview import Overview
from qiantang_server.kernel.watch.relay import Relay
from qiantang_server.kernel.watch.settings import WatchSettings
from qiantang_server.kernel.watch.topics import Topics

FLUSH_SECONDS = 0.5
RECHECK_SECONDS = 3.0


class Streams(Protocol):
    """Open streams of processes, held by the kernel or by a room."""

    def say_all(self, event: str, data: object) -> None:
        """Send an event to every stream."""
        ...

    def close(self) -> None:
        """Send every stream to another server, and end it; and each that is still being opened."""
        ...


class Watch:
    """Streams notices, answers fetches, takes acknowledgements. Open it as an async context manager."""

    def __init__(
        self,
        settings: WatchSettings,
        resources: Resources,
        *,
        cache: ReleaseCache,
        coordination: Coordination,
        principal: Principal,
        node: str,
        version: str = "",
        announce_first: bool = False,
    ) -> None:
        parts = resources.parts
        self._kinds = parts.kinds
        self.settings = settings
        self.node = node
        self.hub = Hub()
        self.heads = Heads(parts, cache, principal)
        self.deliveries = Deliveries(parts, self.heads, resources.gray, settings.cache_bytes)
        self.instances = Instances(parts.database, node, parts.clock)
        self.overview = Overview(parts)
        self.relay = Relay(
            parts.database,
            self.heads,
            self.hub,
            cache=cache,
            coordination=coordination,
            deliveries=self.deliveries,
            announce_first=announce_first,
        )
        self._coordination = coordination
        self._tasks: list[asyncio.Task[None]] = []
        self._servers: list[str] = []
        self._joined: list[Streams] = []
        self.topics = Topics(parts, settings, node=node, version=version, has_others=lambda: len(self._servers) > 1)
        parts.published = self._published
        parts.edited = self._edited

    async def __aenter__(self) -> Watch:
        """Start the loops."""
        loops: dict[str, Callable[[], Awaitable[None]]] = {
            "relay": self.relay.run,
            "announcements": self._hear,
            "reconcile": self._reconcile,
            "instances": self._flush,
            "admission": self._recheck,
            "topics": self.topics.run,
            "followed bundles": self.topics.look_at_bundles,
            "followed tenants": self.topics.look_at_tenants,
            "followed lists": self.topics.look_at_lists,
            "followers": self.topics.recheck,
        }
        self._tasks = [asyncio.create_task(supervised(name, run), name=f"watch-{name}") for name, run in loops.items()]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the loops, after what instances said is written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(errors.QiantangError):
            await self.instances.flush()

    async def bundles(self, request: protocol.StreamRequest) -> list[resource.Bundle]:
        """Give what a stream must hear of: the application's own bundles and those that they link to.

        A position that a receiver holds and the database has not proves that the database was set back, and is repaired here.

        Raises:
            NotFoundError: there is no such capability.
        """
        own = [resource.Bundle(scope=request.scope, capability=name) for name in request.capabilities]
        for bundle in own:
            self.require_capability(bundle.capability)
        seen = {held.bundle: held.position for held in request.held}
        found = list(own)
        for bundle in own:
            await self.heads.get(bundle, seen.get(bundle, resource.NOWHERE))
            found += await self.deliveries.links(bundle)
        return list(dict.fromkeys(found))

    def require_capability(self, capability: str) -> None:
        """Pass where a capability publishes anything.

        Raises:
            NotFoundError: it does not: nothing is kept, looked up or repaired for names that somebody made up.
        """
        self._kinds.require(capability)

    async def received(self, place: scope.Scope, held: list[protocol.Held]) -> list[protocol.Held]:
        """Give those of what an instance says that it holds which it can have received: of its application's own bundles, and
        of those that they link to.
        """
        return [one for one in held if await self._receives(place, one.bundle)]

    async def _receives(self, place: scope.Scope, bundle: resource.Bundle) -> bool:
        if bundle.capability not in self._kinds.capabilities():
            return False
        own = resource.Bundle(scope=place, capability=bundle.capability)
        return bundle == own or bundle in await self.deliveries.links(own)

    def hello(self) -> protocol.Hello:
        """Give what this server says first on a stream."""
        return protocol.Hello(
            node=self.node,
            servers=self._servers,
            poll_seconds=self.settings.poll.total_seconds(),
            heartbeat_seconds=self.settings.heartbeat.total_seconds(),
            server_time=self.heads.clock(),
        )

    async def greet(self, subscriber: Subscriber) -> None:
        """Tell a new stream who answers, and where each of its bundles stands."""
        subscriber.say("hello", self.hello())
        told: set[resource.Bundle] = set()
        while waiting := subscriber.bundles - told:
            bundle = waiting.pop()
            told.add(bundle)
            known = await self.heads.get(bundle)
            if bundle.scope == subscriber.place:  # a publish since the stream asked may have brought links
                self.hub.watch_also(subscriber, links_of(bundle, known.state))
            subscriber.say("notice", resource.Notice(bundle=bundle, position=known.position))

    def tell_servers(self, addresses: list[str]) -> None:
        """Tell every stream which servers live now, when that changed."""
        if addresses != self._servers:
            self._servers = addresses
            for streams in (self.hub, *self._joined):
                streams.say_all("servers", protocol.Servers(servers=addresses))

    def close_streams(self) -> None:
        """Send every mirror to another server and end every browser's stream: this server stops."""
        self.hub.close()
        self.topics.close()
        for streams in self._joined:
            streams.close()

    def join(self, streams: Streams) -> None:
        """Have streams that a room holds itself told of servers, and closed, together with those of the mirrors."""
        self._joined.append(streams)

    def _published(self, published: Published) -> None:
        self.relay.published(published)
        self.topics.changed(published.bundle, "publish", published.position)

    def _edited(self, edited: Edited) -> None:
        self.topics.changed(edited.bundle, edited.what)

    async def _hear(self) -> None:
        async for key, position in self._coordination.watch():
            bundle = resource.Bundle.parse(key)
            if bundle.capability in self._kinds.capabilities():  # rooms announce what is no bundle as well
                await self._moved(bundle, position)

    async def _reconcile(self) -> None:
        while True:
            await asyncio.sleep(self.settings.reconcile.total_seconds() * random.uniform(0.8, 1.2))  # noqa: S311
            for bundle, position in await self.heads.reconcile(self.hub.watched()):
                await self._moved(bundle, position)

    async def _moved(self, bundle: resource.Bundle, position: resource.Position) -> None:
        if self.relay.has_told(bundle, position):
            return  # this server's own announcement has come back to it
        self.topics.changed(bundle, "publish", position)
        self.heads.hint(bundle, position)
        if self.hub.is_watched(bundle):
            # even if it is no news here: a fetch may have brought it, which tells no stream of its links.
            # what cannot be read now is unknown here, so that reconciling comes back to it
            with contextlib.suppress(errors.QiantangError):
                known = await self.heads.get(bundle, position)
                self.hub.watch_links(bundle, links_of(bundle, known.state))
                if known.position == position:
                    await self.relay.tell(bundle, known)
                    return
        self.hub.notice(bundle, position)

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await self.hub.recheck()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.instances.flush()
