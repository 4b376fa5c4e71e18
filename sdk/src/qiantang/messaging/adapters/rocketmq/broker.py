"""Broker: a RocketMQ. What it has not (another attempt later, ages) the client does in its place.

A topic is one of RocketMQ's, and its bands of priority further ones. The members of a subscription are a group of RocketMQ's, which
share the queues out and lock those that they read: of a key one member has everything, and one that fails can wait alone.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, cast

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq import names
from qiantang.messaging.adapters.rocketmq.address import Address
from qiantang.messaging.adapters.rocketmq.admin import Admin
from qiantang.messaging.adapters.rocketmq.connection import Remotes
from qiantang.messaging.adapters.rocketmq.groups import Group
from qiantang.messaging.adapters.rocketmq.membership import Membership
from qiantang.messaging.adapters.rocketmq.passing import Passing
from qiantang.messaging.adapters.rocketmq.receiver import RocketReceiver
from qiantang.messaging.adapters.rocketmq.routes import Names, Route
from qiantang.messaging.adapters.rocketmq.sender import Home, RocketSender
from qiantang.messaging.adapters.rocketmq.settings import Settings, settings_of
from qiantang.messaging.adapters.rocketmq.talk import Client
from qiantang.messaging.adapters.rocketmq.wire import Code, Command
from qiantang.messaging.adapters.sharing.delivery import have_homes, send_but
from qiantang.messaging.adapters.sharing.receiver import Receivers
from qiantang.messaging.errors import BrokerAwayError, BusClosedError, FeatureMissingError, UnknownTopicError
from qiantang.messaging.model import Frame, Resource, Subscription, Topic, bands
from qiantang.messaging.model.partitions import Partitions
from qiantang.messaging.port import Capabilities, Feature, Lag, SendOutcome

NATIVE: Final = frozenset({Feature.ORDER, Feature.TAGS, Feature.PRIORITY})
HELD_BACK: Final = frozenset({Feature.DELAY, Feature.CANCEL})
LOOK_SECONDS: Final = 30.0
"""How soon a sender sees queues that others made."""


class RocketBroker:
    """A connection to a cluster."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._remotes = Remotes(address)
        self._names = Names(address, self._remotes)
        self._admin = Admin(self._names, self._remotes)
        self._sender = RocketSender(self._remotes, self._delay_until)
        self._settings = Settings()
        self._topics: dict[str, Topic] = {}
        self._looked: dict[str, float] = {}
        self._passing = Passing(address, self._names, self._remotes)
        self._groups: dict[tuple[str, str], Group] = {}
        self._receivers = Receivers[Group, RocketReceiver]()
        self._turn = asyncio.Lock()
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        settings = self._settings
        native = NATIVE | HELD_BACK if settings.holds_back else NATIVE
        return Capabilities(
            native=native | {Feature.BROADCAST} if settings.administers else native,
            max_frame=settings.max_message,
            max_delay=settings.max_delay if settings.holds_back else 0.0,
            version=settings.version,
        )

    async def open(self) -> None:
        self._settings = await settings_of(self._names, self._remotes)

    async def close(self) -> None:
        self._closed = True
        await self._receivers.close()
        await self._sender.close()
        await self._passing.close()
        await self._remotes.close()

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        async with self._turn:
            await self._admin.make_topic(topic)
            for band in (bands.HIGH, bands.LOW):
                if topic.priorities:
                    await self._admin.make_topic(topic, band)
                else:
                    await self._admin.look(names.topic_name(topic.name, band))
            self._topics[topic.name] = topic
            self._looked[names.topic_name(topic.name)] = time.monotonic()
            for one in groups:
                if one.broadcast:
                    continue  # it begins with its member
                group = Group(self._admin, topic.name, one.group, one.tags)
                group = self._groups.setdefault((topic.name, one.group), group)
                await group.begin()

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        if self._closed:
            refused: dict[str, errors.QiantangError] = {
                frame.topic: BusClosedError("the connection to RocketMQ is closed") for frame in frames
            }
        else:
            refused = await have_homes(frames, self._topics, "RocketMQ", self._have_band)
        return await send_but(refused, frames, self._send)

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> RocketReceiver:
        topic = self._topics.get(subscription.topic)
        if subscription.broadcast and topic is not None:
            group = await self._begin_passing(subscription)
            return await self._receive(group, subscription, member, queues, group.begin)
        group = self._groups.get((subscription.topic, subscription.group))
        if group is None or topic is None:
            raise UnknownTopicError(
                f"no group {subscription.group!r} of a topic {subscription.topic!r} was made on RocketMQ"
            )
        remake = functools.partial(self.ensure, topic, [subscription])
        return await self._receive(group, subscription, member, queues, remake)

    async def _receive(
        self,
        group: Group,
        subscription: Subscription,
        member: str,
        queues: Collection[str],
        remake: Callable[[], Awaitable[None]],
    ) -> RocketReceiver:
        client = Client(member, tuple(sorted(int(one) for one in queues)))
        receiver = RocketReceiver(
            f"{subscription.group} of {subscription.topic}",
            functools.partial(self._join, group, client, remake),
        )
        if subscription.broadcast:
            receiver.end_group = functools.partial(self._passing.end, group.name)
        return await self._receivers.join(group, receiver)

    async def cancel(self, topic: str, id: str) -> bool:
        if not self._settings.holds_back:
            raise FeatureMissingError(
                f"this RocketMQ gives no held back message back ({id} of {topic}): set recallMessageEnable=true on its brokers"
            )
        return await self._sender.cancel(topic, id)

    def queues(self, topic: str) -> int:
        route = self._admin.known(names.topic_name(topic))
        return len(route.queues) if route is not None else 0

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        found = self._groups.get((topic, group)) or Group(self._admin, topic, group, ())
        unfinished = await found.unfinished(first)
        in_flight = sum(one.membership.holds.in_hand for one in self._receivers.of(found))
        return Lag(messages=unfinished, in_flight=min(in_flight, unfinished))

    async def _begin_passing(self, subscription: Subscription) -> Group:
        """Begin a group that ends with its only member."""
        if not self._settings.administers:
            raise FeatureMissingError(
                "this RocketMQ lets no groups be made and removed here: name its name servers in the address (?namesrv=host:9876)"
            )
        topic, name = subscription.topic, subscription.group
        passing = names.passing_name(topic, name, time.time())
        group = Group(self._admin, topic, name, subscription.tags, passing)
        self._groups[topic, name] = group
        self._passing.begin()
        await group.begin()
        return group

    # -- inside ------------------------------------------------------------------------------------------

    def _join(
        self,
        group: Group,
        client: Client,
        remake: Callable[[], Awaitable[None]],
        partitions: Partitions,
        wake: Callable[[], None],
    ) -> Membership:
        found: list[Membership] = []

        def hear(command: Command) -> None:
            if command.header.code == Code.MEMBERS_CHANGED and found:
                found[0].news.set()

        # connections of its own: with them the brokers take it for gone
        remotes = Remotes(self._address, hear)
        found.append(Membership(group, client, remotes, partitions=partitions, wake=wake, remake=remake))
        return found[0]

    async def _send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Send frames whose bands are there."""
        outcomes = await self._sender.send(frames, [self._home_of(frame) for frame in frames])
        if any(isinstance(one.error, BrokerAwayError) for one in outcomes):
            self._looked.clear()  # it may be elsewhere by now
        return outcomes

    def _home_of(self, frame: Frame) -> Home:
        band = bands.band_of(frame)
        name = names.topic_name(frame.topic, band)
        # a band that is had is known; that of a topic of which another band is refused is not asked for
        return Home(frame.topic, name, band, cast("Route", self._admin.known(name)))

    async def _have_band(self, topic: Topic, band: str) -> None:
        """Have a band, and see now and then whether others gave it more queues, or its brokers moved."""
        name = names.topic_name(topic.name, band)
        if self._admin.known(name) is None:
            async with self._turn:
                if self._admin.known(name) is None:
                    await self._admin.make_topic(topic, band)
        elif time.monotonic() - self._looked.get(name, 0.0) > LOOK_SECONDS:
            self._looked[name] = time.monotonic()
            try:
                await self._admin.look(name)
            except errors.UnavailableError:
                return  # what is known does as well

    def _delay_until(self, frame: Frame) -> int:
        """Give until when a frame is to be held back; RocketMQ rounds down, and nothing may come before its time."""
        if frame.deliver_at <= time.time() * 1000:
            return 0
        return frame.deliver_at + self._settings.precision_ms


def make(resource: Resource) -> RocketBroker:
    """Make a broker for a resource whose address is `rocketmq://host:9876,…`."""
    return RocketBroker(Address(resource.url))
