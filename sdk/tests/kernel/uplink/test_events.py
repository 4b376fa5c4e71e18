"""Server-sent events: any cut of the bytes gives the same events, and no event grows without bound."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel.uplink.events import Event, EventParser, EventTooLargeError

STREAM = (
    b": comment\nevent: hello\ndata: {}\n\n"
    b"data:one\r\ndata: two\r\n\r\n"
    b"event: notice\rdata:  spaced\rid: 7\rretry: 10\r\r"
    b"event: empty\n\nunknown\ndata\n\ndata: last\n\n"
)
EVENTS = [
    Event(name="hello", data=b"{}"),
    Event(name="message", data=b"one\ntwo"),
    Event(name="notice", data=b" spaced"),
    Event(name="message", data=b""),
    Event(name="message", data=b"last"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_cuts_do_not_matter(cuts: list[int]) -> None:
    parser = EventParser()
    places = [0, *sorted(cuts), len(STREAM)]
    found = [event for start, end in itertools.pairwise(places) for event in parser.feed(STREAM[start:end])]
    assert found == EVENTS


def test_byte_by_byte() -> None:
    parser = EventParser()
    assert [event for byte in STREAM for event in parser.feed(bytes([byte]))] == EVENTS


def test_an_endless_line_is_refused() -> None:
    parser = EventParser(limit=100)
    with pytest.raises(EventTooLargeError):
        for _ in range(20):
            parser.feed(b"data: 123")


def test_an_endless_event_is_refused() -> None:
    parser = EventParser(limit=100)
    with pytest.raises(EventTooLargeError):
        for _ in range(20):
            parser.feed(b"data: 123456\n")


def test_many_events_are_not_one_large_event() -> None:
    parser = EventParser(limit=100)
    assert len(parser.feed(b"data: 123456\n\n" * 50)) == 50


@given(st.lists(st.binary(max_size=50), max_size=30))
def test_any_bytes_are_read_or_refused(chunks: list[bytes]) -> None:
    parser = EventParser(limit=200)
    try:
        for chunk in chunks:
            parser.feed(chunk)
    except EventTooLargeError:
        pass
