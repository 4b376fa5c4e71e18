"""Frames: what goes to the server as bytes of STOMP 1.2. Pure.

What is written for every message or batch stands here; stompman writes what subscribes. ActiveMQ bounds a line of a header (10
KiB) and knows no sign for a carriage return: long values go in pieces, those with such signs in base64. Names that mean something
to the server, or to JMS, are sent under a prefix. What a foreign program reads of an ordinary header is the header as it is.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from stompman import SubscribeFrame, UnsubscribeFrame
from stompman.serde import dump_frame

from qiantang.messaging.errors import UndecodableError
from qiantang.messaging.model import Frame, envelope

NAMED: Final = "mf-h."
"""What stands before a name that means something else to the server."""
PIECE: Final = "mf-x."
"""What a piece's name begins with; its number in two digits and a dot follow."""
HIDDEN: Final = "mf-txt"
"""The header that lists those whose text is in base64."""
PIECE_SIGNS: Final = 2000
MEANT: Final = frozenset(
    {
        *(
            "destination",
            "content-length",
            "content-type",
            "receipt",
            "transaction",
            "persistent",
            "priority",
            "expires",
        ),
        *("type", "timestamp", "correlation-id", "reply-to", "message-id", "redelivered", "subscription", "ack", "id"),
        *(
            "original-destination",
            "transformation",
            "transformation-error",
            "amq-message-type",
            "amq-msg-type",
            "browser",
        ),
        *("selector", "receipt-id", "message", "heart-beat", "version", "host", "login", "passcode"),
        *("originalexpiration", "originaldestination", "dlqdeliveryfailurecause", "scheduledjobid", "breadcrumbid"),
    }
)
_PREFIXES: Final = ("jms", "amq_", "activemq", "amqp", NAMED, PIECE)
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", ":": "\\c"})
_VALUES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def connect(headers: Mapping[str, str]) -> bytes:
    """Give the frame that connects. ActiveMQ reads escapes in it, which STOMP does not have there: stompman writes none."""
    lines = "".join(f"{name}:{value.translate(_VALUES)}\n" for name, value in headers.items())
    return f"CONNECT\n{lines}\n\0".encode()


def subscribe(headers: Mapping[str, str]) -> bytes:
    """Give the frame that subscribes."""
    return dump_frame(SubscribeFrame(headers=cast("Any", dict(headers))))


def unsubscribe(id: str, receipt: str = "") -> bytes:
    """Give the frame that ends a subscription."""
    headers = {"id": id, "receipt": receipt} if receipt else {"id": id}
    return dump_frame(UnsubscribeFrame(headers=cast("Any", headers)))


def acknowledged(ids: Iterable[str]) -> bytes:
    """Give the frames that acknowledge messages, named by the header `ack` of each."""
    return "".join(f"ACK\nid:{one.translate(_ESCAPES)}\n\n\0" for one in ids).encode()


def begin(transaction: str) -> bytes:
    """Give the frame that begins a transaction."""
    return f"BEGIN\ntransaction:{transaction}\n\n\0".encode()


def commit(transaction: str, receipt: str) -> bytes:
    """Give the frame that commits a transaction."""
    return f"COMMIT\ntransaction:{transaction}\nreceipt:{receipt}\n\n\0".encode()


def note(destination: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Give a frame that sends something of the adapter's own, in plain headers."""
    lines = "".join(f"{name}:{value.translate(_ESCAPES)}\n" for name, value in headers.items())
    return f"SEND\ndestination:{destination}\ncontent-length:{len(body)}\n{lines}\n".encode() + body + b"\0"


def sent(frame: Frame, destination: str, more: str, delay: int = 0) -> bytes:
    """Give the frame that sends a message, to outlive the server. `more` are lines of headers; `delay` is in milliseconds.

    Raises:
        ValueError: a header is no text.
    """
    parts = [
        f"SEND\ndestination:{destination}\ncontent-length:{len(frame.body)}\npersistent:true\npriority:{frame.rank}\n",
        more,
    ]
    if frame.expires_at:
        parts.append(f"expires:{frame.expires_at}\n")
    if delay > 0:
        parts.append(f"AMQ_SCHEDULED_DELAY:{delay}\n")
    for name, value in _plain(envelope.as_text(frame)).items():
        if len(value) > PIECE_SIGNS:
            parts += _pieces(_named(name), value)
        else:
            parts.append(f"{_named(name)}:{value.translate(_ESCAPES)}\n")
    parts.append("\n")
    return b"".join(("".join(parts).encode(), frame.body, b"\0"))


def received(topic: str, headers: dict[str, str], body: bytes) -> Frame:
    """Give the frame of a message that came; of what the server says itself nothing is in it."""
    text: dict[str, str] = {}
    pieces: list[tuple[str, str]] = []
    for name, value in headers.items():
        if name[:5] == NAMED:
            text[name[5:]] = value
        elif name[:5] == PIECE:
            pieces.append((name, value))
        elif name[:3] == "mf-" or not _is_meant(name):
            text[name] = value
    for name, value in sorted(pieces):
        whole = name[8:].removeprefix(NAMED)
        text[whole] = text.get(whole, "") + value
    if HIDDEN in text:
        text = _shown(text)
    binary: dict[str, bytes] = {}
    if envelope.BINARY in text:
        try:
            text, binary = envelope.from_text(text)
        except UndecodableError:  # it is found so again where it can become a dead letter
            binary = {}
    return envelope.framed(topic, body, text, binary)


def _named(name: str) -> str:
    return NAMED + name if _is_meant(name) else name


def _is_meant(name: str) -> bool:
    lower = name.lower()
    return lower in MEANT or lower.startswith(_PREFIXES)


def _pieces(name: str, value: str) -> Iterator[str]:
    for number, start in enumerate(range(0, len(value), PIECE_SIGNS)):
        yield f"{PIECE}{number:02}.{name}:{value[start : start + PIECE_SIGNS].translate(_ESCAPES)}\n"


def _plain(headers: dict[str, str]) -> dict[str, str]:
    """Give headers with those in base64 that have signs which the server loses."""
    hidden = [name for name, value in headers.items() if "\r" in value or "\0" in value]
    if not hidden:
        return headers
    encoded = {name: base64.b64encode(headers[name].encode()).decode() for name in hidden}
    return {**headers, **encoded, HIDDEN: " ".join(hidden)}


def _shown(headers: dict[str, str]) -> dict[str, str]:
    text = dict(headers)
    for name in text.pop(HIDDEN).split():
        try:
            text[name] = base64.b64decode(text[name], validate=True).decode()
        except (KeyError, ValueError):  # a foreign program's
            continue
    return text
