"""What instances receive."""

from __future__ import annotations

import pytest

from qiantang.kernel import wire
from qiantang_server.config.rules import contents, delivery


def hidden(value):
    return {"$secret": {"value": value}}


def test_properties_become_a_tree_with_their_types_and_secrets():
    body = {
        "format": "properties",
        "items": {
            "db.url": {"value": "u"},
            "db.pool": {"value": "5", "type": "number"},
            "db.ratio": {"value": "0.5", "type": "number"},
            "db.tls": {"value": "true", "type": "boolean"},
            "db.hosts": {"value": '["a", {"b": null}]', "type": "json"},
            "db.password": {"value": hidden("s")},
        },
        "public": True,
    }
    delivered = delivery.deliver(body)
    assert delivered.data == {
        "db": {"url": "u", "pool": 5, "ratio": 0.5, "tls": True, "hosts": ["a", {"b": None}], "password": "s"}
    }
    assert delivered.secrets == ["db.password"]
    assert delivered.public
    assert type(delivered.data["db"]["pool"]) is int


@pytest.mark.parametrize(
    ("kind", "text", "data"),
    [
        ("yaml", "a:\n  b: 2026-08-01", {"a": {"b": "2026-08-01"}}),
        ("yaml", "", {}),
        ("json", "[1]", [1]),
        ("toml", "a = 2026-08-01", {"a": "2026-08-01"}),
        ("text", "hello", "hello"),
    ],
)
def test_documents(kind, text, data):
    delivered = delivery.deliver({"format": kind, "document": text, "inherits": "a/b/c"})
    assert (delivered.data, delivered.inherits, delivered.secrets) == (data, "a/b/c", [])
    secret = delivery.deliver({"format": kind, "document": hidden(text)})
    assert (secret.data, secret.secrets) == (data, [""])
    assert wire.decode(wire.encode(secret), type(secret)) == secret


def test_what_cannot_be_read_is_not_delivered():
    with pytest.raises(delivery.UndeliverableError) as caught:
        delivery.deliver({"format": "yaml", "document": "a: ["})
    assert caught.value.problems
    for body in (
        {"format": "properties", "items": {"p": {"value": {"$secret": {"mask": "••"}}}}},
        {"format": "yaml", "document": {"$secret": {"sealed": "x", "key": "k"}}},
    ):
        with pytest.raises(contents.SealedError):
            delivery.deliver(body)


def test_public_and_links():
    assert delivery.is_public({"format": "text", "public": True})
    assert not delivery.is_public({"format": "text"})
    assert list(delivery.links({"format": "text", "inherits": "hub/platform/base"})) == [("hub", "platform")]
    assert list(delivery.links({"format": "text"})) == []
