"""Records: their bytes are fixed, what was written comes back, and what was damaged does not."""

from __future__ import annotations

from typing import Any, cast

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from qiantang.messaging.client.spool import records
from qiantang.messaging.client.spool.records import HEAD, Record
from qiantang.messaging.errors import InvalidMessageError, UndecodableError
from qiantang.messaging.model import Frame

FULL = Record(
    link="main/one",
    slot=200,
    maybe_sent=True,
    frame=Frame(
        topic="order.created",
        id="019ab000-0000-7000-8000-000000000001",
        body=b"\x00\xff{}",
        tag="vip",
        key="客户-1",
        priority=9,
        deliver_at=1_764_000_000_000,
        expires_at=1_764_000_060_000,
        text={"mf-v": "2.0", "region": "hz"},
        binary={"sign": b"\x01\x02"},
        queue=3,
    ),
)
PLAIN = Record(link="main/one", slot=-1, maybe_sent=False, frame=Frame(topic="t", id="1", body=b""))
GOLDEN_FULL = (
    "86000000f5234a3f9ea86d61696e2f6f6e65ccc8c3ad6f726465722e63726561746564d92430313961623030302d30303030"
    "2d373030302d383030302d303030303030303030303031c40400ff7b7da3766970a8e5aea2e688b72d3109cf0000019ab697"
    "e800cf0000019ab698d26082a46d662d76a3322e30a6726567696f6ea2687a81a47369676ec402010203"
)
GOLDEN_PLAIN = "1a0000008451b5819ea86d61696e2f6f6e65ffc2a174a131c400a0a00400008080ff"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), 2**64 - 1)
frames = st.builds(
    Frame,
    topic=texts,
    id=texts,
    body=st.binary(max_size=300),
    tag=texts,
    key=texts,
    priority=st.integers(0, 9),
    deliver_at=numbers,
    expires_at=numbers,
    text=st.dictionaries(texts, texts, max_size=4),
    binary=st.dictionaries(texts, st.binary(max_size=20), max_size=4),
    queue=st.integers(-1, 1023),
)
made = st.builds(Record, link=texts, slot=st.integers(-1, 255), maybe_sent=st.booleans(), frame=frames)


@pytest.mark.parametrize(("record", "golden"), [(FULL, GOLDEN_FULL), (PLAIN, GOLDEN_PLAIN)], ids=["full", "plain"])
def test_its_bytes_are_fixed(record: Record, golden: str) -> None:
    assert records.write(record).hex() == golden
    assert [records.read(one) for one in records.split(bytes.fromhex(golden))] == [record]


def test_what_a_later_version_adds_is_not_read() -> None:
    payload = records.write(PLAIN)[HEAD.size :]
    more = msgspec.msgpack.encode([*msgspec.msgpack.decode(payload), "new", 1])
    assert records.read(more) == PLAIN
    assert records.place(more).topic == "t"


@given(st.lists(made, max_size=5))
def test_what_was_written_comes_back(some: list[Record]) -> None:
    payloads = list(records.split(b"".join(records.write(one) for one in some)))
    assert [records.read(one) for one in payloads] == some
    places = [records.place(one) for one in payloads]
    assert [(one.link, one.slot, one.topic) for one in places] == [
        (one.link, one.slot, one.frame.topic) for one in some
    ]


@given(st.lists(made, min_size=1, max_size=4), st.data())
def test_what_is_damaged_or_cut_is_not_given(some: list[Record], data: Any) -> None:
    written = [records.write(one) for one in some]
    whole = bytearray(b"".join(written))
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[place:]
    ends = [sum(len(one) for one in written[: number + 1]) for number in range(len(some))]
    sound = sum(end <= place for end in ends)
    assert [records.read(one) for one in records.split(bytes(whole))] == some[:sound]


@given(st.binary(max_size=200))
def test_noise_is_no_record(noise: bytes) -> None:
    assert list(records.split(bytes(64) + noise)) == []
    for reads in (records.read, records.place):
        try:
            reads(noise)
        except UndecodableError:
            continue


def test_what_cannot_be_written_is_refused() -> None:
    for wrong in ({"id": "\ud800"}, {"deliver_at": 1 << 70}, {"text": {"a": object()}}):
        frame = Frame(**{"topic": "t", "id": "1", "body": b"", **cast("dict[str, Any]", wrong)})
        with pytest.raises(InvalidMessageError, match="cannot be kept offline"):
            records.write(Record(link="l", slot=-1, maybe_sent=False, frame=frame))


def test_whatever_can_be_written_can_be_read() -> None:
    """A header of a kind that the types forbid is for the broker to refuse: here it must not be lost."""
    frame = Frame(topic="t", id="1", body=b"", text=cast("Any", {"a": 1}), binary=cast("Any", {"b": None}))
    payload = records.write(Record(link="l", slot=0, maybe_sent=False, frame=frame))[HEAD.size :]
    assert records.read(payload).frame == frame


def test_it_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_PAYLOAD", 100)
    frame = Frame(topic="t", id="1", body=b"x" * 100)
    with pytest.raises(InvalidMessageError, match="too many"):
        records.write(Record(link="l", slot=-1, maybe_sent=False, frame=frame))
    monkeypatch.undo()
    written = records.write(Record(link="l", slot=-1, maybe_sent=False, frame=frame))
    monkeypatch.setattr(records, "MAX_PAYLOAD", 100)
    assert list(records.split(written)) == []
