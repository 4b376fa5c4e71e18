"""Broker: a Kafka cluster. What Kafka has not (delays, another attempt later, tags, ages) the client does in its place.

The members of a subscription are one consumer group of Kafka's, `<group>.<topic>`, so that the subscriptions of a group do not
disturb one another. A group begins at the present end: that is committed before its first member joins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, cast

from qiantang.kernel import errors, ids
from qiantang.messaging.adapters.kafka.address import Address
from qiantang.messaging.adapters.kafka.admin import Admin
from qiantang.messaging.adapters.kafka.polling import Polling
from qiantang.messaging.adapters.kafka.producer import Home, KafkaProducer
from qiantang.messaging.adapters.kafka.receiver import KafkaReceiver
from qiantang.messaging.adapters.sharing.delivery import have_homes, send_but
from qiantang.messaging.errors import BrokerAwayError, BusClosedError, FeatureMissingError, UnknownTopicError
from qiantang.messaging.model import Frame, Resource, Subscription, Topic, bands
from qiantang.messaging.model.partitions import Partitions
from qiantang.messaging.port import Capabilities, Feature, Lag, SendOutcome

CAPABILITIES: Final = Capabilities(native=frozenset({Feature.ORDER, Feature.PRIORITY, Feature.BROADCAST}))
"""A group that ended leaves its offsets, which Kafka forgets by itself (`offsets.retention.minutes`)."""
SESSION_MS: Final = 10_000
"""After so long without a sign of life a member's partitions go to others."""
HEARTBEAT_MS: Final = 1000
"""How soon a member hears that partitions are to be shared out anew."""
REFRESH_MS: Final = 3000
"""How soon consumers see partitions and bands that are new."""


