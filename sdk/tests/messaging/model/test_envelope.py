"""Envelope: both formats are what their golden files hold, each reads what the other writes, and nothing else is read.

A golden file is never changed: programs of other versions write and read these bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from qiantang.messaging.errors import UndecodableError, UnencodableError
from qiantang.messaging.model import Frame, envelope
from qiantang.messaging.model.envelope import Envelope

GOLDEN = Path(__file__).parents[1] / "golden"
FULL = {
    "id": "0190163d8694739b9cd9dbb2b6e8a2c1",
    "tag": "vip",
    "key": "订单-7",
    "priority": 9,
    "deliver_at": 1_800_000_001_500,
    "expires_at": 1_800_000_061_500,
    "sent_at": 1_800_000_000_000,
    "sender": "trade/order",
    "headers": {"region": "hz"},
}
PLAIN = {"id": "0190163d8694739b9cd9dbb2b6e8a2c2", "sent_at": 1_800_000_000_000}
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "text-full": (FULL, "你好, world"),
    "text-plain": (PLAIN, ""),
    "map-full": (FULL, {"n": 1, "list": [1.5, None, True], "名": "值"}),
    "map-plain": (PLAIN, {}),
}


def written(version: str, case: str) -> Frame:
    said, body = CASES[case]
    text = isinstance(body, str)
    if version == "1.0":
        return envelope.write_first("orders", Envelope(**said, codec=""), body)
    encoded = body.encode() if text else msgspec.json.encode(body)
    return envelope.write("orders", Envelope(**said, codec="text" if text else "json"), encoded)


def golden(frame: Frame) -> bytes:
    """The headers one to a line, an empty line, and the body."""
    lines = [f"{name}: {value}" for name, value in sorted(frame.text.items())]
    return "\n".join([*lines, "", ""]).encode() + frame.body


def from_golden(data: bytes) -> Frame:
    head, _, body = data.partition(b"\n\n") if data.startswith(b"mf-") else (b"", b"", data.removeprefix(b"\n"))
    text = dict(line.split(": ", 1) for line in head.decode().splitlines())
    return Frame(topic="orders", id="", body=body, text=text)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_what_is_written_is_what_the_golden_file_holds(version: str, case: str) -> None:
    assert golden(written(version, case)) == (GOLDEN / f"{version}-{case}.txt").read_bytes()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_what_either_version_wrote_is_read_alike(version: str, case: str) -> None:
    said, body = CASES[case]
    opened = envelope.read(from_golden((GOLDEN / f"{version}-{case}.txt").read_bytes()))
    found = opened.envelope
    assert found.version == version
    assert {name: getattr(found, name) for name in said} == said
    assert found.codec == ("text" if isinstance(body, str) else "json")
    assert (opened.body.decode() if isinstance(body, str) else msgspec.json.decode(opened.body)) == body


def test_a_program_of_version_1_reads_the_document_alone() -> None:
    """Such a program knows no headers: all that it needs is in the body."""
    document = msgspec.json.decode(written("1.0", "map-full").body)
    assert written("1.0", "map-full").text == {}
    assert document["version"] == "1.0"
    assert document["type"] == "map"
    assert document["properties"] == {"region": "hz"}
    assert document["body"] == CASES["map-full"][1]


def test_format_1_carries_text_and_maps_and_headers_of_text() -> None:
    for body in (b"raw", [1], 7, None):
        with pytest.raises(UnencodableError, match="carries text and maps"):
            envelope.write_first("orders", Envelope(**PLAIN, codec=""), body)
    with pytest.raises(UnencodableError, match="'raw' is binary"):
        envelope.write_first("orders", Envelope(**PLAIN, codec="", headers={"raw": b""}), "x")
    with pytest.raises(UnencodableError, match="cannot be written"):
        envelope.write_first("orders", Envelope(**PLAIN, codec=""), {"x": object()})


@pytest.mark.parametrize(
    "frame",
    [
        Frame(topic="t", id="", body=b"not json"),
        Frame(topic="t", id="", body=b"[" * 5000),
        Frame(topic="t", id="", body=b'{"version":"1.0","id":"x","type":"map","body":"text"}'),
        Frame(topic="t", id="", body=b'{"version":"1.1","id":"x","type":"text","body":"text"}'),
        Frame(topic="t", id="", body=b"", text={"mf-v": "3.0"}),
        Frame(topic="t", id="", body=b"", text={"mf-v": "2.0", "mf-sent": "yesterday"}),
        Frame(topic="t", id="", body=b"", text={"mf-v": "2.0", "mf-exp": "9" * 40}),
        Frame(topic="t", id="", body=b"", text={"mf-v": "2.0", "mf-prio": "٣"}),
    ],
)
def test_what_is_no_message_is_said_to_be_none(frame: Frame) -> None:
    with pytest.raises(UndecodableError):
        envelope.read(frame)


@given(
    st.binary(max_size=200), st.dictionaries(st.sampled_from(["mf-v", "mf-id", "mf-at", "mf-codec", "x"]), st.text())
)
def test_no_bytes_do_any_other_harm(body: bytes, text: dict[str, str]) -> None:
    try:
        envelope.read(Frame(topic="t", id="", body=body, text=text))
    except UndecodableError:
        return


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=10)


@given(st.dictionaries(NAMES, st.text(max_size=20) | st.binary(max_size=20)))
def test_headers_come_back_over_brokers_that_know_only_text_or_only_bytes(headers: dict[str, str | bytes]) -> None:
    frame = envelope.write("t", Envelope(**PLAIN, codec="json", headers=headers), b"")
    text, binary = envelope.from_text(envelope.as_text(frame))
    assert (text, binary) == (frame.text, frame.binary)
    text, binary = envelope.from_bytes(envelope.as_bytes(frame))
    assert (text, binary) == (frame.text, frame.binary)
    assert dict(envelope.read(frame).envelope.headers) == headers


def test_a_header_that_is_not_what_it_is_said_to_be() -> None:
    with pytest.raises(UndecodableError, match="not base64"):
        envelope.from_text({"raw": "???", "mf-bin": "raw"})
    assert envelope.from_bytes({"foreign": b"\xff"}) == ({}, {"foreign": b"\xff"})
