"""Links: the brokers of an estate, each opened at its first use and again after a loss, with the line of what goes to it.

An estate that changes while the bus runs changes its links: a broker whose address is another one now is the same link still, with
its line and what waits in its offline store.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from qiantang.kernel import errors, plugins
from qiantang.messaging.client import counting, dead
from qiantang.messaging.client.assisting import AssistedBroker
from qiantang.messaging.client.health import Health
from qiantang.messaging.client.offline import Offline
from qiantang.messaging.client.routing import Route
from qiantang.messaging.client.sending import Line
from qiantang.messaging.client.shrinking import ShrinkingBroker, Shrinks
from qiantang.messaging.errors import BrokerAwayError, OutcomeUnknownError
from qiantang.messaging.model import Cluster, Estate, Frame, Resource, Subscription, Topic
from qiantang.messaging.port import Broker, Feature, Lag, Receiver, SendOutcome, Store

Make = Callable[[Resource], Broker]

OPEN_SECONDS: Final = 10.0
NOTICED: Final = 0.1
"""A change of a broker's health by less is not worth a new route."""


class Link:
    """One broker; what it cannot do the client does in its place, with the store's help.

    `member` is this process's name; `topics` are those of the estate, by name.
    """

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        make: Make,
        *,
        store: Store | None = None,
        member: str = "",
        topics: Mapping[str, Topic] | None = None,
    ) -> None:
        self.adapter = cluster.adapter
        self.resource = resource
        self.route = Route(cluster.name, resource.name, resource.weight)
        self.health = Health()
        self._share = counting.health(f"{cluster.name}/{resource.name}")
        self.shrinks = Shrinks(f"{cluster.name}/{resource.name}", self._count, self._ask)
        self.broker: Broker = ShrinkingBroker(make(resource), self.shrinks)
        self.line = Line(f"{cluster.name}/{resource.name}", self.broker)
        self.line.leaving = self._leaving
        self.others: Callable[[Frame], bool] = lambda _frame: False
        """Says whether another broker can take a message."""
        self.offline: Offline | None = None
        self._store = store
        self._member = member
        self._topics = topics or {}
        self.shrinks.know(self._topics)
        self._opened = False
        self._ensured: set[str] = set()
        self._moved_with: set[str] = set()
        self._turn = asyncio.Lock()
        self._failed: tuple[errors.QiantangError | None, float] = (None, 0.0)

    @property
    def name(self) -> str:
        """Its name: "cluster/resource"."""
        return self.line.name

    @property
    def is_away(self) -> bool:
        """Whether its broker is taken to be away, and what is sent is kept on disk."""
        return self.offline is not None and self.offline.is_away

    def go(self, offline: Offline | None) -> None:
        """Have what its line sends go this way, straight to the broker without one."""
        self.offline = offline
        self._connect_line()

    def know(self, resource: Resource, topics: Mapping[str, Topic]) -> None:
        """Know the resource and the topics as they are now; topics that changed are looked at again on the broker."""
        self.resource = resource
        self.route = replace(self.route, weight=resource.weight)
        self._ensured = {name for name in self._ensured if self._topics.get(name) == topics.get(name)}
        self._topics = topics
        self.shrinks.know(topics)

    async def move(self, adapter: str, broker: Broker, store: Store | None) -> None:
        """Go to another broker from now on; what is being sent is answered by the one before."""
        async with self._turn:
            before, was_open = self.broker, self._opened
            self.adapter, self._store = adapter, store
            self.shrinks.know({})  # what is there is another's: it begins anew
            self.shrinks.know(self._topics)
            self.broker, self._opened = ShrinkingBroker(broker, self.shrinks), False
            self._moved_with, self._ensured = self._ensured, set()
            self._failed = (None, 0.0)
            self.health = Health()
            self._connect_line()
        if was_open:
            await before.close()

    async def send(self, frames: Sequence[Frame], deadline: float) -> Sequence[SendOutcome]:
        """Send frames in their order by the line; give an outcome for each within `deadline` seconds."""
        if not self.shrinks or self.is_away:
            return await self.line.send(frames, deadline)
        ends = time.monotonic() + deadline
        try:
            async with asyncio.timeout(deadline):
                sent = await self.shrinks.admit(frames)
        except TimeoutError:
            moving = BrokerAwayError(
                f"keys of a topic at {self.name} are moving to other queues, and that took too long"
            )
            return [SendOutcome.refused(moving)] * len(frames)
        try:
            return await self.line.send(frames, max(0.0, ends - time.monotonic()))
        finally:
            if sent is not None:
                sent()

    async def put(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Have the broker send frames, past the line: what waits in an offline store goes so."""
        health, began, away = self.health, time.monotonic(), 1.0
        health.begin(began)
        try:
            outcomes = await self.broker.send(frames)
            away = sum(one.may_pass for one in outcomes) / len(frames)
        finally:  # also where nobody waits any longer: then it gave no answer
            health.end(began, time.monotonic(), away)
            self._weigh()
        return outcomes

    def _weigh(self) -> None:
        share = self.health.share
        self._share.set(share)
        if abs(share - self.route.health) > self.route.health * NOTICED:
            self.route = replace(self.route, health=share)

    async def have(self, topics: Collection[str]) -> None:
        """Connect where needed, and have topics on the broker; without any, find out whether it is there."""
        wanted = [name for name in topics if name not in self._ensured]
        if not topics:
            wanted = list(self._ensured or self._topics)[:1]
        for name in wanted:
            # one that the estate does not declare is a topic of dead letters
            await self.ready(self._topics.get(name) or dead.home(name, [self.route.cluster]))

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
                self._fail(away, clock())
                raise away from error
            except OutcomeUnknownError as error:  # it was lost meanwhile; asked again it has it, or makes it
                away = BrokerAwayError(f"{self.name} did not say whether it has {topic.name}: {error.detail}")
                self._fail(away, clock())
                raise away from error
            except errors.QiantangError as error:
                self._fail(error, clock())
                raise

    def _fail(self, error: errors.QiantangError, now: float) -> None:
        self._failed = (error, now)
        if SendOutcome.refused(error).may_pass:
            self.health.fail(time.monotonic())

    async def _have(self, topic: Topic, subscription: Subscription | None) -> None:
        if not self._opened:
            await self._open()
        await self.broker.ensure(topic, [subscription] if subscription is not None else [])
        self._ensured.add(topic.name)

    async def _open(self) -> None:
        await self.broker.open()
        self._opened = True
        if not self.broker.capabilities.native.issuperset(Feature):
            assisted = AssistedBroker(self.name, self.broker, self._store, self._member)
            await assisted.open()
            self.broker = assisted
        for name in self._moved_with & set(self._topics):  # what waits in the line is of these
            await self.broker.ensure(self._topics[name])
            self._ensured.add(name)
        self._moved_with = set()
        self._connect_line()

    def _connect_line(self) -> None:
        self.line.broker = self.offline or (_Open(self) if self._opened else _Opening(self))

    async def join(self, topic: Topic, subscription: Subscription, member: str, queues: tuple[str, ...]) -> Receiver:
        """Take part in a group."""
        await self.ready(topic, subscription)
        return await self.broker.receive(subscription, member, queues)

    def _leaving(self) -> Callable[[Frame], bool] | None:
        return self.others if self.health.is_stuck(time.monotonic()) else None

    def _count(self, topic: str) -> int:
        return self.broker.queues(topic)

    async def _ask(self, topic: str, group: str, first: int) -> Lag:
        await self.have([topic])
        return await self.broker.lag(topic, group, first)

    async def finish(self) -> None:
        """Send what waits, or keep it; take nothing more."""
        await self.line.close()
        await self.shrinks.close()

    async def close(self) -> None:
        """Disconnect."""
        if self._opened:
            await self.broker.close()


class _Open:
    """What a line sends to where nothing is kept on disk."""

    def __init__(self, link: Link) -> None:
        self.send = link.put


class _Opening:
    """What a line sends to while the broker of its link is not open."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        try:
            await self._link.have({frame.topic for frame in frames})
        except errors.QiantangError as error:
            return [SendOutcome.refused(error)] * len(frames)
        return await self._link.put(frames)


def make_store(estate: Estate) -> Store | None:
    """Make the estate's store, if it has one; it is not opened.

    Raises:
        MisconfiguredError: what it needs is not installed.
    """
    if estate.store is None:
        return None
    make = plugins.load("qiantang.messaging.stores", estate.store.adapter)
    return make(Resource(name="store", url=estate.store.url))


@dataclass(frozen=True, slots=True)
class Plan:
    """How links change with their estate. Nothing has changed yet, and nothing that may fail is left to be made.

    `links` are those that there will be, by cluster; `kept` those that are there already, each with its resource as it will be, and
    `moved` those of them that go to another broker, with its adapter.
    """

    links: dict[str, list[Link]] = field(default_factory=dict[str, list[Link]])
    new: list[Link] = field(default_factory=list[Link])
    kept: list[tuple[Link, Resource]] = field(default_factory=list[tuple[Link, Resource]])
    moved: list[tuple[Link, str, Broker]] = field(default_factory=list[tuple[Link, str, Broker]])
    gone: list[Link] = field(default_factory=list[Link])

    def links_of(self, topic: Topic) -> set[Link]:
        """Give those that a topic will lie on."""
        return {link for cluster in topic.clusters for link in self.links[cluster]}

    @property
    def leaving(self) -> set[Link]:
        """Those that nobody may receive from any more as they are."""
        return {*self.gone, *(one[0] for one in self.moved)}


def plan_links(
    before: Mapping[str, list[Link]],
    estate: Estate,
    adapters: Mapping[str, Make] | None = None,
    store: Store | None = None,
    member: str = "",
    *,
    all_move: bool = False,
) -> Plan:
    """Make what an estate needs of links that there are not yet; nothing is opened. `all_move`: all get another store.

    Raises:
        MisconfiguredError: an adapter is not installed, or a name is given twice.
    """
    plan = Plan()
    known = {link.name: link for some in before.values() for link in some}
    topics = {one.name: one for one in estate.topics}
    for cluster in estate.clusters:
        if cluster.name in plan.links:
            raise errors.MisconfiguredError(f"the cluster {cluster.name!r} is declared twice")
        names = [one.name for one in cluster.resources]
        if len(set(names)) < len(names):
            raise errors.MisconfiguredError(f"the cluster {cluster.name!r} names a resource twice")
        make = (adapters or {}).get(cluster.adapter) or plugins.load(plugins.adapters("messaging"), cluster.adapter)
        plan.links[cluster.name] = []
        for resource in cluster.resources:
            link = known.pop(f"{cluster.name}/{resource.name}", None)
            if link is None:
                link = Link(cluster, resource, make, store=store, member=member, topics=topics)
                plan.new.append(link)
            else:
                plan.kept.append((link, resource))
                if all_move or (link.adapter, link.resource.url) != (cluster.adapter, resource.url):
                    plan.moved.append((link, cluster.adapter, make(resource)))
            plan.links[cluster.name].append(link)
    plan.gone.extend(known.values())
    return plan
