"""Messages: how RocketMQ writes a message with its properties, alone, in a batch, and as it is stored. Pure.

The envelope's headers are properties, so that any client of RocketMQ sees them. A property is text between two control characters;
a header that holds one of these, is empty, or has the name of one of RocketMQ's own properties, goes with others like it in one of
JSON.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from qiantang.messaging.errors import UndecodableError
from qiantang.messaging.model import Frame, envelope

ID: Final = "UNIQ_KEY"
INDEX: Final = "KEYS"
TAG: Final = "TAGS"
SHARD: Final = "__SHARDINGKEY"
DELIVER_AT: Final = "TIMER_DELIVER_MS"
REST: Final = "mf-rest"
EMPTY: Final = "mf-empty"
"""Says that the body is one byte only since RocketMQ takes none without any."""
MOST_PROPERTIES: Final = 32767
"""Bytes of all properties of a message."""
_NAME_END, _END = "\x01", "\x02"
_OWN: Final = frozenset(
    [
        "BORN_TIMESTAMP",
        "BUYER_ID",
        "CHECK_IMMUNITY_TIME_IN_SECONDS",
        "CLUSTER",
        "CONSUME_START_TIME",
        "CORRECTION_FLAG",
        "CORRELATION_ID",
        "DELAY",
        "DLQ_ORIGIN_MESSAGE_ID",
        "DLQ_ORIGIN_TOPIC",
        "DUP_INFO",
        "E_T",
        "EXTEND_UNIQ_INFO",
        "F",
        "INNER_BASE",
        "INNER_MULTI_DISPATCH",
        "INNER_MULTI_QUEUE_OFFSET",
        "INNER_NUM",
        "INSTANCE_ID",
        "K",
        "KEYS",
        "MAX_OFFSET",
        "MAX_RECONSUME_TIMES",
        "MIN_OFFSET",
        "MQ2_FLAG",
        "MSG_REGION",
        "MSG_TYPE",
        "ORIGIN_GROUP",
        "ORIGIN_MESSAGE_ID",
        "PGROUP",
        "POP_CK",
        "POP_CK_OFFSET",
        "PROPERTY_FORWARD_QUEUE_ID",
        "PUSH_REPLY_TIME",
        "R",
        "REAL_QID",
        "REAL_TOPIC",
        "RECONSUME_TIME",
        "REDIRECT",
        "REPLY_TO_CLIENT",
        "RETRY_TOPIC",
        "T",
        "TAGS",
        "TIMER_DELAY_LEVEL",
        "TIMER_DELAY_MS",
        "TIMER_DELAY_SEC",
        "TIMER_DELIVER_MS",
        "TIMER_DEL_UNIQKEY",
        "TIMER_DEQUEUE_MS",
        "TIMER_ENQUEUE_MS",
        "TIMER_OUT_MS",
        "TIMER_ROLL_LABEL",
        "TIMER_ROLL_TIMES",
        "TRACE_CONTEXT",
        "TRACE_ON",
        "TRANSACTION_CHECK_TIMES",
        "TRANSFER_FLAG",
        "TRANS_OFFSET",
        "TRAN_MSG",
        "TRAN_PREPARED_QUEUE_OFFSET",
        "TTL",
        "U",
        "UNIQ_KEY",
        "WAIT",
        "ARRIVE_TIME",
        "1ST_POP_TIME",
        "_SYS_MSG_PRIORITY_",
        "__BORNHOST",
        "__CRC32#",
        "__LITE_TOPIC",
        "__SHARDINGKEY",
        "__transactionId__",
    ]
)
"""What RocketMQ calls its own properties."""
_COMPRESSED, _BORN_V6, _STORE_V6, _COMPRESSION, _ZLIB = 1, 16, 32, 0x700, (0, 0x300)
_MAGIC_SHORT, _MAGIC_LONG = 0xDAA320A7, 0xDAA320AB

_batched = struct.Struct(">iiiii")
_begin = struct.Struct(">iIiiiqqiq")
_short = struct.Struct(">h")
_length = struct.Struct(">i")
_map = msgspec.json.Decoder(dict[str, str])


class Stored(NamedTuple):
    """A message as it was read: where it stands in its queue, and what it is."""

    offset: int
    frame: Frame


# -- writing ---------------------------------------------------------------------------------------------------------


def properties_of(frame: Frame, deliver_at: int = 0) -> str:
    """Give the properties of a message, which is held back until `deliver_at` (milliseconds since 1970) where that is set."""
    said = {ID: frame.id, INDEX: frame.id}
    if frame.tag:
        said[TAG] = frame.tag
    if deliver_at:
        said[DELIVER_AT] = str(deliver_at)
    rest: dict[str, str] = {}
    for name, value in envelope.as_text(frame).items():
        odd = not value or name in _OWN or _NAME_END in value or _END in value
        (rest if odd else said)[name] = value
    if not frame.body:
        said[EMPTY] = "1"
    if rest:
        said[REST] = msgspec.json.encode(rest).decode()
    return joined(said)


def body_of(frame: Frame) -> bytes:
    """Give the body of a message as RocketMQ takes it."""
    return frame.body or b"\0"


def joined(properties: Mapping[str, str]) -> str:
    """Write properties."""
    return "".join(f"{name}{_NAME_END}{value}{_END}" for name, value in properties.items())


def batch_of(messages: Iterable[tuple[str, bytes]]) -> bytes:
    """Write messages, each with its properties, as the body of one command."""
    parts: list[bytes] = []
    for properties, body in messages:
        said = properties.encode()
        size = _batched.size + len(body) + _short.size + len(said)
        parts += (_batched.pack(size, 0, 0, 0, len(body)), body, _short.pack(len(said)), said)
    return b"".join(parts)


# -- reading ---------------------------------------------------------------------------------------------------------


def parted(text: str) -> dict[str, str]:
    """Read properties."""
    found = (one.partition(_NAME_END) for one in text.split(_END))
    return {name: value for name, end, value in found if end and name}


def stored(topic: str, data: bytes) -> list[Stored]:
    """Read messages as a broker stores them, one behind the other; `topic` is their name in the estate.

    Raises:
        UndecodableError: it is no such thing.
    """
    found: list[Stored] = []
    at = 0
    try:
        while at < len(data):
            size, found_one = _stored_one(topic, data, at)
            found.append(found_one)
            at += size
    except (struct.error, ValueError, IndexError) as error:
        raise UndecodableError(f"what RocketMQ gave of {topic} are no messages: {error}") from error
    return found


def _stored_one(topic: str, data: bytes, at: int) -> tuple[int, Stored]:
    size, magic, _crc, _queue, _flag, offset, _physical, system, _born = _begin.unpack_from(data, at)
    if magic not in (_MAGIC_SHORT, _MAGIC_LONG) or size <= _begin.size or at + size > len(data):
        raise ValueError(f"at byte {at} begins none")
    # the hosts of sender and broker, the time of storing, the count of attempts, the position of a transaction
    place = at + _begin.size + (20 if system & _BORN_V6 else 8) + 8 + (20 if system & _STORE_V6 else 8) + 4 + 8
    length = int(_length.unpack_from(data, place)[0])
    place += _length.size
    body = data[place : place + length]
    place += length
    if magic == _MAGIC_SHORT:
        place += 1 + data[place]
    else:
        place += _short.size + int(_short.unpack_from(data, place)[0])
    length = int(_short.unpack_from(data, place)[0])
    place += _short.size
    text = data[place : place + length].decode(errors="replace")
    return size, Stored(offset, _frame(topic, _plain(body, system), parted(text)))


def _plain(body: bytes, system: int) -> bytes:
    """Undo what clients of RocketMQ do to large bodies; what cannot be undone stays as it is."""
    if not system & _COMPRESSED or system & _COMPRESSION not in _ZLIB:
        return body
    try:
        return zlib.decompress(body)
    except zlib.error:
        return body


def _frame(topic: str, body: bytes, properties: dict[str, str]) -> Frame:
    said = {name: value for name, value in properties.items() if name not in _OWN and name not in (REST, EMPTY)}
    if REST in properties:
        try:
            said |= _map.decode(properties[REST])
        except msgspec.MsgspecError:
            said[REST] = properties[REST]  # none of ours
    try:
        text, binary = envelope.from_text(said)
    except UndecodableError:
        text, binary = said, {}
    frame = envelope.framed(topic, b"" if EMPTY in properties else body, text, binary)
    # of what others sent
    frame.id = frame.id or properties.get(ID, "")
    frame.tag = frame.tag or properties.get(TAG, "")
    frame.key = frame.key or properties.get(SHARD, "")
    return frame
