"""What comes over a connection is taken apart the same however it is cut, and what is no STOMP is refused."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.adapters.activemq import incoming
from qiantang.messaging.adapters.activemq.incoming import Incoming, Said

SAID = (
    b"CONNECTED\nversion:1.2\nsession:ID:host-1\nserver:ActiveMQ/5.18.3\n\n\0\n"
    b"\n\n"
    b"MESSAGE\nsubscription:1\ncontent-length:4\nmessage-id:ID\\chost\nx:a\\\\n\\nb\nx:second\nodd:\\q\\\n\n\0\n\0\n\0\n"
    b"MESSAGE\nsubscription:2\n\ntext\0\n"
    b"RECEIPT\nreceipt-id:7\n\n\0"
    b"\nERROR\nmessage:no\ncontent-length:x\n\nwhy\0"
)
FRAMES = [
    Said("CONNECTED", {"version": "1.2", "session": "ID:host-1", "server": "ActiveMQ/5.18.3"}, b""),
    Said(
        "MESSAGE",
        {"subscription": "1", "content-length": "4", "message-id": "ID:host", "x": "a\\n\nb", "odd": "\\q\\"},
        b"\0\n\0\n",
    ),
    Said("MESSAGE", {"subscription": "2"}, b"text"),
    Said("RECEIPT", {"receipt-id": "7"}, b""),
    Said("ERROR", {"message": "no", "content-length": "x"}, b"why"),
]


@given(at=st.lists(st.integers(0, len(SAID)), max_size=20))
def test_frames_are_the_same_however_they_are_cut(at: list[int]) -> None:
    one = Incoming()
    found: list[Said] = []
    for start, end in itertools.pairwise(sorted({0, len(SAID), *at})):
        found += one.feed(SAID[start:end])
    assert found == FRAMES


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\n\n", b"MESSAGE\ncontent-length:2\n\nlonger\0", b"\x15\x03\x01\n\n"]
)
def test_what_is_no_stomp_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="frame"):
        list(Incoming().feed(data))


def test_headers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MOST_HEAD", 100)
    one = Incoming()
    with pytest.raises(ValueError, match="100 bytes"):
        for _ in range(20):
            list(one.feed(b"MESSAGE:::"))
