"""Pipeline: what is wrong with a message is said at once; what is right is laid out as its topic says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from qiantang.kernel import scope
from qiantang.messaging.client.packing import Keys
from qiantang.messaging.client.pipeline import Pipeline
from qiantang.messaging.errors import (
    BodyTooLargeError,
    InvalidMessageError,
    SendForbiddenError,
    UnencodableError,
)
from qiantang.messaging.model import Message, Sent, Topic

PLACE = scope.Scope(tenant="acme", environment="test", center="trade", application="order")
NOW = 1_800_000_000.0


def pipeline(**said: Any) -> Pipeline:
    interceptors = said.pop("interceptors", ())
    topic = msgspec.convert({"name": "orders", "clusters": ["main"], **said}, Topic)
    return Pipeline(topic, PLACE, Keys({"k1": b"x" * 32}), interceptors, now=lambda: NOW)


def message(**said: Any) -> Message[Any]:
    return Message(**{"topic": "orders", "body": {"n": 1}, "id": "m1", **said})


def test_a_plain_message_carries_five_headers() -> None:
    frame = pipeline().frame(message())
    assert frame.text == {
        "mf-v": "2.0",
        "mf-id": "m1",
        "mf-codec": "json",
        "mf-sent": "1800000000000",
        "mf-from": "trade/order",
    }
    assert (frame.topic, frame.id, frame.body, frame.binary) == ("orders", "m1", b'{"n":1}', {})


def test_all_that_can_be_said_stands_in_fields_and_headers() -> None:
    full = message(tag="vip", key="k", priority=9, deliver_at=NOW + 1.5, ttl=10, headers={"a": "b", "raw": b"\xff"})
    frame = pipeline(packing={"codec": "msgpack", "key": "k1"}).frame(full)
    assert (frame.tag, frame.key, frame.priority) == ("vip", "k", 9)
    assert (frame.deliver_at, frame.expires_at) == (1_800_000_001_500, 1_800_000_011_500)
    assert frame.binary == {"raw": b"\xff"}
    assert {
        name: value for name, value in frame.text.items() if name not in {"mf-v", "mf-id", "mf-sent", "mf-from"}
    } == {
        "mf-tag": "vip",
        "mf-key": "k",
        "mf-prio": "9",
        "mf-at": "1800000001500",
        "mf-exp": "1800000011500",
        "mf-codec": "msgpack",
        "mf-kid": "k1",
        "a": "b",
    }


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"tag": "t" * 65}, "the tag"),
        ({"tag": "a\nb"}, "cannot be printed"),
        ({"key": "钱" * 86}, "the key"),
        ({"id": ""}, "the id"),
        ({"id": "x" * 65}, "the id"),
        ({"priority": -1}, "priority"),
        ({"priority": 10}, "priority"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": 1e12}, "ttl"),
        ({"deliver_at": NOW - 61}, "61 seconds ago"),
        ({"deliver_at": NOW * 1000}, "seconds since 1970"),
        ({"headers": {"MF-x": "1"}}, "platform's own"),
        ({"headers": {"a:b": "1"}}, "no name"),
        ({"headers": {"": "1"}}, "no name"),
        ({"headers": {"n": 1}}, "neither text nor bytes"),
        ({"headers": {f"h{number}": "" for number in range(65)}}, "65 headers"),
        ({"headers": {"h": "x" * 9000}}, "bytes"),
    ],
)
def test_what_is_outside_its_bounds_is_named(said: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidMessageError, match=words):
        pipeline().frame(message(**said))


def test_a_time_just_past_is_now() -> None:
    assert pipeline().frame(message(deliver_at=NOW - 30)).deliver_at == 0


def test_a_body_that_cannot_be_written_or_is_too_large() -> None:
    with pytest.raises(UnencodableError):
        pipeline().frame(message(body=object()))
    with pytest.raises(BodyTooLargeError, match="12 bytes; topic orders takes 10"):
        pipeline(max_body=10).frame(message(body="x" * 10))


def test_only_the_named_centers_send() -> None:
    pipeline(senders=["trade"]).frame(message())
    with pytest.raises(SendForbiddenError, match="trade/order may not send to topic orders"):
        pipeline(senders=["finance"]).frame(message())


def test_interceptors_see_a_message_in_order_and_can_change_or_refuse_it() -> None:
    class Adds:
        def __init__(self, header: str) -> None:
            self.header = header

        def before_send(self, message: Message[Any]) -> Message[Any]:
            return msgspec.structs.replace(message, headers={**message.headers, self.header: str(len(message.headers))})

        def after_send(self, message: Message[Any], sent: Sent) -> None: ...

    frame = pipeline(interceptors=[Adds("a"), Adds("b")]).frame(message())
    assert (frame.text["a"], frame.text["b"]) == ("0", "1")
