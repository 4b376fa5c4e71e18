"""Envelope: what a frame's headers say of the message, in the layouts of format 2.0 and format 1.0.

Format 2.0 leaves the body alone: all that the platform says is in headers that begin with `mf-`. Format 1.0 wraps text and
maps in a JSON document that holds the properties as well, for consumers that read nothing else. Who reads tells them
apart by the header `mf-v`, which format 1.0 never wrote. Both layouts are fixed by golden files in the tests.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import msgspec

from qiantang.messaging.errors import UndecodableError, UnencodableError
from qiantang.messaging.model.frame import Frame
from qiantang.messaging.model.message import DEFAULT_PRIORITY, HIGHEST, LOWEST, RESERVED, Header

Version = Literal["1.0", "2.0"]

VERSION: Final = "mf-v"
ID: Final = "mf-id"
TAG: Final = "mf-tag"
KEY: Final = "mf-key"
PRIORITY: Final = "mf-prio"
DELIVER_AT: Final = "mf-at"
EXPIRES_AT: Final = "mf-exp"
SENT_AT: Final = "mf-sent"
SENDER: Final = "mf-from"
CODEC: Final = "mf-codec"
COMPRESSION: Final = "mf-zip"
KEY_ID: Final = "mf-kid"
BINARY: Final = "mf-bin"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the headers say. Times are in milliseconds since 1970, 0 where there is none; `sender` is center/application."""

    id: str
    codec: str
    tag: str = ""
    key: str = ""
    priority: int = DEFAULT_PRIORITY
    deliver_at: int = 0
    expires_at: int = 0
    sent_at: int = 0
    sender: str = ""
    compression: str = ""
    key_id: str = ""
    headers: Mapping[str, Header] = {}
    version: Version = "2.0"


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A frame that was read: its envelope, and the body as its codec wrote it (before that compressed and encrypted)."""

    envelope: Envelope
    body: bytes


def write(topic: str, envelope: Envelope, body: bytes) -> Frame:
    """Lay a message out in format 2.0.

    Empty properties are left out, so that a plain message carries four headers.
    """
    text: dict[str, str] = {VERSION: "2.0", ID: envelope.id, CODEC: envelope.codec, SENT_AT: str(envelope.sent_at)}
    binary: dict[str, bytes] = {}
    if envelope.tag:
        text[TAG] = envelope.tag
    if envelope.key:
        text[KEY] = envelope.key
    if envelope.sender:
        text[SENDER] = envelope.sender
    if envelope.compression:
        text[COMPRESSION] = envelope.compression
    if envelope.key_id:
        text[KEY_ID] = envelope.key_id
    if envelope.priority != DEFAULT_PRIORITY or envelope.deliver_at or envelope.expires_at:
        _write_numbers(envelope, text)
    for name, value in envelope.headers.items():
        if isinstance(value, str):
            text[name] = value
        else:
            binary[name] = value
    return _frame(topic, envelope, body, text, binary)


def _write_numbers(envelope: Envelope, text: dict[str, str]) -> None:
    if envelope.priority != DEFAULT_PRIORITY:
        text[PRIORITY] = str(envelope.priority)
    if envelope.deliver_at:
        text[DELIVER_AT] = str(envelope.deliver_at)
    if envelope.expires_at:
        text[EXPIRES_AT] = str(envelope.expires_at)


def _frame(topic: str, envelope: Envelope, body: bytes, text: dict[str, str], binary: dict[str, bytes]) -> Frame:
    return Frame(
        topic=topic,
        id=envelope.id,
        body=body,
        tag=envelope.tag,
        key=envelope.key,
        priority=envelope.priority,
        deliver_at=envelope.deliver_at,
        expires_at=envelope.expires_at,
        text=text,
        binary=binary,
    )


def framed(topic: str, body: bytes, text: dict[str, str], binary: dict[str, bytes]) -> Frame:
    """Give the frame that a broker carried as headers and a body.

    What a broker or the client acts upon is read leniently: a message whose headers make no sense is delivered, and found
    undecodable there, where it can become a dead letter.
    """
    if VERSION not in text:
        return _framed_first(topic, body, text, binary)
    return Frame(
        topic=topic,
        id=text.get(ID, ""),
        body=body,
        tag=text.get(TAG, ""),
        key=text.get(KEY, ""),
        priority=min(HIGHEST, _lenient(text, PRIORITY, DEFAULT_PRIORITY)) if PRIORITY in text else DEFAULT_PRIORITY,
        deliver_at=_lenient(text, DELIVER_AT) if DELIVER_AT in text else 0,
        expires_at=_lenient(text, EXPIRES_AT) if EXPIRES_AT in text else 0,
        text=text,
        binary=binary,
    )


def _framed_first(topic: str, body: bytes, text: dict[str, str], binary: dict[str, bytes]) -> Frame:
    """In format 1.0 the properties stand in the document; a message of anybody else has none."""
    frame = Frame(topic=topic, id="", body=body, text=text, binary=binary)
    try:
        said = _read_first(frame).envelope
    except UndecodableError:
        return frame
    return msgspec.structs.replace(
        frame,
        id=said.id,
        tag=said.tag,
        key=said.key,
        priority=said.priority,
        deliver_at=said.deliver_at,
        expires_at=said.expires_at,
    )


def _lenient(text: Mapping[str, str], name: str, default: int = 0) -> int:
    try:
        return _number(text, name, default)
    except UndecodableError:
        return default


def read(frame: Frame) -> Opened:
    """Read a frame of either format.

    Raises:
        UndecodableError: it is of neither, or of a version that is not known here.
    """
    version = frame.text.get(VERSION)
    if version is None:
        return _read_first(frame)
    if version.partition(".")[0] != "2":
        raise UndecodableError(f"format {version[:20]!r} of message {frame.text.get(ID, '')[:64]!r} is not known here")
    said = frame.text
    headers: dict[str, Header] = {name: value for name, value in said.items() if name[:3] != RESERVED}
    if frame.binary:
        headers.update(frame.binary)
    envelope = Envelope(
        id=said.get(ID, ""),
        codec=said.get(CODEC, "bytes"),
        tag=said.get(TAG, ""),
        key=said.get(KEY, ""),
        priority=_priority(said) if PRIORITY in said else DEFAULT_PRIORITY,
        deliver_at=_number(said, DELIVER_AT) if DELIVER_AT in said else 0,
        expires_at=_number(said, EXPIRES_AT) if EXPIRES_AT in said else 0,
        sent_at=_number(said, SENT_AT),
        sender=said.get(SENDER, ""),
        compression=said.get(COMPRESSION, ""),
        key_id=said.get(KEY_ID, ""),
        headers=headers,
    )
    return Opened(envelope, frame.body)


def _number(text: Mapping[str, str], name: str, default: int = 0) -> int:
    written = text.get(name)
    if written is None:
        return default
    if not (written.isascii() and written.isdigit() and len(written) <= 15):
        raise UndecodableError(f"the header {name} of message {text.get(ID, '')[:64]!r} is no number: {written[:40]!r}")
    return int(written)


def _priority(text: Mapping[str, str]) -> int:
    return max(LOWEST, min(HIGHEST, _number(text, PRIORITY, DEFAULT_PRIORITY)))


# -- headers on brokers that carry only text, or only bytes ------------------------------------------------------


def as_text(frame: Frame) -> dict[str, str]:
    """Give all headers as text: the binary ones in base64, their names listed."""
    if not frame.binary:
        return frame.text
    encoded = {name: base64.b64encode(value).decode() for name, value in frame.binary.items()}
    return {**frame.text, **encoded, BINARY: " ".join(frame.binary)}


def from_text(headers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Part what `as_text` joined.

    Raises:
        UndecodableError: a header that is said to be binary is not in base64.
    """
    text = dict(headers)
    try:
        binary = {
            name: base64.b64decode(text.pop(name), validate=True)
            for name in text.pop(BINARY, "").split()
            if name in text
        }
    except ValueError as error:
        raise UndecodableError(f"a binary header of message {headers.get(ID, '')[:64]!r} is not base64") from error
    return text, binary


