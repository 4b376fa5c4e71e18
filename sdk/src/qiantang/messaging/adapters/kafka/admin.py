"""Admin: topics and offsets of a Kafka cluster. Asking blocks, so it is done on threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final, TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka import admin as kafka_admin

from qiantang.messaging.adapters.kafka import failing
from qiantang.messaging.adapters.kafka.address import Address
from qiantang.messaging.adapters.kafka.saying import SAID
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Topic
from qiantang.messaging.model.partitions import Place

T = TypeVar("T")
_api: Any = kafka_admin

SECONDS: Final = 8.0
POLL_SECONDS: Final = 0.1
SETTLE_SECONDS: Final = 0.1
SETTLE_TIMES: Final = 50
HEADERS_BYTES: Final = 64 * 1024
"""What a message may hold beside its body."""
_NO_LEADER = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}


class Admin:
    """Of one cluster. All of it raises `BrokerAwayError` where no answer comes, and what `failing` names where Kafka says no."""

    def __init__(self, address: Address, client: str) -> None:
        self._settings = address.common(client)
        self._refused: KafkaError | None = None
        try:
            # annotated in part only
            self._client: Any = _api.AdminClient({**self._settings, "error_cb": self._erred}, logger=SAID)
        except KafkaException as error:
            raise failing.misconfigured(error) from error

    def tend(self) -> None:
        """Hear what librdkafka says by itself, which it keeps until then: to be called now and then, from any thread."""
        self._client.poll(0)

    async def connect(self) -> None:
        """Find out whether the cluster is there, and lets us in."""
        await self._ask("connecting", self._connect)

    def _connect(self) -> None:
        ends = time.monotonic() + SECONDS
        while True:
            try:
                self._client.list_topics(timeout=1.0)
            except KafkaException:
                self.tend()
                if self._refused is not None:  # it tries on by itself; whoever asks wants to know
                    raise KafkaException(self._refused) from None
                if time.monotonic() > ends:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return

    def _erred(self, error: KafkaError) -> None:
        if failing.is_refusal(error):
            self._refused = error

    async def describe(self, names: Collection[str]) -> dict[str, int]:
        """Give those of the topics that are there, with the numbers of their partitions."""
        asked = self._client.describe_topics(TopicCollection(list(names)), request_timeout=SECONDS)
        answers = await self._answers("looking for topics", asked, passing=KafkaError.UNKNOWN_TOPIC_OR_PART)
        return {name: len(answer.partitions) for name, answer in answers.items()}

    async def make(self, topic: Topic, name: str) -> None:
        """Make a topic, under a name of its own, if it is not there; and wait until it can be used."""
        config = {"max.message.bytes": str(max(1024 * 1024, topic.max_body) + HEADERS_BYTES)}
        new = _api.NewTopic(name, num_partitions=topic.queues, replication_factor=-1, config=config)
        asked = self._client.create_topics([new], request_timeout=SECONDS)
        await self._answers(f"making topic {name}", asked, passing=KafkaError.TOPIC_ALREADY_EXISTS)
        for _ in range(SETTLE_TIMES):  # the brokers hear of it one after the other
            if name in await self.describe([name]):
                return
            await asyncio.sleep(SETTLE_SECONDS)
        raise BrokerAwayError(f"Kafka does not know the topic {name} yet, which was made")

    async def grow(self, topic: Topic) -> None:
        """Give a topic more partitions."""
        asked = self._client.create_partitions([_api.NewPartitions(topic.name, topic.queues)], request_timeout=SECONDS)
        doing = f"giving topic {topic.name} {topic.queues} partitions"
        await self._answers(doing, asked, passing=KafkaError.INVALID_PARTITIONS)  # somebody else was first

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Give the offsets behind the last messages."""
        return await self._offsets(places, _api.OffsetSpec.latest())

    async def beginnings(self, places: Iterable[Place]) -> dict[Place, int]:
        """Give the offsets of the first messages that are still there."""
        return await self._offsets(places, _api.OffsetSpec.earliest())

    async def committed(self, group: str, places: Iterable[Place]) -> dict[Place, int]:
        """Give what a group has committed; partitions without are left out."""
        wanted = [TopicPartition(*place) for place in places]
        found = await self._as_consumer(group, "asking for the offsets", lambda one: one.committed(wanted, SECONDS))
        return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}

    async def commit(self, group: str, offsets: Mapping[Place, int]) -> None:
        """Commit for a group that has no members."""
        starts = [TopicPartition(*place, offset) for place, offset in offsets.items()]
        heard: list[tuple[KafkaError | None, Sequence[TopicPartition]]] = []

        def ask(consumer: Consumer) -> None:
            # without waiting in librdkafka, which has no limit for that
            consumer.commit(offsets=starts, asynchronous=True)
            ends = time.monotonic() + SECONDS
            while not heard:
                if time.monotonic() > ends:
                    raise TimeoutError
                consumer.poll(POLL_SECONDS)

        def note(error: KafkaError | None, places: Sequence[TopicPartition]) -> None:
            heard.append((error, places))

        await self._as_consumer(group, "beginning", ask, on_commit=note)
        for error in [heard[0][0], *(place.error for place in heard[0][1])]:
            if error is not None:
                raise failing.named(error, f"beginning group {group}")

    # -- inside ------------------------------------------------------------------------------------------

    async def _offsets(self, places: Iterable[Place], spec: Any) -> dict[Place, int]:
        wanted = {TopicPartition(*place): spec for place in places}
        if not wanted:
            return {}
        for left in reversed(range(SETTLE_TIMES)):
            asked = self._client.list_offsets(wanted, request_timeout=SECONDS)
            try:
                answers = await self._answers("asking for offsets", asked)
            except BrokerAwayError as error:
                if not left or not _has_no_leader(error):
                    raise
                await asyncio.sleep(SETTLE_SECONDS)
            else:
                return {(place.topic, place.partition): answer.offset for place, answer in answers.items()}
        return {}

    async def _as_consumer(self, group: str, doing: str, call: Callable[[Consumer], T], **settings: Any) -> T:
        """Ask as a consumer of a group that takes no part in it.

        An admin client of librdkafka 2.16 that asks for a group whose coordinator is elsewhere by now ends the process.
        """

        def ask() -> T:
            own = {**self._settings, "group.id": group, "enable.auto.commit": False, **settings}
            consumer = Consumer(own, logger=SAID)
            found = call(consumer)
            consumer.close()  # only where it was answered: closing waits for what is not, without a limit
            return found

        return await self._ask(f"{doing} group {group}", ask)

    async def _ask(self, doing: str, call: Callable[[], T]) -> T:
        """Ask something that blocks."""
        try:
            return await asyncio.to_thread(call)
        except KafkaException as error:
            raise failing.named(error, doing) from error
        except (TimeoutError, FutureTimeoutError) as error:
            raise BrokerAwayError(f"Kafka gave no answer within {SECONDS:g} s: {doing}") from error

    async def _answers(self, doing: str, futures: Mapping[Any, Future[Any]], passing: int = 0) -> dict[Any, Any]:
        """Wait for what was asked; leave out what failed with an error that is let pass."""

        def wait() -> dict[Any, Any]:
            found: dict[Any, Any] = {}
            for name, future in futures.items():
                try:
                    found[name] = future.result(SECONDS)
                except KafkaException as error:
                    if not passing or error.args[0].code() != passing:
                        raise
            return found

        return await self._ask(doing, wait)


def _has_no_leader(error: BrokerAwayError) -> bool:
    """Whether it is about partitions that are being made, or given to another server."""
    cause = error.__cause__
    return isinstance(cause, KafkaException) and cause.args[0].code() in _NO_LEADER
