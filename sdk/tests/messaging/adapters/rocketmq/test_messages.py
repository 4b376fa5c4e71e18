"""Messages of RocketMQ: properties, batches, and what brokers store."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.adapters.rocketmq import messages
from qiantang.messaging.errors import UndecodableError
from qiantang.messaging.model import Frame, envelope


def stored(body: bytes, properties: str, offset: int = 0, *, system: int = 0, long_name: bool = False) -> bytes:
    """Write a message as a broker does."""
    said = properties.encode()
    born = bytes(20 if system & 16 else 8)
    kept = bytes(20 if system & 32 else 8)
    topic = struct.pack(">h", 300) + b"t" * 300 if long_name else b"\1t"
    rest = (
        *(born, bytes(8), kept, struct.pack(">iq", 0, 0), struct.pack(">i", len(body)), body),
        *(topic, struct.pack(">h", len(said)), said),
    )
    tail = b"".join(rest)
    magic = 0xDAA320AB if long_name else 0xDAA320A7
    return struct.pack(">iIiiiqqiq", 48 + len(tail), magic, 0, 3, 0, offset, 0, system, 0) + tail


def frame_of(text: dict[str, str], binary: dict[str, bytes] | None = None, **more: object) -> Frame:
    found = {"mf-v": "2.0", "mf-id": "i", **text}
    return Frame(topic="t", id="i", body=b"x", text=found, binary=binary or {}, **more)  # type: ignore[arg-type]


@given(
    st.dictionaries(
        st.sampled_from(["a", "KEYS", "TAGS", "UNIQ_KEY", "mf-rest", "trace", "DELAY"]), st.text(max_size=30)
    ),
    st.dictionaries(st.sampled_from(["raw", "more"]), st.binary(max_size=30)),
)
def test_headers_come_back_whatever_they_are_called_and_hold(text: dict[str, str], binary: dict[str, bytes]) -> None:
    text.pop("mf-rest", None)
    frame = frame_of(text, binary)
    (one,) = messages.stored("t", stored(b"x", messages.properties_of(frame)))
    assert (one.frame.text, one.frame.binary) == (frame.text, frame.binary)


def test_what_rocketmq_acts_upon() -> None:
    found = messages.parted(messages.properties_of(frame_of({}, tag="vip"), 1234))
    assert (found["UNIQ_KEY"], found["KEYS"], found["TAGS"], found["TIMER_DELIVER_MS"]) == ("i", "i", "vip", "1234")
    assert "TAGS" not in messages.parted(messages.properties_of(frame_of({})))


def test_several_stored_messages_of_both_forms_and_both_kinds_of_hosts() -> None:
    said = messages.properties_of(frame_of({"mf-tag": "a", "mf-key": "k"}))
    data = stored(b"one", said, 4) + stored(b"", said, 5, system=48) + stored(b"three", said, 9, long_name=True)
    found = messages.stored("t", data)
    assert [(one.offset, one.frame.body, one.frame.tag, one.frame.key) for one in found] == [
        (4, b"one", "a", "k"),
        (5, b"", "a", "k"),
        (9, b"three", "a", "k"),
    ]


def test_foreign_messages() -> None:
    said = messages.joined({"UNIQ_KEY": "u", "TAGS": "x", "__SHARDINGKEY": "g", "color": "red", "CLUSTER": "c"})
    for system in (1, 0x301):
        (one,) = messages.stored("t", stored(zlib.compress(b"text"), said, system=system))
        frame = one.frame
        assert (frame.id, frame.tag, frame.key, frame.body, frame.text) == ("u", "x", "g", b"text", {"color": "red"})
    (one,) = messages.stored("t", stored(b"no zlib", said, system=1))
    assert one.frame.body == b"no zlib", "what cannot be undone is given as it is"


@pytest.mark.parametrize("text", [{"mf-bin": "raw", "raw": "é"}, {"mf-rest": "no json"}])
def test_headers_that_make_no_sense_are_delivered_all_the_same(text: dict[str, str]) -> None:
    (one,) = messages.stored("t", stored(b"x", messages.joined({"mf-v": "2.0", **text})))
    assert envelope.VERSION in one.frame.text


@pytest.mark.parametrize("data", [b"x", bytes(48), stored(b"x", "")[:-1], stored(b"x", "") + b"\0"])
def test_what_is_no_message_is_told_so(data: bytes) -> None:
    with pytest.raises(UndecodableError):
        messages.stored("t", data)


def test_a_batch() -> None:
    data = messages.batch_of([("a\x01b\x02", b"body"), ("", b"")])
    assert data == (
        struct.pack(">iiiii", 30, 0, 0, 0, 4)
        + b"body"
        + b"\0\4a\1b\2"
        + struct.pack(">iiiii", 22, 0, 0, 0, 0)
        + b"\0\0"
    )
