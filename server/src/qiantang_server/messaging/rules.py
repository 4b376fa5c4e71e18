"""Rules: what is wrong with a cluster, a topic or any other noun of messaging, found before it is published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from qiantang.kernel import errors, wire
from qiantang.kernel.errors import Problem
from qiantang.messaging.model import kinds
from qiantang.messaging.model.estate import Topic
from qiantang_server.kernel.resources.contents import repeated


def check_topic_name(name: str) -> None:
    """Refuse what is no name of a topic.

    Raises:
        InvalidRequestError: it is none.
    """
    wire.convert({"name": name, "clusters": ["any"]}, Topic)


def check_policy_name(name: str) -> None:
    """Refuse another policy than the one that there is.

    Raises:
        InvalidRequestError: it is called otherwise.
    """
    if name != kinds.POLICY_NAME:
        raise errors.InvalidRequestError(f"an application has one policy, called {kinds.POLICY_NAME!r}, not {name!r}")


def check_cluster(_name: str, body: Any) -> list[Problem]:
    """List the problems of a cluster."""
    cluster = wire.convert(body, kinds.ClusterBody)
    found = [
        Problem(f"two brokers are called {name!r}", f"resources.{place}.name")
        for place, name in repeated([one.name for one in cluster.resources])
    ]
    found += [
        Problem("the address has a password in it: write it as a secret", f"resources.{place}.url")
        for place, one in enumerate(cluster.resources)
        if isinstance(one.url, str) and has_password(one.url)
    ]
    if all(one.weight == 0 for one in cluster.resources):
        found.append(Problem("no broker has a weight: nothing could be sent", "resources"))
    return found


def check_topic(_name: str, body: Any) -> list[Problem]:
    """List the problems of a topic."""
    topic = wire.convert(body, kinds.TopicBody)
    found = [
        Problem(f"the cluster {name!r} is named twice", f"clusters.{place}") for place, name in repeated(topic.clusters)
    ]
    found += [
        Problem(f"there are two rates for {name or 'everybody'}", f"limits.{place}.who")
        for place, name in repeated([one.who for one in topic.limits])
    ]
    found += [
        Problem(f"{name} is named as allowed and as refused", path)
        for path, some, refused in (
            ("refused_senders", topic.senders, topic.refused_senders),
            ("refused_consumers", topic.consumers, topic.refused_consumers),
        )
        for name in sorted(set(some) & set(refused))
    ]
    return found


def check_subscription(_name: str, body: Any) -> list[Problem]:
    """List the problems of a subscription."""
    one = wire.convert(body, kinds.SubscriptionBody)
    found = [Problem(f"the tag {tag!r} is named twice", f"tags.{place}") for place, tag in repeated(one.tags)]
    if one.retry.longest < one.retry.first:
        found.append(Problem("the longest wait is shorter than the first", "retry.longest"))
    if one.dedup is not None and one.dedup.claim_seconds <= one.handler_timeout:
        found.append(
            Problem("a claim must last longer than the handler may take (handler_timeout)", "dedup.claim_seconds")
        )
    return found


def check_key(_name: str, body: Any) -> list[Problem]:
    """List the problems of a key; none shows any of it."""
    value = wire.convert(body, kinds.KeyBody).key.secret.value
    try:
        kinds.key_of(value or "")
    except errors.InvalidRequestError as error:
        return [Problem(error.detail, "key")]
    return []


def check_policy(_name: str, body: Any) -> list[Problem]:
    """List the problems of a policy."""
    policy = wire.convert(body, kinds.PolicyBody)
    homeless = policy.failures is not None and policy.store is None
    problems = [Problem("failures are written to the store: give one", "failures")] if homeless else []
    if policy.dead_letters is not None and policy.store is None:
        problems.append(Problem("dead letters move to the store: give one", "dead_letters"))
    if policy.offline is not None and policy.offline.to_store_after is not None and policy.store is None:
        problems.append(Problem("what is kept moves to the store: give one", "offline.to_store_after"))
    return problems + [
        Problem("the address has a password in it: write it as a secret", f"{path}.url")
        for path, one in (("store", policy.store), ("outbox", policy.outbox))
        if one is not None and isinstance(one.url, str) and has_password(one.url)
    ]


_SECRET_PARAMETERS: Final = ("password", "passwd", "passcode", "secret")


def has_password(url: str) -> bool:
    """Say whether an address shows a password: `user:password@`, in itself or in an address that a parameter holds, or a parameter
    that is called so.
    """
    place, _, query = url.partition("?")
    parameters = parse_qsl(query, keep_blank_values=True)
    if any(word in name.lower() for name, value in parameters if value for word in _SECRET_PARAMETERS):
        return True
    return any(_shows(one) for one in (place, *(value for _, value in parameters)))


def _shows(url: str) -> bool:
    _, scheme, rest = url.partition("://")
    authority = rest.partition("/")[0] if scheme else ""
    user, at, _ = authority.rpartition("@")
    return bool(at) and bool(user.partition(":")[2])


def refers_of_topic(body: Any) -> Sequence[tuple[str, str]]:
    """Give the clusters, and the key, that a topic names."""
    topic = wire.convert(body, kinds.TopicBody)
    named = [(kinds.CLUSTER, name) for name in topic.clusters]
    return [*named, (kinds.KEY, topic.packing.key)] if topic.packing.key else named


def refers_of_subscription(body: Any) -> Sequence[tuple[str, str]]:
    """Give the topic that a subscription names."""
    return ((kinds.TOPIC, wire.convert(body, kinds.SubscriptionBody).topic),)
