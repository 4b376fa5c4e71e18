"""Messages as the console shows them, and bodies and headers as it gives them back."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.messaging import MessageBus
from qiantang.messaging.model import Cluster, Estate, Frame, Packing, Resource, Topic, envelope
from qiantang.messaging.model.answers import BodyEdit, HeadersEdit
from qiantang.messaging.model.envelope import Envelope
from qiantang.messaging.testing import PLACE
from qiantang_server.messaging.service import views

CLUSTER = Cluster(name="main", adapter="memory", resources=[Resource(name="one", url="memory://views")])
TOPIC = Topic(name="t", clusters=["main"])
BYTES = Topic(name="b", clusters=["main"], packing=Packing(codec="bytes"))
BUS = MessageBus(Estate(clusters=[CLUSTER], topics=[TOPIC, BYTES]), PLACE)


def frame(body: bytes, codec: str = "json", **more: Any) -> Frame:
    return envelope.write("t", Envelope(id="one", codec=codec, **more), body)


def test_json_is_shown_with_its_numbers_as_they_are() -> None:
    shown = views.message(BUS, frame(b'{"n":12345678901234567890,"f":1.10}', key="k", tag="x"))
    assert (shown.format, shown.key, shown.tag, shown.exact, shown.whole) == ("json", "k", "x", True, True)
    assert "12345678901234567890" in shown.body


@pytest.mark.parametrize(
    ("codec", "body", "shape", "text"),
    [
        ("text", "grüß\n".encode(), "text", "grüß\n"),
        ("bytes", b"plain", "text", "plain"),
        ("bytes", b"\x00\x01", "base64", "AAE="),
        ("bytes", b"\xff", "base64", "/w=="),
    ],
)
def test_text_and_bytes(codec: str, body: bytes, shape: str, text: str) -> None:
    shown = views.message(BUS, frame(body, codec))
    assert (shown.format, shown.body, shown.exact, shown.unread) == (shape, text, True, "")


def test_what_json_has_no_values_for_is_said_to_lose_something() -> None:
    shown = views.message(BUS, frame(msgspec.msgpack.encode({"raw": b"\xff"}), "msgpack"))
    assert (shown.format, json.loads(shown.body), shown.exact) == ("json", {"raw": "/w=="}, False)


def test_what_nobody_can_read_is_shown_as_it_is_and_says_why() -> None:
    for one in (
        frame(b"\x01\x02", key_id="gone"),
        frame(b"{", "json"),
        frame(b"\x01\x02", "of-ours"),
        Frame(topic="t", id="", body=b"\x01\x02", text={"h": "v", "mf-x": "ours"}),
    ):
        shown = views.message(BUS, one)
        assert (shown.format, base64.b64decode(shown.body), shown.exact) == ("base64", one.body, False)
        assert shown.unread
        assert "mf-x" not in shown.headers


def test_long_bodies_are_cut_and_very_long_ones_are_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "MAX_SHOWN", 10)
    shown = views.message(BUS, frame(b"x" * 11, "text"))
    assert (shown.body, shown.size, shown.whole, shown.exact) == ("x" * 10, 11, False, False)
    monkeypatch.setattr(views, "MAX_READ", 20)
    shown = views.message(BUS, frame(b"x" * 21, "text"))
    assert (shown.format, shown.whole, shown.exact) == ("base64", False, False)
    assert "21 bytes" in shown.unread


def test_a_message_of_format_one_is_shown_too() -> None:
    said = Envelope(id="one", codec="json", key="k", headers={"h": "v"}, version="1.0")
    shown = views.message(BUS, envelope.write_first("t", said, {"a": 1}))
    assert (shown.key, shown.headers, json.loads(shown.body)) == ("k", {"h": "v"}, {"a": 1})


def test_bodies_come_back_as_they_were_shown() -> None:
    assert views.body(BodyEdit(format="json", text="[12345678901234567890]"), TOPIC) == [12345678901234567890]
    assert views.body(BodyEdit(format="text", text="ü"), TOPIC) == "ü"
    assert views.body(BodyEdit(format="text", text="ü"), BYTES) == "ü".encode()
    assert views.body(BodyEdit(format="base64", text="/w=="), BYTES) == b"\xff"


@pytest.mark.parametrize("edit", [("json", "{"), ("json", "[" * 100_000), ("base64", "?"), ("base64", "ü")])
def test_what_is_no_body_is_refused(edit: tuple[Any, str]) -> None:
    with pytest.raises(errors.InvalidRequestError, match="the body is"):
        views.body(BodyEdit(format=edit[0], text=edit[1]), TOPIC)


def test_headers_come_back_by_their_kind() -> None:
    edit = HeadersEdit(values={"h": "v", "b": "/w=="}, binary=["b", "not there"])
    assert views.headers(edit) == {"h": "v", "b": b"\xff"}
    with pytest.raises(errors.InvalidRequestError, match="'b' is not in base64"):
        views.headers(HeadersEdit(values={"b": "?"}, binary=["b"]))
