"""What comes over a connection: messages and confirms are taken out whole, and the library gets all else, byte for byte."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pamqp.frame
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands as spec
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from qiantang.messaging.adapters.rabbitmq import frames
from qiantang.messaging.adapters.rabbitmq.incoming import Content, Incoming
from qiantang.messaging.model import Frame


class Noting:
    def __init__(self) -> None:
        self.noted: list[tuple[Any, ...]] = []

    def delivered(self, number: int, content: Content) -> None:
        self.noted.append(("delivered", number, content))

    def returned(self, content: Content) -> None:
        self.noted.append(("returned", content.id))

    def confirmed(self, number: int, *, multiple: bool, accepted: bool) -> None:
        self.noted.append(("confirmed", number, multiple, accepted))


def marshalled(channel: int, *some: Any) -> bytes:
    return b"".join(pamqp.frame.marshal(one, channel) for one in some)


def delivery(channel: int, number: int, frame: Frame, part: int) -> bytes:
    """As the server sends what `frames.published` wrote: with another method before it."""
    method = marshalled(channel, spec.Basic.Deliver("ctag1.x", number, False, "t", "0.0.t"))
    written = frames.published(channel, frame, "0.0.t", part + frames.OVERHEAD)
    size, _, _ = pamqp.frame.unmarshal(written)
    return method + written[size:]


async def fed(pieces: list[bytes], *channels: int) -> tuple[dict[int, Noting], bytes]:
    incoming = Incoming(asyncio.get_running_loop())
    incoming._passed = float("inf")  # type: ignore[attr-defined]  # no heartbeats among what is compared
    takers = {channel: Noting() for channel in channels}
    incoming.takers.update(takers)
    for piece in pieces:
        incoming.feed_data(piece)
    incoming.feed_eof()
    return takers, await incoming.read()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(one % (len(data) + 1) for one in at)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


BODIES = st.lists(st.binary(max_size=60), min_size=1, max_size=6)


@given(bodies=BODIES, part=st.integers(1, 30), at=st.lists(st.integers(0, 10_000), max_size=12))
async def test_however_it_is_cut(bodies: list[bytes], part: int, at: list[int]) -> None:
    library = [
        marshalled(0, Heartbeat()),
        marshalled(1, spec.Basic.ConsumeOk(consumer_tag="ctag1.x")),
        marshalled(9, spec.Basic.Ack(delivery_tag=5)),
        marshalled(2, spec.Channel.Close(reply_code=404, reply_text="gone", class_id=0, method_id=0)),
    ]
    stream, wanted = b"", []
    for number, body in enumerate(bodies, 1):
        text, binary = {"mf-id": f"{number}", "茶": "é"}, {"raw": body[:5]}
        frame = Frame(topic="t", id=f"id-{number}", body=body, text=text, binary=binary)
        stream += delivery(1, number, frame, part) + library[number % 4]
        stream += marshalled(2, spec.Basic.Ack(delivery_tag=number, multiple=number % 2 == 0))
        wanted.append(("delivered", number, Content(text, binary, f"id-{number}", body)))
    takers, passed = await fed(cut(stream, at), 1, 2)
    assert takers[1].noted == wanted
    assert takers[2].noted == [("confirmed", number, number % 2 == 0, True) for number in range(1, len(bodies) + 1)]
    assert passed == b"".join(library[number % 4] for number in range(1, len(bodies) + 1))


async def test_messages_of_two_channels_between_one_another() -> None:
    one = delivery(1, 1, Frame(topic="t", id="a", body=b"first"), 2)
    other = delivery(2, 7, Frame(topic="t", id="b", body=b"other"), 2)
    pieces: list[bytes] = []
    while one or other:
        for name in ("one", "other"):
            data = one if name == "one" else other
            if data:
                size = pamqp.frame.unmarshal(data)[0]
                pieces.append(data[:size])
                one, other = (data[size:], other) if name == "one" else (one, data[size:])
    takers, passed = await fed(pieces, 1, 2)
    assert [(number, content.body) for _, number, content in takers[1].noted] == [(1, b"first")]
    assert [(number, content.body) for _, number, content in takers[2].noted] == [(7, b"other")]
    assert passed == b""


async def test_messages_of_other_programs_and_what_the_server_adds() -> None:
    headers = {"x-delivery-count": 3, "on": True, "none": None, "t": "text", "raw": bytearray(b"\xff"), "list": [1]}
    plain = spec.Basic.Properties(content_type="text/plain", headers=headers, message_id="m")
    bare = spec.Basic.Properties()
    stream = b""
    for number, properties in enumerate((plain, bare), 1):
        stream += marshalled(1, spec.Basic.Deliver("c", number, True, "t", ""), ContentHeader(0, 2, properties))
        stream += marshalled(1, ContentBody(b"ok"))
    takers, _ = await fed([stream], 1)
    contents = [content for _, _, content in takers[1].noted]
    assert contents[0].text == {"x-delivery-count": "3", "on": "True", "t": "text", "list": "[1]"}
    assert (contents[0].binary, contents[0].id, contents[0].body) == ({"raw": b"\xff"}, "m", b"ok")
    assert contents[1] == Content({}, {}, "", b"ok")


async def test_text_that_is_none_is_bytes() -> None:
    written = delivery(1, 1, Frame(topic="t", id="a", body=b"x", text={"k": "abc"}), 100)
    takers, _ = await fed([written.replace(b"abc", b"a\xffc")], 1)
    ((_, _, content),) = takers[1].noted
    assert (content.text, content.binary) == ({}, {"k": b"a\xffc"})


async def test_returned_before_it_is_confirmed_and_refused() -> None:
    returned = spec.Basic.Return(reply_code=312, reply_text="NO_ROUTE", exchange="t", routing_key="0.0.t")
    header = ContentHeader(0, 0, spec.Basic.Properties(message_id="a"))
    stream = marshalled(
        3, returned, header, spec.Basic.Ack(delivery_tag=1), spec.Basic.Nack(delivery_tag=2, multiple=True)
    )
    takers, passed = await fed([stream], 3)
    assert takers[3].noted == [("returned", "a"), ("confirmed", 1, False, True), ("confirmed", 2, True, False)]
    assert passed == b""


async def test_another_protocol_is_left_to_the_library() -> None:
    assert (await fed([b"AMQP\x00\x00", b"\x09\x01"], 1))[1] == b"AMQP\x00\x00\x09\x01"
    half = marshalled(1, spec.Basic.ConsumeOk(consumer_tag="c"))[:-3]
    assert (await fed([half], 1))[1] == half


async def test_the_library_hears_that_the_connection_lives() -> None:
    incoming = Incoming(asyncio.get_running_loop())
    incoming.takers[1] = Noting()
    incoming._passed = -10.0  # type: ignore[attr-defined]
    for _ in range(3):
        incoming.feed_data(marshalled(1, spec.Basic.Ack(delivery_tag=1)))
    incoming.feed_eof()
    assert await incoming.read() == pamqp.frame.marshal(Heartbeat(), 0)
