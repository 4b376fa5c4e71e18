"""Ground: what sending and consuming share: who this is, its estate, the brokers, the keys, the interceptors, and the clock."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from qiantang.kernel import errors, ids, scope
from qiantang.messaging.client.failing import Failures
from qiantang.messaging.client.interceptors import Interceptors
from qiantang.messaging.client.links import Link
from qiantang.messaging.client.packing import Keys
from qiantang.messaging.errors import UnknownTopicError
from qiantang.messaging.model import Estate, Topic
from qiantang.messaging.port import Store

_numbers = itertools.count(1)


def member_of(place: scope.Scope) -> str:
    """Give a name that no other bus has, in whatever process or at whatever time: two of one name would share their messages."""
    return f"{place.application}-{os.getpid()}-{next(_numbers)}-{ids.ordered_id()[-12:]}"


@dataclass(kw_only=True)
class Ground:
    """Of one bus. `member` is its name in the groups that it joins; `now` gives seconds since 1970.

    Links, topics, keys and the store are replaced as a whole when the estate changes, so that any thread may read them.
    """

    place: scope.Scope
    member: str
    keys: Keys
    failures: Failures
    links: Mapping[str, list[Link]] = field(default_factory=dict[str, list[Link]])
    store: Store | None = None
    topics: Mapping[str, Topic] = field(default_factory=dict[str, Topic])
    interceptors: Interceptors = field(default_factory=Interceptors)
    now: Callable[[], float] = time.time

    def topic(self, name: str) -> Topic:
        """Find a topic.

        Raises:
            UnknownTopicError: the estate does not declare it.
        """
        found = self.topics.get(name)
        if found is None:
            known = ", ".join(sorted(self.topics)[:20]) or "none"
            raise UnknownTopicError(f"there is no topic {name[:100]!r}: the estate declares {known}")
        return found

    def links_of(self, topic: Topic) -> list[Link]:
        """Give the brokers that a topic lies on."""
        return [link for name in topic.clusters for link in self.links[name]]

    def all_links(self) -> list[Link]:
        """Give all brokers."""
        return [link for some in self.links.values() for link in some]


def known_topics(estate: Estate, links: Mapping[str, list[Link]]) -> dict[str, Topic]:
    """Give the topics by name.

    Raises:
        MisconfiguredError: one names a cluster that is not there, or is declared twice.
    """
    topics: dict[str, Topic] = {}
    for one in estate.topics:
        missing = [name for name in one.clusters if name not in links]
        if missing:
            raise errors.MisconfiguredError(f"topic {one.name} names the cluster {missing[0]!r}, which is not declared")
        if one.name in topics:
            raise errors.MisconfiguredError(f"the topic {one.name!r} is declared twice")
        topics[one.name] = one
    return topics
