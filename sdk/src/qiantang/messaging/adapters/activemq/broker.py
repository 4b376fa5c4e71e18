"""Broker: an ActiveMQ Classic. What it has not (tags, another attempt later) the client does in its place.

Two connections: one sends, and is not read by the server when that has no memory or disk left; the other consumes and asks, and is
never stopped. Each is made again when it is lost, with the queues of all groups of the topics known here: the server may be empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Final

from qiantang.kernel import errors, ids
from qiantang.messaging.adapters.activemq import destinations, topology
from qiantang.messaging.adapters.activemq.address import Address
from qiantang.messaging.adapters.activemq.connecting import supervisor
from qiantang.messaging.adapters.activemq.connection import StompConnection
from qiantang.messaging.adapters.activemq.consuming import Consuming, Server
from qiantang.messaging.adapters.activemq.jolokia import Counter
from qiantang.messaging.adapters.activemq.listening import Listening
from qiantang.messaging.adapters.activemq.receiver import StompReceiver
from qiantang.messaging.adapters.activemq.sender import StompSender
from qiantang.messaging.adapters.activemq.talk import Voice
from qiantang.messaging.adapters.sharing.delivery import send_known
from qiantang.messaging.adapters.sharing.holdings import Held, Holdings
from qiantang.messaging.adapters.sharing.members import Word
from qiantang.messaging.adapters.sharing.membership import Group, Membership, Place
from qiantang.messaging.adapters.sharing.receiver import Receivers
from qiantang.messaging.errors import FeatureMissingError, UnknownTopicError
from qiantang.messaging.model import Frame, Resource, Subscription, Topic
from qiantang.messaging.port import Capabilities, Feature, Lag, SendOutcome

NATIVE: Final = frozenset({Feature.ORDER, Feature.BROADCAST})
"""Not ages: the server removes what expires in a queue, but not what a member has read ahead, where the client does it."""
LARGEST: Final = 100 * 1024 * 1024
"""What the server takes by default: bytes of a body."""


class ActiveMQBroker:
    """A connection to a server."""

    def __init__(self, address: Address) -> None:
        name = f"qiantang-{ids.ordered_id()[-12:]}"
        self._address = address
        self._version = ""
        self._topics: dict[str, int] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self._receivers = Receivers[Group, StompReceiver]()
        self._turn = asyncio.Lock()
        self._sending = supervisor(address, f"{name}-out", self._prepare)
        self._consuming = supervisor(address, f"{name}-in", self._prepare)
        largest = address.max_message_size or LARGEST
        self._sender = StompSender(
            self._sending, lambda topic: self._topics[topic], delays=address.scheduler, largest=largest
        )
        self._voice = Voice(self._sending)
        self._counter = Counter(address.jolokia)

    @property
    def capabilities(self) -> Capabilities:
        more: set[Feature] = set()
        if self._address.priorities:
            more.add(Feature.PRIORITY)
        if self._address.scheduler:
            more.add(Feature.DELAY)
        return Capabilities(
            native=NATIVE | more,
            max_frame=self._address.max_message_size or LARGEST,
            version=self._version,
        )

    async def open(self) -> None:
        self._version = (await self._consuming.get()).version

    async def close(self) -> None:
        await self._receivers.close()
        await self._sender.close()
        await asyncio.gather(self._sending.close(), self._consuming.close(), self._counter.close())

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        connection = await self._consuming.get()
        async with self._turn:
            queues = max(topic.queues, self._topics.get(topic.name, 0))
            for one in groups:
                if one.broadcast:
                    continue  # it is made when it is joined
                key = (topic.name, one.group)
                self._groups.setdefault(key, Group(topic.name, one.group, topic.queues, tuple(one.tags)))
            grown = await self._make(connection, topic.name, queues)
            self._topics[topic.name] = queues
        await self._tell(topic.name, grown)

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        return await send_known(frames, self._topics, "ActiveMQ", self._sender.send)

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> StompReceiver:
        group = self._groups.get((subscription.topic, subscription.group))
        if subscription.broadcast and subscription.topic in self._topics:
            group = Group(subscription.topic, subscription.group, self._topics[subscription.topic], ())
        if group is None:
            raise UnknownTopicError(f"no group {subscription.group!r} of a topic {subscription.topic!r} was made")
        await self._consuming.get()  # raises what is wrong with it
        wanted = frozenset(int(one) for one in queues)
        name = f"{subscription.group} of {subscription.topic}"
        join = functools.partial(self._join, group, member, wanted, alone=subscription.broadcast)
        return await self._receivers.join(group, StompReceiver(name, join))

    async def cancel(self, topic: str, id: str) -> bool:
        raise FeatureMissingError(f"ActiveMQ gives no message back that it holds: {id} of {topic}")

    def queues(self, topic: str) -> int:
        return self._topics.get(topic, 0)

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        known = self._groups.get((topic, group))
        queues = known.queues if known is not None else self._topics.get(topic)
        if queues is None:
            raise UnknownTopicError(f"ActiveMQ has no topic {topic!r}")
        if known is None and (alone := self._receivers.named(topic, group)):
            unfinished = sum(one.holdings.unfinished(first) for one in alone)
            return Lag(messages=unfinished, in_flight=unfinished)  # of a group without a queue nothing else is kept
        names = [destinations.queue_name(group, topic, number) for number in range(first, queues)]
        try:
            messages, in_flight = await self._counter.count(names)
        except errors.NotFoundError as error:
            raise UnknownTopicError(f"ActiveMQ has no group {group!r} of a topic {topic!r}: {error.detail}") from error
        return Lag(messages=messages, in_flight=in_flight)

    # -- inside ------------------------------------------------------------------------------------------

    def _join(
        self,
        group: Group,
        member: str,
        wanted: frozenset[int],
        holdings: Holdings[Held],
        wake: Callable[[], None],
        *,
        alone: bool,
    ) -> Membership[Held]:
        place: Place[Held]
        if alone:
            place = Listening(group, self._consuming, holdings, self._address.prefetch)
        else:
            server = Server(self._consuming, self._voice, self._remake)
            place = Consuming(group, server, holdings, self._address.prefetch)
        return Membership(group, member, wanted, place, holdings=holdings, wake=wake)

    async def _make(self, connection: StompConnection, topic: str, queues: int) -> dict[str, int]:
        """Have the queues of all groups of a topic, as many as anybody says that there are; give the groups that have more now."""
        known = await topology.groups(connection, topic)
        here = {group.name: group for (of, _), group in self._groups.items() if of == topic}
        noted: dict[str, int] = {}
        for name in sorted(known.keys() | here.keys()):
            group = here.get(name)
            wanted = max(queues, known.get(name, 0), group.queues if group is not None else 0)
            await topology.make(connection, topic, name, range(wanted))
            if wanted > known.get(name, 0):
                noted[name] = wanted
            if group is not None:
                group.queues = wanted
        if noted:
            await topology.note(connection, topic, noted)
        return {name: noted[name] for name in noted.keys() & known.keys()}

    async def _tell(self, topic: str, grown: dict[str, int]) -> None:
        """Tell the members of groups that they have more queues; who cannot be told now hears of it from a later one."""
        with contextlib.suppress(errors.UnavailableError):
            for name, queues in grown.items():
                await self._voice.say(topic, name, Word(member="", queues=queues))

    async def _remake(self, group: Group, queues: int) -> None:
        """Make a group's queues anew, which may be more than is known here."""
        connection = await self._consuming.get()
        async with self._turn:
            group.queues = max(group.queues, queues)
            await self._make(connection, group.topic, 0)

    async def _prepare(self, connection: StompConnection) -> None:
        """Have on a server, which may be another one or have lost its data, all that is known here."""
        for topic, queues in list(self._topics.items()):
            await self._make(connection, topic, queues)


def make(resource: Resource) -> ActiveMQBroker:
    """Make a broker for a resource whose address is `stomp://name:password@host:61613`."""
    return ActiveMQBroker(Address(resource.url))
