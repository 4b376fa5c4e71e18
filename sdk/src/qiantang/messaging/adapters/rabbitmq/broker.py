"""Broker: a RabbitMQ. What it has not (delays, another attempt later, ages) the client does in its place.

Two connections: one publishes, and is stopped by the server when that has no memory or disk left; the other consumes and asks, and
is never stopped. Each is made again when it is lost, with all topics and groups known here: the server may be an empty one.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Final

from qiantang.kernel import errors, ids
from qiantang.messaging.adapters.rabbitmq.address import Address
from qiantang.messaging.adapters.rabbitmq.connection import RabbitConnection, supervisor
from qiantang.messaging.adapters.rabbitmq.consuming import Consuming, Server
from qiantang.messaging.adapters.rabbitmq.holdings import Held, Holdings
from qiantang.messaging.adapters.rabbitmq.receiver import RabbitReceiver
from qiantang.messaging.adapters.rabbitmq.sender import RabbitSender
from qiantang.messaging.adapters.rabbitmq.talk import HEAR_SECONDS, Voice, Watch
from qiantang.messaging.adapters.rabbitmq.topology import Topology
from qiantang.messaging.adapters.sharing.delivery import send_known
from qiantang.messaging.adapters.sharing.membership import Group, Membership
from qiantang.messaging.adapters.sharing.receiver import Receivers
from qiantang.messaging.errors import BrokerAwayError, FeatureMissingError, UnknownTopicError
from qiantang.messaging.model import Frame, Resource, Subscription, Topic
from qiantang.messaging.port import Capabilities, Feature, Lag, SendOutcome

NATIVE: Final = frozenset({Feature.ORDER, Feature.TAGS, Feature.BROADCAST})
LARGEST: Final = {"3": 128 * 1024 * 1024, "4": 16 * 1024 * 1024}
"""What the server takes by default, by its version: bytes of a body."""
_NO_QUEUE: Final = "RabbitMQ had no queue for a message though a group is known here: it is being made anew"


class RabbitBroker:
    """A connection to a server or cluster."""

    def __init__(self, address: Address) -> None:
        name = f"qiantang-{ids.ordered_id()[-12:]}"
        self._address = address
        self._version = ""
        self._topics: dict[str, int] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self._receivers = Receivers[Group, RabbitReceiver]()
        self._watches: dict[tuple[str, str], Watch] = {}
        self._turn = asyncio.Lock()
        self._topology = Topology(address.queue_type)
        self._publishing = supervisor(address, f"{name}-out", self._prepare)
        self._consuming = supervisor(address, f"{name}-in", self._prepare)
        self._sender = RabbitSender(self._publishing, self._count_of)
        self._voice = Voice(self._publishing)

    @property
    def capabilities(self) -> Capabilities:
        classic = self._address.queue_type == "classic"
        major = self._version.partition(".")[0]
        return Capabilities(
            native=NATIVE | {Feature.PRIORITY} if classic else NATIVE,
            max_frame=self._address.max_message_size or LARGEST.get(major, 0),
            version=self._version,
        )

    async def open(self) -> None:
        connection = await self._consuming.get()
        self._version = str(connection.server_properties.get("version", ""))

    async def close(self) -> None:
        await self._receivers.close()
        await self._sender.close()
        await asyncio.gather(self._publishing.close(), self._consuming.close())

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        connection = await self._consuming.get()
        async with self._turn:
            await self._topology.make_topic(connection, topic.name)
            self._topics[topic.name] = max(topic.queues, self._topics.get(topic.name, 0))
            for one in groups:
                found = self._groups.get((topic.name, one.group))
                if found is None:
                    found = Group(topic.name, one.group, topic.queues, tuple(one.tags), one.broadcast)
                    self._groups[topic.name, one.group] = found
                await self._make(connection, found, topic.queues)

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        return await send_known(frames, self._topics, "RabbitMQ", self._send)

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> RabbitReceiver:
        group = self._groups.get((subscription.topic, subscription.group))
        if group is None:
            raise UnknownTopicError(f"no group {subscription.group!r} of a topic {subscription.topic!r} was made")
        await self._consuming.get()  # raises what is wrong with it
        wanted = frozenset(int(one) for one in queues)
        name = f"{subscription.group} of {subscription.topic}"
        join = functools.partial(self._join, group, member, wanted)
        receiver = await self._receivers.join(group, RabbitReceiver(name, subscription.tags, join))
        if group.broadcast:
            receiver.end_group = functools.partial(self._end, group)
        return receiver

    async def cancel(self, topic: str, id: str) -> bool:
        raise FeatureMissingError(f"RabbitMQ holds no message back, so it gives none back: {id} of {topic}")

    def queues(self, topic: str) -> int:
        return self._topics.get(topic, 0)

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        known = self._groups.get((topic, group))
        queues = known.queues if known is not None else self._topics.get(topic)
        if queues is None:
            raise UnknownTopicError(f"RabbitMQ has no topic {topic!r}")
        connection = await self._consuming.get()
        numbers = range(first, queues)
        waiting = await self._topology.waiting(connection, topic, group, numbers)
        taking = self._receivers.of(known)
        if taking:
            if first and not waiting:  # what others took before that they have said by then
                await asyncio.sleep(HEAR_SECONDS)
            in_flight = sum(one.holdings.unfinished(first) for one in taking)
            in_flight += max(one.membership.others_in_hand(first) for one in taking)
        else:
            watch = self._watches.setdefault((topic, group), Watch(topic, group))
            in_flight = await watch.in_hand(connection, first)
            waiting = await self._topology.waiting(connection, topic, group, numbers)
        return Lag(messages=waiting + in_flight, in_flight=in_flight)

    # -- inside ------------------------------------------------------------------------------------------

    async def _send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        outcomes, returned = await self._sender.send(frames)
        wanted = {place for place in returned if self._is_wanted(frames[place].topic)}
        if not wanted:
            return outcomes
        await self._make_anew()
        away = SendOutcome.refused(BrokerAwayError(_NO_QUEUE))
        return [away if place in wanted else outcome for place, outcome in enumerate(outcomes)]

    def _count_of(self, topic: str) -> int:
        return self._topics[topic]

    def _is_wanted(self, topic: str) -> bool:
        """Whether a group that takes every tag of a topic is known here, so that a message must find a queue."""
        return any(one.topic == topic and not one.tags for one in self._groups.values())

    def _join(
        self, group: Group, member: str, wanted: frozenset[int], holdings: Holdings, wake: Callable[[], None]
    ) -> Membership[Held]:
        locks = self._address.queue_type == "quorum" and not group.broadcast
        server = Server(self._consuming, self._voice, self._remake)
        place = Consuming(group, server, holdings, prefetch=self._address.prefetch, locks=locks)
        return Membership(group, member, wanted, place, holdings=holdings, wake=wake)

    async def _make(self, connection: RabbitConnection, group: Group, queues: int) -> None:
        queues = max(queues, group.queues)
        group.queues = await self._topology.make_group(connection, group, queues)

    async def _end(self, group: Group) -> None:
        self._groups.pop((group.topic, group.name), None)
        await self._topology.end_group(await self._consuming.get(), group)

    async def _remake(self, group: Group, queues: int) -> None:
        """Make a group anew of which something is missing, or that has more queues than is known here."""
        connection = await self._consuming.get()
        async with self._turn:
            await self._topology.make_topic(connection, group.topic)
            await self._make(connection, group, queues)

    async def _make_anew(self) -> None:
        try:
            await self._prepare(await self._consuming.get())
        except errors.UnavailableError:
            return  # the next connection is prepared as well

    async def _prepare(self, connection: RabbitConnection) -> None:
        """Have on a server, which may be another one or have lost its data, all that is known here."""
        for topic in list(self._topics):
            await self._topology.make_topic(connection, topic)
        for group in list(self._groups.values()):
            await self._make(connection, group, group.queues)


def make(resource: Resource) -> RabbitBroker:
    """Make a broker for a resource whose address is `amqp://name:password@host:5672/vhost`."""
    return RabbitBroker(Address(resource.url))
