"""Frames: whatever is written is read again, however it is cut; what is no frame is refused before it is kept."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.rpc.errors import ProtocolError
from qiantang.rpc.wire import frames
from qiantang.rpc.wire.frames import FrameReader

Read = list[tuple[int, int, int, bytes, bytes]]

one_frame = st.tuples(
    st.sampled_from([frames.CALL, frames.RESULT, frames.CANCEL, frames.PING]),
    st.integers(0, 255),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=60),
    st.one_of(st.binary(max_size=300), st.just(b"x" * (frames.VIEWED_FROM + 7))),
)


def read_all(reader: FrameReader, data: bytes, found: Read) -> None:
    reader.feed(
        data,
        lambda kind, flags, call, header, body: found.append((kind, flags, call, bytes(header), bytes(body))),
    )


@given(st.lists(one_frame, max_size=6), st.lists(st.integers(1, 5000), max_size=40))
def test_what_is_written_is_read_again_however_it_is_cut(said: Read, cuts: list[int]) -> None:
    data = b"".join(frames.frame(kind, call, header, body, flags) for kind, flags, call, header, body in said)
    reader, found, at = FrameReader(), Read(), 0
    for cut in cuts:
        read_all(reader, data[at : at + cut], found)
        at += cut
    read_all(reader, data[at:], found)
    assert found == said
    assert not reader.is_inside


def test_a_frame_may_come_byte_by_byte() -> None:
    data = frames.frame(frames.CALL, 7, b"head", b"body") * 2
    reader, found = FrameReader(), Read()
    for place in range(len(data)):
        read_all(reader, data[place : place + 1], found)
    assert found == [(frames.CALL, 0, 7, b"head", b"body")] * 2


def test_a_large_body_follows_its_head() -> None:
    body = b"y" * 100_000
    head = frames.head(frames.RESULT, 3, b"", len(body), flags=9)
    found = Read()
    read_all(FrameReader(), head + body, found)
    assert found == [(frames.RESULT, 9, 3, b"", body)]


@pytest.mark.parametrize(
    ("length", "kind", "header", "word"),
    [
        (frames.MAX_FRAME + 1, frames.CALL, 0, "8,388,609 bytes"),
        (2**32 - 1, frames.CALL, 0, "bytes"),
        (11, frames.CALL, 0, "says that it has 11 bytes"),
        (20, frames.CALL, 9, "a header of 9"),
        (40_000, frames.CALL, frames.MAX_HEADER + 1, "a header of 16,385 bytes"),
        (12, 0, 0, "the type 0"),
        (12, 200, 0, "the type 200"),
    ],
)
def test_what_is_no_frame_is_refused_at_its_head(length: int, kind: int, header: int, word: str) -> None:
    reader = FrameReader()
    with pytest.raises(ProtocolError, match=word):
        read_all(reader, struct.pack("!IBBHQ", length, kind, 0, header, 1), [])


@given(st.binary(max_size=400))
def test_garbage_is_refused_or_waited_for_and_never_grows(data: bytes) -> None:
    reader = FrameReader(most=256)
    try:
        read_all(reader, data, [])
    except ProtocolError:
        return
    assert len(reader._kept) < 260