class KafkaBroker:
    """A connection to a cluster."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client = f"qiantang-{ids.ordered_id()[-12:]}"
        self._homes: dict[tuple[str, str], Home] = {}
        self._topics: dict[str, Topic] = {}
        self._receivers: list[KafkaReceiver] = []
        self._turn = asyncio.Lock()
        self._connected: tuple[Admin, KafkaProducer] | None = None

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def open(self) -> None:
        admin = Admin(self._address, f"{self._client}-admin")
        await admin.connect()
        self._connected = (admin, KafkaProducer(self._address, self._client, admin.tend))

    async def close(self) -> None:
        receivers, self._receivers = self._receivers, []
        await asyncio.gather(*(one.close() for one in receivers))
        connected, self._connected = self._connected, None
        if connected is not None:
            await connected[1].close()

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        if topic.shrink is not None and self._address.partitioner:
            raise errors.MisconfiguredError(
                f"topic {topic.name} cannot shrink on a Kafka whose address names a partitioner: nobody else would find its keys"
            )
        async with self._turn:
            admin = self._opened()[0]
            have = await admin.describe([bands.name_of(topic.name, band) for band in bands.BANDS])
            count = have.get(topic.name)
            if count is None:
                await admin.make(topic, topic.name)
            elif count < topic.queues:
                await admin.grow(topic)
            have[topic.name] = max(count or 0, topic.queues)
            for name in [bands.name_of(topic.name, band) for band in bands.BANDS] if topic.priorities else ():
                if name not in have:
                    await admin.make(topic, name)
                    have[name] = topic.queues
            self._know(topic, have)
            for one in groups:
                await self._begin(topic.name, group_of(one), have)

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        homes = [self._homes.get((frame.topic, bands.band_of(frame))) for frame in frames]
        lacking = [one for one, home in zip(frames, homes, strict=True) if home is None]
        refused = await have_homes(lacking, self._topics, "Kafka", self._have_band)
        if self._connected is None:
            refused = {frame.topic: BusClosedError("the connection to Kafka is closed") for frame in frames}
        if not lacking and not refused:
            return await self._producer.send(frames, cast("list[Home]", homes))
        return await send_but(refused, frames, self.send)

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> KafkaReceiver:
        if queues:
            raise FeatureMissingError("Kafka shares partitions out among the members of a group by itself")
        topic = subscription.topic
        if topic not in self._topics:
            raise UnknownTopicError(f"Kafka has no topic {topic!r}")
        settings = {
            "topic.metadata.refresh.interval.ms": REFRESH_MS,
            "session.timeout.ms": SESSION_MS,
            "heartbeat.interval.ms": HEARTBEAT_MS,
            "partition.assignment.strategy": "cooperative-sticky",
            **self._address.common(member),
            "group.id": group_of(subscription),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",  # a new group's start is committed; partitions that come later are its own
            "isolation.level": "read_committed",
        }
        if settings.get("group.protocol") == "consumer":  # then the servers say all this
            for one in ("partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"):
                del settings[one]
        named = {bands.name_of(topic, band): band for band in bands.BANDS}

        def start(partitions: Partitions, wake: Callable[[], None]) -> Polling:
            name = f"{subscription.group} of {topic}"
            polling = Polling(name, settings, partitions, topic=topic, bands=named, wake=wake)
            polling.start()
            return polling

        receiver = KafkaReceiver(f"{subscription.group} of {topic}", start)
        self._receivers = [one for one in self._receivers if not one.closed] + [receiver]
        await receiver.join()
        return receiver

    async def cancel(self, topic: str, id: str) -> bool:
        raise FeatureMissingError(f"Kafka holds no message back, so it gives none back: {id} of {topic}")

    def queues(self, topic: str) -> int:
        home = self._homes.get((topic, bands.NORMAL))
        return len(home.queues) if home is not None else 0

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        admin = self._opened()[0]
        have = await admin.describe([bands.name_of(topic, band) for band in bands.BANDS])
        places = [(name, number) for name, count in have.items() for number in range(first, count)]
        ends = await admin.ends(places)
        done = await admin.committed(group_of(Subscription(group=group, topic=topic)), places)
        missing = [place for place in places if place not in done]
        if missing:
            done |= await admin.beginnings(missing)
        return Lag(messages=sum(max(0, end - done.get(place, 0)) for place, end in ends.items()))

    # -- inside ------------------------------------------------------------------------------------------

    def _opened(self) -> tuple[Admin, KafkaProducer]:
        if self._connected is None:
            raise BrokerAwayError("the connection to Kafka is not open")
        return self._connected

    @property
    def _producer(self) -> KafkaProducer:
        return self._opened()[1]

    def _know(self, topic: Topic, have: Mapping[str, int]) -> None:
        """Note the partitions of a topic and its bands."""
        self._topics[topic.name] = topic
        for band in bands.BANDS:
            name = bands.name_of(topic.name, band)
            if name in have:
                queues = [bands.queue_of(band, number) for number in range(have[name])]
                self._homes[topic.name, band] = Home(topic.name, name, queues)

    async def _have_band(self, topic: Topic, band: str) -> None:
        name = bands.name_of(topic.name, band)
        async with self._turn:
            if (topic.name, band) in self._homes:
                return
            admin = self._opened()[0]
            have = await admin.describe([name])
            if name not in have:
                await admin.make(topic, name)
            self._know(topic, {name: have.get(name, topic.queues)})

    async def _begin(self, topic: str, group: str, have: Mapping[str, int]) -> None:
        """Have a group that is new begin at the present end.

        The end is asked for first: whoever did the same at the same time then committed no later one than that of what may be
        sent after his call.
        """
        admin = self._opened()[0]
        names = [bands.name_of(topic, band) for band in bands.BANDS]
        places = [(name, number) for name in names for number in range(have.get(name, 0))]
        ends = await admin.ends(places)
        if not await admin.committed(group, places):
            await admin.commit(group, ends)


def group_of(subscription: Subscription) -> str:
    """Give the name of a subscription's consumer group on Kafka."""
    return f"{subscription.group}.{subscription.topic}"


def make(resource: Resource) -> KafkaBroker:
    """Make a broker for a resource whose address is `kafka://host:9092,…`."""
    return KafkaBroker(Address(resource.url))
