"""Routes: on which servers a topic lies, and in how many queues, as the name servers say.

The queues of a topic are numbered over all its brokers, these in the order of their names. A broker that the name servers no longer
name, since it is down, keeps its numbers here: its keys wait for it, and do not move to others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from qiantang.messaging.adapters.rocketmq.address import Address, Host, read_host
from qiantang.messaging.adapters.rocketmq.connection import Remotes, first_of
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code
from qiantang.messaging.errors import BrokerAwayError

MASTER: Final = "0"
_BARE: Final = re.compile(rb"([{,])(\d+):")
"""A number as the name of a field, which RocketMQ writes and JSON has not."""


class Queue(NamedTuple):
    """One queue: its broker, where that is, and its number there."""

    broker: str
    host: Host
    number: int


class Share(NamedTuple):
    """What a broker has of a topic: where it is, and how many queues."""

    host: Host
    queues: int


class Route:
    """The queues of a topic. `shares` are by the brokers' names."""

    def __init__(self, shares: Mapping[str, Share], known: Route | None = None) -> None:
        self.shares: dict[str, Share] = dict(known.shares) if known is not None else {}
        self.shares.update(shares)
        self.queues = tuple(
            Queue(broker, self.shares[broker].host, number)
            for broker in sorted(self.shares)
            for number in range(self.shares[broker].queues)
        )


class _Broker(msgspec.Struct):
    name: str = msgspec.field(name="brokerName")
    hosts: dict[str, str] = msgspec.field(name="brokerAddrs")
    cluster: str = ""


class _Count(msgspec.Struct):
    broker: str = msgspec.field(name="brokerName")
    count: int = msgspec.field(name="readQueueNums")


class _Route(msgspec.Struct):
    brokers: list[_Broker] = msgspec.field(name="brokerDatas")
    counts: list[_Count] = msgspec.field(name="queueDatas")


class _Cluster(msgspec.Struct):
    brokers: dict[str, _Broker] = msgspec.field(name="brokerAddrTable")


_routes = msgspec.json.Decoder(_Route)
_clusters = msgspec.json.Decoder(_Cluster)


class Names:
    """The name servers, or proxies in their place. All of it raises `BrokerAwayError` where none answers."""

    def __init__(self, address: Address, remotes: Remotes) -> None:
        self._address = address
        self._remotes = remotes

    async def find(self, name: str) -> dict[str, Share] | None:
        """Say where a topic lies, by its name on RocketMQ; None where nowhere."""
        connection = await first_of(self._remotes, self._address.hosts)
        answer = await connection.ask(
            Code.ROUTE,
            {"topic": name, "acceptStandardJsonOnly": "true"},
            doing=f"looking for topic {name}",
            passing=frozenset({Answer.NO_TOPIC}),
        )
        if answer.header.code == Answer.NO_TOPIC:
            return None
        try:
            return _shares(_routes.decode(_standard(answer.body)))
        except msgspec.MsgspecError as error:
            raise BrokerAwayError(f"what RocketMQ says of where topic {name} lies makes no sense: {error}") from error

    async def brokers(self) -> dict[str, Host]:
        """Give the brokers that take topics, those of the cluster where one is named.

        Raises:
            FeatureMissingError: a proxy was asked, which does not know them.
        """
        connection = await first_of(self._remotes, self._address.admin)
        answer = await connection.ask(Code.CLUSTER, {}, doing="asking for the brokers")
        try:
            found = _clusters.decode(_standard(answer.body)).brokers
        except msgspec.MsgspecError as error:
            raise BrokerAwayError(f"what RocketMQ says of its brokers makes no sense: {error}") from error
        wanted = self._address.cluster
        return {
            name: read_host(one.hosts[MASTER])
            for name, one in found.items()
            if MASTER in one.hosts and wanted in ("", one.cluster)
        }


def _shares(route: _Route) -> dict[str, Share]:
    counts = {one.broker: one.count for one in route.counts}
    return {
        one.name: Share(read_host(one.hosts[MASTER]), counts[one.name])
        for one in route.brokers
        if MASTER in one.hosts and counts.get(one.name)
    }


def _standard(data: bytes) -> bytes:
    return _BARE.sub(rb'\1"\2":', data)
