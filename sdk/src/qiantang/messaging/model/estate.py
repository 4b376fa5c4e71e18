"""Estate: clusters with their brokers, topics and subscriptions, as configuration says them.

The same nouns whether they come from a file, from the api or from the control plane. A cluster is a group of brokers of one
kind; each broker in it is a resource with a name of its own. A topic lies in one or several clusters, on each of their
resources, in so many physical queues. A subscription is a group's claim on a topic: each of its messages goes to one member.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from qiantang.kernel import wire
from qiantang.kernel.scope import NAME_PATTERN, WHO_PATTERN, Name, Who, or_empty
from qiantang.messaging.model.envelope import Version

_TOPIC = r"^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$(?!\n)"
TopicName = Annotated[
    str,
    msgspec.Meta(
        pattern=_TOPIC,
        max_length=100,
        description="1 to 100 of a-z, 0-9, '-', '_' and '.', beginning and ending with a letter or digit",
    ),
]
KEY_BYTES: Final = 32
"""Of a key that bodies are encrypted with."""
MAX_BODY: Final = 64 * 1024 * 1024
"""The most that a topic may take in a body."""
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Weight = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=10 * 365 * 86400)]
Order = Literal["none", "key"]
Backoff = Literal["fixed", "exponential"]


class ResourceSettings(wire.Command, frozen=True, kw_only=True):
    """One broker of a cluster, without its address."""

    name: Name
    weight: Weight = 1


class Resource(ResourceSettings, frozen=True, kw_only=True):
    """One broker of a cluster: its address as its adapter reads it, and its share of what is sent."""

    url: Url


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


class RateLimit(wire.Command, frozen=True):
    """How many messages a second a process may send to a topic, on average, and how many at once when it was quiet before.

    For the processes of one center or application, or of all that no other limit of the topic names. `shared`: all processes
    together, of those whose estates have the same store; each takes from it what it needs for a fifth of a second.
    """

    per_second: Annotated[float, msgspec.Meta(gt=0, le=10_000_000)]
    burst: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 1
    who: Annotated[str, msgspec.Meta(pattern=or_empty(WHO_PATTERN), max_length=129)] = ""
    shared: bool = False


class BacklogLimit(wire.Command, frozen=True):
    """How much a topic's groups may have unfinished on a broker before no more is sent to it.

    Sending begins again when `resume` of that is left.
    """

    groups: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=16)]
    most: Annotated[int, msgspec.Meta(ge=1)]
    resume: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.8


class Shrinking(wire.Command, frozen=True):
    """That a topic is sent to in the first `queues` of its queues alone, on each of its brokers, so that the others become empty.

    A key whose queue is among the others moves to another one as soon as the groups have finished all that is there, so that
    nothing of it is overtaken. Groups that do not get so far keep such keys where they are.
    """

    queues: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    groups: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=16)]


class TopicSettings(wire.Command, frozen=True, kw_only=True):
    """A topic without its name, on every resource of its clusters.

    With `senders` or `consumers`, only these may, empty means all; those who are refused may not, whatever else is said.

    With `priorities`, a broker that keeps priorities apart in topics of their own has them from the beginning, else from the
    first message that needs them: consumers find those some seconds later.
    """

    clusters: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=16)]
    queues: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 4
    max_body: Annotated[int, msgspec.Meta(ge=1, le=MAX_BODY)] = 1024 * 1024
    priorities: bool = False
    write_version: Version = "2.0"
    packing: Packing = Packing()
    senders: list[Who] = []
    consumers: list[Who] = []
    refused_senders: list[Who] = []
    refused_consumers: list[Who] = []
    limits: Annotated[list[RateLimit], msgspec.Meta(max_length=256)] = []
    backlog: BacklogLimit | None = None
    shrink: Shrinking | None = None

    def __post_init__(self) -> None:
        if self.shrink is not None and self.shrink.queues > self.queues:
            raise ValueError(
                f"it is to shrink to {self.shrink.queues} queues and has {self.queues}: `queues` says how many it had"
            )


class Topic(TopicSettings, frozen=True, kw_only=True):
    """A topic; see `TopicSettings`."""

    name: TopicName


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


class DedupSettings(wire.Command, frozen=True, kw_only=True):
    """Where a group notes which messages it has handled, so that one that comes twice is handled once.

    A message is claimed before its handler and noted after it. A claim of a process that died ends after `claim_seconds`, which
    must be longer than the handler takes. What was handled is known for `keep_seconds`.
    """

    adapter: Name = "redis"
    claim_seconds: Annotated[float, msgspec.Meta(ge=1, le=86400)] = 120.0
    keep_seconds: Annotated[float, msgspec.Meta(ge=1, le=90 * 86400)] = 7 * 86400.0


class Dedup(DedupSettings, frozen=True, kw_only=True):
    """Where a group notes what it has handled, with its address; see `DedupSettings`."""

    url: Url


class SubscriptionSettings(wire.Command, frozen=True, kw_only=True):
    """What a group consumes of a topic, and how.

    With tags, only messages of these tags. With order by key, messages of one key come one after the other, in the order in
    which they were sent; a key that fails waits alone. `concurrency` is how many messages one process works on at a time. With
    `leave_after`, a process that could take nothing new for so many seconds leaves its group until it can, so that others take
    over what it was given.

    With `broadcast`, every process is a group of its own, which ends with it: each gets every message that is sent while it takes
    part, and what is sent while it does not is not kept for it.
    """

    group: Name
    topic: TopicName
    tags: Annotated[list[Tag], msgspec.Meta(max_length=64)] = []
    order: Order = "none"
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 16
    handler_timeout: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 60.0
    retry: RetryPolicy = RetryPolicy()
    leave_after: Seconds = 0.0
    broadcast: bool = False


class Subscription(SubscriptionSettings, frozen=True, kw_only=True):
    """What a group consumes of a topic, and how; see `SubscriptionSettings`."""

    dedup: Dedup | None = None


class StoreSettings(wire.Command, frozen=True, kw_only=True):
    """Where the platform keeps what a broker cannot: messages until their time, and those that wait for another attempt.

    `adapter` is the name of an entry point; the address is a database's, as of a resource.
    """

    adapter: Name = "sql"


class Store(StoreSettings, frozen=True, kw_only=True):
    """A database for what a broker cannot keep, with its address; see `StoreSettings`."""

    url: Url


class OfflineStore(wire.Command, frozen=True):
    """Where a process keeps what it cannot send because a broker is away: a folder of this machine, shared by the processes of the
    application.

    At most `max_bytes` for each broker. With `sync_seconds` 0 what was kept outlives the machine, else only the process, and
    the machine after so many seconds. What a broker that is away for `to_store_after` seconds did not take moves from the folder
    to the estate's store, out of which any process sends it; without that it stays in the folder.
    """

    folder: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    max_bytes: Annotated[int, msgspec.Meta(ge=1024 * 1024)] = 1024 * 1024 * 1024
    sync_seconds: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    to_store_after: Annotated[float, msgspec.Meta(ge=0, le=7 * 86400)] | None = None


FailureKind = Literal["send", "consume"]


class FailureRule(wire.Command, frozen=True, kw_only=True):
    """Whether failed sends and handlings are written down: of a topic, of what a center sends, of all where neither is said."""

    topic: Annotated[str, msgspec.Meta(pattern=or_empty(_TOPIC), max_length=100)] = ""
    center: Annotated[str, msgspec.Meta(pattern=or_empty(NAME_PATTERN), max_length=64)] = ""
    send: bool = True
    consume: bool = True


class FailureLog(wire.Command, frozen=True, kw_only=True):
    """Which failures are written to the estate's store, and for how many days they are kept there. Without rules all are.

    The rule for a topic counts before the one for a center, and that before the one for all. With `bodies`, a message that was
    not sent is kept whole.
    """

    rules: Annotated[list[FailureRule], msgspec.Meta(max_length=256)] = []
    bodies: bool = True
    keep_days: Annotated[float, msgspec.Meta(gt=0, le=3650)] = 30.0


class DeadLetterSettings(wire.Command, frozen=True, kw_only=True):
    """Whether dead letters move from the brokers to the estate's store, and how many days they and their history are kept there.

    With `collect`, every process that consumes a group collects what died in it from then on, also what others send there. Without
    it nothing more is collected; what is in the store can be looked at and sent again all the same.
    """

    collect: bool = True
    keep_days: Annotated[float, msgspec.Meta(gt=0, le=3650)] = 90.0
    history_days: Annotated[float, msgspec.Meta(gt=0, le=3650)] = 365.0


class Estate(wire.Command, frozen=True):
    """All that one application knows of messaging.

    Without a store, a broker does only what it can by itself or the process's memory can do for it. Without an offline store,
    a send fails while its broker is away. The outbox is in the application's own database: what `bus.tx` sends is committed there.
    Failures are written to the store, and dead letters collected there.
    """

    clusters: list[Cluster] = []
    topics: list[Topic] = []
    subscriptions: list[Subscription] = []
    store: Store | None = None
    offline: OfflineStore | None = None
    outbox: Store | None = None
    failures: FailureLog | None = None
    dead_letters: DeadLetterSettings | None = None
