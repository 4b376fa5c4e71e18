"""Rig: a broker, and what tests of it share: topics of unused names, buses that end with it, handlers that note what they get."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Any

from qiantang.kernel import ids, scope
from qiantang.messaging.client import MessageBus
from qiantang.messaging.model import Cluster, Context, Estate, Resource, Store, Topic

PLACE = scope.Scope(tenant="acme", environment="test", center="trade", application="order")
DEADLINE = 60.0  # the machine may be busy; what passes does not wait for it

_numbers = itertools.count(1)


async def until(true: Callable[[], object], what: Callable[[], object] = lambda: "", seconds: float = DEADLINE) -> None:
    """Wait until something is so; `what` says how far it came.

    Raises:
        AssertionError: it is not so in time.
    """
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, f"not so in {seconds:g} s: {what()}"
        await asyncio.sleep(0.01)


class Rig:
    """A broker, and what a test needs to say of it: topics with unused names, buses, and waiting until something is so."""

    def __init__(self, adapter: str, resource: Resource, store: Store | None = None) -> None:
        self.store = store
        self.cluster = Cluster(name="main", adapter=adapter, resources=[resource])
        self.buses: list[MessageBus] = []

    def topic(self, **more: Any) -> Topic:
        """Give a topic whose name was not used before."""
        return Topic(name=f"t{next(_numbers)}-{ids.ordered_id()[-8:]}", clusters=["main"], **more)

    def estate(self, *topics: Topic) -> Estate:
        """Give the estate of a bus over the broker, with topics."""
        return Estate(clusters=[self.cluster], topics=list(topics), store=self.store)

    async def bus(self, *topics: Topic, place: scope.Scope = PLACE, **more: Any) -> MessageBus:
        """Open a bus; it is closed with the rig."""
        bus = self.made(*topics, place=place, **more)
        await bus.open()
        return bus

    def made(self, *topics: Topic, place: scope.Scope = PLACE, **more: Any) -> MessageBus:
        """Make a bus that is not open yet."""
        bus = MessageBus(self.estate(*topics), place, **more)
        self.buses.append(bus)
        return bus

    async def taking(self, topic: Topic, **options: Any) -> tuple[MessageBus, Topic, Taker]:
        """Open a bus whose subscription of a topic takes part already, and notes what it gets."""
        bus, taker = await self.bus(topic), Taker()
        bus.subscribe(topic.name, **options)(taker)
        await self.joined(bus, topic)
        return bus, topic, taker

    async def close(self) -> None:
        """Close what was opened."""
        for bus in self.buses:
            await bus.close()

    async def until(self, true: Callable[[], bool], what: object = "") -> None:
        """Wait until something is so."""
        await until(true, lambda: what)

    async def joined(self, bus: MessageBus, topic: Topic, group: str = "") -> None:
        """Wait until a subscription takes part: from then on it gets what is sent."""
        await self.until(lambda: all(one.joined for one in bus.consumers(topic.name, group)), "joined")


class Taker:
    """A handler that notes what it gets."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.contexts: list[Context] = []

    async def __call__(self, body: Any, context: Context) -> None:
        self.bodies.append(body)
        self.contexts.append(context)
