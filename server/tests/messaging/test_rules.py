"""What is wrong with the nouns of messaging, before they are published."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from qiantang.kernel import errors
from qiantang_server.messaging import rules
from qiantang_server.messaging.capability import KINDS

BY_NAME = {kind.name: kind for kind in KINDS}
BROKER = {"name": "one", "url": "kafka://h:9092"}
KEY = {"$secret": {"value": base64.b64encode(bytes(32)).decode()}}


def secret(value: str) -> dict[str, Any]:
    return {"$secret": {"value": value}}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("cluster", {"adapter": "kafka", "resources": [BROKER], "public": True}),
        ("cluster", {"adapter": "rabbitmq", "resources": [{"name": "one", "url": secret("amqp://u:p@h/")}]}),
        (
            "topic",
            {"clusters": ["main"], "queues": 8, "limits": [{"per_second": 5}, {"per_second": 9, "who": "trade"}]},
        ),
        ("subscription", {"group": "g", "topic": "t", "tags": ["a", "b"], "order": "key"}),
        ("subscription", {"group": "g", "topic": "t", "dedup": {"url": secret("redis://:p@h"), "claim_seconds": 90}}),
        ("key", {"key": KEY}),
        (
            "policy",
            {"store": {"url": "sqlite:///x"}, "offline": {"folder": "/x"}, "outbox": {"url": secret("x://a:b@h")}},
        ),
        ("source", {"center": "platform", "application": "brokers"}),
    ],
)
def test_good_ones_pass(kind: str, body: Any) -> None:
    assert BY_NAME[kind].checked("default" if kind == "policy" else "any", body) == []


@pytest.mark.parametrize(
    ("kind", "body", "path", "words"),
    [
        ("cluster", {"adapter": "kafka", "resources": []}, "", "length"),
        ("cluster", {"adapter": "kafka", "resources": [BROKER, BROKER]}, "resources.1.name", "two brokers"),
        ("cluster", {"adapter": "x", "resources": [{**BROKER, "weight": 0}]}, "resources", "no broker has a weight"),
        (
            "cluster",
            {"adapter": "x", "resources": [{"name": "a", "url": "amqp://u:pw@h"}]},
            "resources.0.url",
            "secret",
        ),
        ("cluster", {"adapter": "x", "resources": [BROKER], "colour": "red"}, "", "colour"),
        ("topic", {"clusters": ["a", "a"]}, "clusters.1", "named twice"),
        ("topic", {"clusters": ["a"], "queues": 0}, "", "queues"),
        ("topic", {"clusters": ["a"], "limits": [{"per_second": 1}, {"per_second": 2}]}, "limits.1.who", "everybody"),
        ("topic", {"clusters": ["a"], "senders": ["x"], "refused_senders": ["x"]}, "refused_senders", "x is named"),
        ("subscription", {"group": "g", "topic": "t", "tags": ["a", "a"]}, "tags.1", "twice"),
        ("subscription", {"group": "g", "topic": "t", "retry": {"first": 9, "longest": 1}}, "retry.longest", "shorter"),
        (
            "subscription",
            {"group": "g", "topic": "t", "handler_timeout": 200, "dedup": {"url": "redis://h"}},
            "dedup.claim_seconds",
            "longer",
        ),
        ("key", {"key": secret("c2hvcnQ=")}, "key", "5 bytes"),
        ("key", {"key": "plain"}, "", "key"),
        ("policy", {"store": {"url": "postgresql://u:pw@h/x"}}, "store.url", "secret"),
        ("policy", {"failures": {}}, "failures", "give one"),
        ("policy", {"dead_letters": {}}, "dead_letters", "give one"),
        ("policy", {"store": {"url": "sqlite:///x"}, "dead_letters": {"colect": True}}, "", "colect"),
        ("policy", {"offline": {"folder": "/x", "to_store_after": 60}}, "offline.to_store_after", "give one"),
        ("source", {"center": "platform"}, "", "application"),
    ],
)
def test_wrong_ones_are_told_with_their_place(kind: str, body: Any, path: str, words: str) -> None:
    found = BY_NAME[kind].checked("default" if kind == "policy" else "any", body)
    assert [one.path for one in found] == [path]
    assert words in found[0].message
    assert "pw" not in found[0].message.replace("password", "")


def test_names() -> None:
    rules.check_topic_name("order.created-v2")
    for wrong in ("", "Order", ".x", "x" * 101):
        with pytest.raises(errors.InvalidRequestError):
            rules.check_topic_name(wrong)
    rules.check_policy_name("default")
    with pytest.raises(errors.InvalidRequestError, match="one policy"):
        rules.check_policy_name("mine")


def test_sources_are_links() -> None:
    assert BY_NAME["source"].links({"center": "a", "application": "b"}) == (("a", "b"),)
    assert BY_NAME["topic"].is_public({"clusters": ["x"], "public": True})
    assert not BY_NAME["topic"].is_public({"clusters": ["x"]})


@pytest.mark.parametrize(
    ("url", "shows"),
    [
        ("kafka://h:9092", False),
        ("amqp://user@h", False),
        ("amqp://user:pw@h/x", True),
        ("amqp://:pw@h", True),
        ("redis://h/a:b@c", False),
        ("sqlite:////data/a@b:c", False),
        ("stomp://h?jolokia=http%3A%2F%2Fadmin%3Apw%40h%3A8161%2Fapi", True),
        ("stomp://h?jolokia=http%3A%2F%2Fh%3A8161%2Fapi", False),
        ("kafka://h?sasl.password=pw", True),
        ("kafka://h?security.protocol=SSL", False),
    ],
)
def test_addresses_with_passwords_are_known(url: str, shows: bool) -> None:
    assert rules.has_password(url) is shows
