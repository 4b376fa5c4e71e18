"""What is written for a message is read as the same message, whatever is in its headers, and by others as STOMP says."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stompman import MessageFrame, SendFrame
from stompman.serde import FrameParser

from qiantang.messaging.adapters.activemq import frames
from qiantang.messaging.adapters.activemq.incoming import Incoming, Said
from qiantang.messaging.model import Frame, envelope

NAMES = st.one_of(
    st.text(string.ascii_letters + string.digits + "-_.\\", min_size=1, max_size=20),
    st.sampled_from(["destination", "JMSXGroupID", "AMQ_SCHEDULED_DELAY", "receipt", "type", "Transformation", "ack"]),
)
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


def read(data: bytes) -> list[Said]:
    return list(Incoming().feed(data))


def served(said: Said) -> dict[str, str]:
    """Give the headers as the server gives them to a consumer: its own beside those that are not for itself."""
    taken = {"destination", "receipt", "persistent", "priority", "expires", "transaction", "content-length"}
    more = {"destination": "/queue/x", "message-id": "ID:1", "ack": "7", "priority": "4", "timestamp": "5"}
    return {name: value for name, value in said.headers.items() if name not in taken} | more


@given(
    body=st.binary(max_size=300),
    text=st.dictionaries(NAMES, TEXTS, max_size=5),
    binary=st.dictionaries(NAMES.map(lambda name: f"b{name}"), st.binary(max_size=40), max_size=3),
    key=TEXTS,
    tag=TEXTS,
)
def test_a_message_comes_back_as_it_was(
    body: bytes, text: dict[str, str], binary: dict[str, bytes], key: str, tag: str
) -> None:
    headers = {**{name: value for name, value in text.items() if name not in binary}, **binary}
    said = envelope.Envelope(id="id-1", codec="bytes", key=key, tag=tag, priority=7, sent_at=3, headers=headers)
    frame = envelope.write("orders", said, body)
    (found,) = read(frames.sent(frame, "/topic/VirtualTopic.orders.0", "receipt:5\n"))
    assert (found.command, found.body) == ("SEND", body)
    assert (found.headers["destination"], found.headers["receipt"]) == ("/topic/VirtualTopic.orders.0", "5")
    assert (found.headers["persistent"], found.headers["priority"]) == ("true", "4" if key else "7")
    assert frames.received("orders", served(found), found.body) == frame


def test_a_long_header_goes_in_pieces() -> None:
    text = {"long": ":\\" * 3000 + "钱" * 1000, "type": "x" * 2001, "mf-v": "2.0", "mf-id": "1", "mf-prio": "4"}
    frame = envelope.framed("orders", b"", text, {"raw": bytes(6000)})
    data = frames.sent(frame, "/topic/x", "")
    assert max(map(len, data.split(b"\n"))) < 10_000, "ActiveMQ takes no longer line"
    (found,) = read(data)
    assert frames.received("orders", served(found), b"") == frame


@given(
    text=st.dictionaries(
        st.text(string.ascii_lowercase, min_size=1, max_size=9), st.text(string.printable, max_size=20)
    )
)
def test_another_client_reads_what_is_written(text: dict[str, str]) -> None:
    text = {f"x{name}": value.replace("\r", "") for name, value in text.items()}
    data = frames.sent(Frame(topic="t", id="1", body=b"\0body", text=text), "/topic/t", "")
    (found,) = FrameParser().parse_frames_from_chunk(data)
    assert isinstance(found, SendFrame)
    assert found.body == b"\0body"
    assert {name: value for name, value in found.headers.items() if name[0] == "x"} == text


def test_times() -> None:
    frame = Frame(topic="t", id="1", body=b"", expires_at=77, deliver_at=5)
    (found,) = read(frames.sent(frame, "/topic/t", "", delay=9))
    assert (found.headers["expires"], found.headers["AMQ_SCHEDULED_DELAY"]) == ("77", "9")
    (found,) = read(frames.sent(frame, "/topic/t", ""))
    assert "AMQ_SCHEDULED_DELAY" not in found.headers


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        frames.sent(Frame(topic="t", id="1", body=b"", text={"a": "\ud800"}), "/topic/t", "")


@pytest.mark.parametrize(
    "headers", [{"mf-bin": "a", "a": "%%%"}, {"mf-txt": "a b", "a": "%%%"}, {"mf-x.aa": "b"}, {"mf-h.": ""}]
)
def test_what_others_send_is_given_as_it_is(headers: dict[str, str]) -> None:
    frame = frames.received("t", {"destination": "/queue/x", **headers}, b"?")
    assert (frame.id, frame.body) == ("", b"?")


def test_the_frames_of_control() -> None:
    data = (
        frames.acknowledged(["a:b", "c"]) + frames.begin("1") + frames.commit("1", "2") + frames.unsubscribe("3", "4")
    )
    found = read(data + frames.subscribe({"id": "5", "destination": "/queue/x"}) + frames.note("/topic/t", {"a": "b"}))
    assert [one.command for one in found] == ["ACK", "ACK", "BEGIN", "COMMIT", "UNSUBSCRIBE", "SUBSCRIBE", "SEND"]
    assert [one.headers["id"] for one in found[:2]] == ["a:b", "c"]
    assert found[3].headers == {"transaction": "1", "receipt": "2"}
    assert found[4].headers == {"id": "3", "receipt": "4"}
    (found,) = read(frames.connect({"login": "a:b", "passcode": "c\\n\n:"}))
    assert found.headers == {"login": "a:b", "passcode": "c\\n\n:"}


def test_a_message_of_another_server_or_client() -> None:
    (found,) = FrameParser().parse_frames_from_chunk(
        b"MESSAGE\nmessage-id:1\ndestination:/queue/x\nsubscription:1\n\nplain\0"
    )
    assert isinstance(found, MessageFrame)
    (said,) = read(b"MESSAGE\nmessage-id:1\ndestination:/queue/x\nsubscription:1\n\nplain\0\n")
    assert (said.body, said.headers) == (found.body, dict(found.headers))
