"""What the control plane delivers becomes an estate: names once, secrets in plain text, nothing that concerns people alone."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors, resource, scope, wire
from qiantang.messaging.model import kinds

OWN = scope.Scope(tenant="acme", environment="prod", center="trade", application="order")
SHARED = scope.Scope(tenant="acme", environment="prod", center="platform", application="brokers")
CLUSTER = {
    "adapter": "kafka",
    "resources": [{"name": "one", "url": {"$secret": {"value": "kafka://u:p@h:1", "mask": "x"}}, "weight": 3}],
    "public": True,
    "description": "ours",
}


def snapshot(place: scope.Scope, *entries: tuple[str, str, dict[str, Any]]) -> resource.Snapshot:
    found = [
        resource.Entry(kind=kind, name=name, digest="d", content=msgspec.Raw(wire.encode(body)))
        for kind, name, body in entries
    ]
    bundle = resource.Bundle(scope=place, capability=kinds.CAPABILITY)
    return resource.Snapshot(bundle=bundle, position=resource.Position(revision=1), digest="d", entries=found)


def test_all_kinds_come_together() -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    own = snapshot(
        OWN,
        ("topic", "order.created", {"clusters": ["main"], "queues": 8, "description": "an order is there"}),
        ("subscription", "any", {"group": "order", "topic": "paid", "order": "key"}),
        (
            "policy",
            "default",
            {
                "offline": {"folder": "/var/spool/x"},
                "store": {"url": "sqlite:///x"},
                "failures": {"rules": [{"topic": "orders", "consume": False}], "keep_days": 7},
                "dead_letters": {"history_days": 30},
            },
        ),
        ("source", "brokers", {"center": "platform", "application": "brokers"}),
        ("key", "k1", {"key": {"$secret": {"value": key, "mask": "m"}}}),
    )
    linked = snapshot(
        SHARED,
        ("cluster", "main", CLUSTER),
        ("topic", "paid", {"clusters": ["main"], "public": True, "max_body": 5000}),
    )
    found = kinds.assemble(own, [linked])
    (cluster,) = found.estate.clusters
    assert (cluster.name, cluster.adapter) == ("main", "kafka")
    assert [(one.name, one.url, one.weight) for one in cluster.resources] == [("one", "kafka://u:p@h:1", 3)]
    assert {one.name: (one.queues, one.max_body) for one in found.estate.topics} == {
        "order.created": (8, 1024 * 1024),
        "paid": (4, 5000),
    }
    assert [(one.group, one.topic, one.order) for one in found.estate.subscriptions] == [("order", "paid", "key")]
    assert found.estate.offline is not None
    assert found.estate.store is not None
    assert found.estate.outbox is None
    assert found.estate.dead_letters is not None
    assert (found.estate.dead_letters.collect, found.estate.dead_letters.history_days) == (True, 30)
    assert found.keys == {"k1": bytes(range(32))}


def test_what_is_anothers_alone_is_not_taken() -> None:
    linked = snapshot(
        SHARED,
        ("subscription", "theirs", {"group": "x", "topic": "y"}),
        ("policy", "default", {"store": {"url": "sqlite:///theirs"}}),
    )
    found = kinds.assemble(snapshot(OWN), [linked]).estate
    assert found.subscriptions == []
    assert found.store is None


def test_a_name_that_two_give_is_refused_with_both() -> None:
    own, linked = (snapshot(place, ("cluster", "main", CLUSTER)) for place in (OWN, SHARED))
    with pytest.raises(
        errors.InvalidRequestError, match="cluster 'main' is declared by trade/order and platform/brokers"
    ):
        kinds.assemble(own, [linked])


def test_a_secret_without_its_value_is_told_by_its_place() -> None:
    cluster = {"adapter": "kafka", "resources": [{"name": "one", "url": {"$secret": {"mask": "m"}}}]}
    with pytest.raises(errors.InvalidRequestError, match=r"resources.0.url of cluster 'main'"):
        kinds.assemble(snapshot(OWN, ("cluster", "main", cluster)))


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(bytes(31)).decode()])
def test_a_key_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        kinds.key_of(text)
    assert not text or text not in str(caught.value)
