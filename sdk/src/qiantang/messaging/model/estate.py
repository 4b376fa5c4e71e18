"""Estate: clusters with their brokers, topics and subscriptions, as configuration says them.

The same nouns whether they come from a file, from the api or from the control plane. A cluster is a group of brokers of one
kind; each broker in it is a resource with a name of its own. A topic lies in one or several clusters, on each of their
resources, in so many physical queues. A subscription is a group's claim on a topic: each of its messages goes to one member.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from qiantang.kernel import wire
from qiantang.kernel.scope import Name
from qiantang.messaging.model.envelope import Version

TopicName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$(?!\n)",
        max_length=100,
        description="1 to 100 of a-z, 0-9, '-', '_' and '.', beginning and ending with a letter or digit",
    ),
]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=10 * 365 * 86400)]
Order = Literal["none", "key"]
Backoff = Literal["fixed", "exponential"]


class Resource(wire.Command, frozen=True):
    """One broker of a cluster: its address as its adapter reads it, and its share of what is sent."""

    name: Name
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    weight: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 1


class Cluster(wire.Command, frozen=True):
    """Brokers of one kind. `adapter` is the name of an entry point: memory, sql, kafka, rabbitmq, activemq, rocketmq."""

    name: Name
    adapter: Name
    resources: Annotated[list[Resource], msgspec.Meta(min_length=1, max_length=64)]


class Packing(wire.Command, frozen=True):
    """How bodies of a topic are written.

    A body of `compress_from` bytes or more is compressed, and only kept so where that makes it smaller. With `key`, bodies are
    encrypted under the key of that id.
    """

    codec: Annotated[str, msgspec.Meta(min_length=1, max_length=32)] = "json"
    compression: Literal["", "gzip", "zstd", "lz4"] = ""
    level: Annotated[int, msgspec.Meta(ge=0, le=22)] = 0
    compress_from: Annotated[int, msgspec.Meta(ge=0)] = 1024
    key: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Topic(wire.Command, frozen=True):
    """A topic, on every resource of its clusters. With `senders` or `consumers`, only these centers may; empty means all."""

    name: TopicName
    clusters: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=16)]
    queues: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 4
    max_body: Annotated[int, msgspec.Meta(ge=1, le=64 * 1024 * 1024)] = 1024 * 1024
    write_version: Version = "2.0"
    packing: Packing = Packing()
    senders: list[Name] = []
    consumers: list[Name] = []


class RetryPolicy(wire.Command, frozen=True):
    """How often a message is tried, and how long after each failure it waits.

    The wait after the n-th failure is `first` seconds, or with exponential back-off `first` times two to the power of
    n - 1, at most `longest`; then up to `jitter` of it more or less, so that what failed together does not come back together.
    """

    attempts: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16
    backoff: Backoff = "exponential"
    first: Seconds = 1.0
    longest: Seconds = 7200.0
    jitter: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.1


class Subscription(wire.Command, frozen=True):
    """What a group consumes of a topic, and how.

    With tags, only messages of these tags. With order by key, messages of one key come one after the other, in the order in
    which they were sent; a key that fails waits alone. `concurrency` is how many messages one process works on at a time.
    """

    group: Name
    topic: TopicName
    tags: Annotated[list[Tag], msgspec.Meta(max_length=64)] = []
    order: Order = "none"
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 16
    handler_timeout: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 60.0
    retry: RetryPolicy = RetryPolicy()


class Estate(wire.Command, frozen=True):
    """All that one application knows of messaging."""

    clusters: list[Cluster] = []
    topics: list[Topic] = []
    subscriptions: list[Subscription] = []
