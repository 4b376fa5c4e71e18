"""Admin: topics, groups and offsets, as RocketMQ's brokers keep them. What is missing is made; nothing is taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq import names
from qiantang.messaging.adapters.rocketmq.address import Host
from qiantang.messaging.adapters.rocketmq.connection import Remotes
from qiantang.messaging.adapters.rocketmq.routes import Names, Queue, Route
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code
from qiantang.messaging.errors import BrokerAwayError, FeatureMissingError, UnknownTopicError
from qiantang.messaging.model import Topic
from qiantang.messaging.model.bands import NORMAL

SETTLE_SECONDS: Final = 0.05
SETTLE_TIMES: Final = 120
READ_AND_WRITE: Final = "6"
_WITHOUT: Final = frozenset({Answer.NOT_FOUND})
_UNMADE: Final = frozenset({Answer.NO_GROUP, Answer.SYSTEM_ERROR, Answer.NO_TOPIC})


class Admin:
    """Of one RocketMQ. All of it raises `BrokerAwayError` where no answer comes, and what `failing` names where it says no."""

    def __init__(self, names: Names, remotes: Remotes) -> None:
        self._names = names
        self._remotes = remotes
        self._routes: dict[str, Route] = {}

    # -- topics ------------------------------------------------------------------------------------------

    def known(self, name: str) -> Route | None:
        """Give the route of a topic as it was found last, by its name on RocketMQ."""
        return self._routes.get(name)

    async def look(self, name: str) -> Route | None:
        """Look where a topic lies; None where it does not exist."""
        shares = await self._names.find(name)
        if shares is None:
            return self._routes.get(name)
        self._routes[name] = Route(shares, self._routes.get(name))
        return self._routes[name]

    async def make_topic(self, topic: Topic, band: str = NORMAL) -> Route:
        """Have a topic, or its band, with so many queues on each broker.

        Raises:
            UnknownTopicError: it is not there, and cannot be made through a proxy.
        """
        name = names.topic_name(topic.name, band)
        shares = await self._names.find(name) or {}
        try:
            brokers = await self._names.brokers()
        except (FeatureMissingError, errors.ForbiddenError) as error:
            if not shares:
                raise UnknownTopicError(
                    f"RocketMQ has no topic {name!r}, and it cannot be made: {error}. Name the name servers in the address "
                    f"(?namesrv=host:9876), or make it: mqadmin updateTopic -c CLUSTER -t {name} -r {topic.queues} "
                    f"-w {topic.queues}"
                ) from error
            brokers = {}
        missing = [broker for broker in brokers if shares.get(broker) is None or shares[broker].queues < topic.queues]
        for broker in missing:
            await self._make_topic(brokers[broker], name, topic.queues)
        for _ in range(SETTLE_TIMES):  # the name servers hear of it from the brokers
            route = await self.look(name)
            found = route.shares if route is not None else {}
            if found and all(broker in found and found[broker].queues >= topic.queues for broker in missing):
                return self._routes[name]
            await asyncio.sleep(SETTLE_SECONDS)
        raise BrokerAwayError(f"the name servers of RocketMQ do not know the topic {name} yet, which was made")

    async def _make_topic(self, host: Host, name: str, queues: int) -> None:
        connection = await self._remotes.get(host)
        fields = {
            "topic": name,
            "defaultTopic": "TBW102",
            "readQueueNums": str(queues),
            "writeQueueNums": str(queues),
            "perm": READ_AND_WRITE,
            "topicFilterType": "SINGLE_TAG",
            "topicSysFlag": "0",
            "order": "false",
        }
        await connection.ask(Code.MAKE_TOPIC, fields, doing=f"making topic {name}")

    # -- groups ------------------------------------------------------------------------------------------

    async def make_group(self, group: str) -> None:
        """Have a group on all brokers; through a proxy alone none can be made, and one that is missing is found when it is read."""
        try:
            brokers = await self._names.brokers()
        except (FeatureMissingError, errors.ForbiddenError):
            return
        for host in brokers.values():
            connection = await self._remotes.get(host)
            doing = f"making group {group}"
            found = await connection.ask(Code.GROUP, {"group": group}, doing=doing, passing=_UNMADE)
            if found.header.code == Answer.DONE:
                continue
            said = {
                "groupName": group,
                "consumeEnable": True,
                "consumeFromMinEnable": True,
                "consumeBroadcastEnable": False,
                "consumeMessageOrderly": False,
                "retryQueueNums": 1,
                "retryMaxTimes": 16,
                "brokerId": 0,
                "whichBrokerWhenConsumeSlowly": 1,
                "notifyConsumerIdsChangedEnable": True,
            }
            await connection.ask(Code.MAKE_GROUP, {}, msgspec.json.encode(said), doing=doing)

    # -- offsets -----------------------------------------------------------------------------------------

    async def ends(self, name: str, queues: Collection[Queue]) -> dict[Queue, int]:
        """Give the offsets behind the last messages of a topic's queues."""
        # what is sent counts at once, and not only when consumers can read it
        return await self._each(Code.LAST_OFFSET, name, queues, {"committed": "false"})

    async def beginnings(self, name: str, queues: Collection[Queue]) -> dict[Queue, int]:
        """Give the offsets of the first messages that are still there."""
        return await self._each(Code.FIRST_OFFSET, name, queues)

    async def committed(self, group: str, name: str, queues: Collection[Queue]) -> dict[Queue, int]:
        """Give the offsets of a group; queues without are left out."""
        return await self._each(
            Code.OFFSET, name, queues, {"consumerGroup": group, "setZeroIfNotFound": "false"}, passing=_WITHOUT
        )

    async def commit(self, group: str, name: str, offsets: Mapping[Queue, int]) -> None:
        """Have a group begin behind offsets."""
        await asyncio.gather(*(self._commit(group, name, queue, offset) for queue, offset in offsets.items()))

    async def _commit(self, group: str, name: str, queue: Queue, offset: int) -> None:
        connection = await self._remotes.get(queue.host)
        fields = offset_fields(group, name, queue, offset)
        await connection.ask(Code.COMMIT, fields, doing=f"beginning group {group} on {name}")

    async def _each(
        self,
        code: Code,
        name: str,
        queues: Collection[Queue],
        fields: Mapping[str, str] | None = None,
        passing: frozenset[Answer] = frozenset(),
    ) -> dict[Queue, int]:
        async def one(queue: Queue) -> tuple[Queue, int]:
            connection = await self._remotes.get(queue.host)
            said = {**queue_fields(name, queue), **(fields or {})}
            answer = await connection.ask(code, said, doing=f"asking for the offsets of {name}", passing=passing)
            return queue, int(answer.fields.get("offset", "0")) if answer.header.code == Answer.DONE else -1

        found = await asyncio.gather(*(one(queue) for queue in queues))
        return {queue: offset for queue, offset in found if offset >= 0}


def queue_fields(name: str, queue: Queue) -> dict[str, str]:
    """Give what says which queue is meant; its broker is named for proxies, which pass it on there."""
    return {"topic": name, "queueId": str(queue.number), "bname": queue.broker}


def offset_fields(group: str, name: str, queue: Queue, offset: int) -> dict[str, str]:
    """Give what says up to where a group is done with a queue."""
    return {**queue_fields(name, queue), "consumerGroup": group, "commitOffset": str(offset)}
