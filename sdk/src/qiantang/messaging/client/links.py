"""Links: the brokers of an estate, each opened at its first use and again after a loss, with the line of what goes to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from qiantang.kernel import errors, plugins
from qiantang.messaging.client.routing import Route
from qiantang.messaging.client.sending import Line
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Cluster, Estate, Resource, Subscription, Topic
from qiantang.messaging.port import Broker, Receiver

Make = Callable[[Resource], Broker]

OPEN_SECONDS: Final = 10.0


class Link:
    """One broker."""

    def __init__(self, cluster: Cluster, resource: Resource, make: Make) -> None:
        self.route = Route(cluster.name, resource.name, resource.weight)
        self.name = f"{cluster.name}/{resource.name}"
        self.broker = make(resource)
        self.line = Line(self.name, self.broker)
        self._opened = False
        self._ensured: set[str] = set()
        self._turn = asyncio.Lock()
        self._failed: tuple[errors.QiantangError | None, float] = (None, 0.0)

    def has(self, topic: str) -> bool:
        """Say whether the broker is open and known to have the topic."""
        return topic in self._ensured

    async def ready(self, topic: Topic, subscription: Subscription | None = None) -> None:
        """Open the broker, and have the topic, and the group, on it.

        Raises:
            BrokerAwayError: it cannot be reached.
        """
        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self._turn:
            failure, failed_at = self._failed
            if failure is not None and failed_at >= asked:
                raise failure  # it failed while this one waited for its turn: all of them are told at once
            try:
                async with asyncio.timeout(OPEN_SECONDS):
                    await self._have(topic, subscription)
            except TimeoutError as error:
                away = BrokerAwayError(f"{self.name} gave no answer within {OPEN_SECONDS:g} s")
                self._failed = (away, clock())
                raise away from error
            except errors.QiantangError as error:
                self._failed = (error, clock())
                raise

    async def _have(self, topic: Topic, subscription: Subscription | None) -> None:
        if not self._opened:
            await self.broker.open()
            self._opened = True
        await self.broker.ensure(topic, [subscription] if subscription is not None else [])
        self._ensured.add(topic.name)

    async def join(self, topic: Topic, subscription: Subscription, member: str, queues: tuple[str, ...]) -> Receiver:
        """Take part in a group."""
        await self.ready(topic, subscription)
        return await self.broker.receive(subscription, member, queues)

    async def close(self) -> None:
        """Send what waits, and disconnect."""
        try:
            await self.line.close()
        finally:
            if self._opened:
                await self.broker.close()


def make_links(estate: Estate, adapters: Mapping[str, Make] | None = None) -> dict[str, list[Link]]:
    """Make the links of every cluster; nothing is opened.

    Raises:
        MisconfiguredError: an adapter is not installed, or a name is given twice.
    """
    links: dict[str, list[Link]] = {}
    for cluster in estate.clusters:
        if cluster.name in links:
            raise errors.MisconfiguredError(f"the cluster {cluster.name!r} is declared twice")
        names = [one.name for one in cluster.resources]
        if len(set(names)) < len(names):
            raise errors.MisconfiguredError(f"the cluster {cluster.name!r} names a resource twice")
        make = (adapters or {}).get(cluster.adapter) or plugins.load(plugins.adapters("messaging"), cluster.adapter)
        links[cluster.name] = [Link(cluster, resource, make) for resource in cluster.resources]
    return links
