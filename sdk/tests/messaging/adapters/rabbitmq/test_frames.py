"""The bytes that are written for every message are what the library reads as the same message."""

from __future__ import annotations

from typing import Any

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands as spec
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from qiantang.messaging.adapters.rabbitmq import frames
from qiantang.messaging.model import Frame


def read(data: bytes) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    while data:
        size, channel, frame = pamqp.frame.unmarshal(data)
        found.append((channel, frame))
        data = data[size:]
    return found


@given(
    body=st.binary(max_size=300),
    text=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40), max_size=5),
    binary=st.dictionaries(st.text(min_size=21, max_size=30), st.binary(max_size=40), max_size=3),
    key=st.sampled_from(["", "k"]),
    priority=st.integers(0, 9),
)
def test_a_message(body: bytes, text: dict[str, str], binary: dict[str, bytes], key: str, priority: int) -> None:
    frame = Frame(topic="orders", id="id-1", body=body, text=text, binary=binary, key=key, priority=priority)
    (_, method), (_, header), *parts = read(frames.published(7, frame, "1.1.tvip", frame_max=128))
    assert isinstance(method, spec.Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory, method.immediate) == (
        "orders",
        "1.1.tvip",
        True,
        False,
    )
    assert isinstance(header, ContentHeader)
    said = header.properties
    assert (header.body_size, said.delivery_mode, said.message_id) == (len(body), 2, "id-1")
    assert said.priority == (4 if key else priority)
    assert said.headers == {**text, **binary}
    assert all(isinstance(part, ContentBody) for _, part in parts)
    assert b"".join(part.value for _, part in parts) == body


def test_acknowledgements() -> None:
    found = read(frames.acknowledged(3, [(9, True), (12, False)]))
    assert [channel for channel, _ in found] == [3, 3]
    assert [(one.name, one.delivery_tag, one.multiple) for _, one in found] == [
        ("Basic.Ack", 9, True),
        ("Basic.Ack", 12, False),
    ]


def test_a_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="300 bytes"):
        frames.published(1, Frame(topic="orders", id="x" * 300, body=b""), "0.0.t", 4096)