def as_bytes(frame: Frame) -> dict[str, bytes]:
    """Give all headers as bytes, the names of the binary ones listed."""
    found = {name: value.encode() for name, value in frame.text.items()}
    if frame.binary:
        found.update(frame.binary)
        found[BINARY] = " ".join(frame.binary).encode()
    return found


def from_bytes(headers: Mapping[str, bytes]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Part what `as_bytes` joined. A foreign header that is not UTF-8 is binary."""
    listed = set(headers.get(BINARY, b"").decode(errors="replace").split())
    text: dict[str, str] = {}
    binary: dict[str, bytes] = {}
    for name, value in headers.items():
        if name in listed:
            binary[name] = value
        elif name != BINARY:
            try:
                text[name] = value.decode()
            except UnicodeDecodeError:
                binary[name] = value
    return text, binary


# -- format 1.0 --------------------------------------------------------------------------------------------------


class _First(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The document of format 1.0. Its fields keep this order on the wire."""

    version: str
    id: str
    type: str
    tag: str = ""
    key: str = ""
    priority: int = DEFAULT_PRIORITY
    deliver_at: int = 0
    expires_at: int = 0
    sent_at: int = 0
    sender: str = ""
    properties: dict[str, str] = {}
    body: Any = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_First)


def write_first(topic: str, envelope: Envelope, body: object) -> Frame:
    """Lay a text or a map out in format 1.0.

    Raises:
        UnencodableError: it is neither, or a header is binary: format 1.0 has no place for that.
    """
    if not isinstance(body, str | dict):
        raise UnencodableError(f"format 1.0 carries text and maps, not {type(body).__name__}")
    binary = [name for name, value in envelope.headers.items() if not isinstance(value, str)]
    if binary:
        raise UnencodableError(f"format 1.0 carries headers of text only; {binary[0]!r} is binary")
    document = _First(
        version="1.0",
        id=envelope.id,
        type="text" if isinstance(body, str) else "map",
        tag=envelope.tag,
        key=envelope.key,
        priority=envelope.priority,
        deliver_at=envelope.deliver_at,
        expires_at=envelope.expires_at,
        sent_at=envelope.sent_at,
        sender=envelope.sender,
        properties=cast("dict[str, str]", dict(envelope.headers)),
        body=cast("Any", body),
    )
    try:
        written = _encoder.encode(document)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise UnencodableError(f"the map cannot be written as JSON: {error}") from error
    return _frame(topic, envelope, written, {}, {})


def _read_first(frame: Frame) -> Opened:
    try:
        found = _decoder.decode(frame.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableError(
            f"a message of {frame.topic} has no header {VERSION} and is no document of format 1.0"
        ) from error
    if found.version != "1.0" or {"text": str, "map": dict}.get(found.type) is not type(found.body):
        raise UndecodableError(f"message {found.id[:64]!r} of {frame.topic} is no text or map of format 1.0")
    text = found.type == "text"
    envelope = Envelope(
        id=found.id,
        codec="text" if text else "json",
        tag=found.tag,
        key=found.key,
        priority=max(LOWEST, min(HIGHEST, found.priority)),
        deliver_at=found.deliver_at,
        expires_at=found.expires_at,
        sent_at=found.sent_at,
        sender=found.sender,
        headers=found.properties,
        version="1.0",
    )
    return Opened(envelope, found.body.encode() if text else _encoder.encode(found.body))
