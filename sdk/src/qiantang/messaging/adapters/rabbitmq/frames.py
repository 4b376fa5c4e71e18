"""Frames: bytes of AMQP 0-9-1 that are written for every message: publishing and acknowledging. Pure.

The library can write them as well, in ten times as long; all else is left to it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from qiantang.messaging.model import Frame

PERSISTENT: Final = 2
OVERHEAD: Final = 8
"""What a frame holds beside its payload."""
_METHOD, _HEADER, _BODY, _END = 1, 2, 3, b"\xce"
_FLAGS: Final = 8192 | 4096 | 2048 | 128  # headers, delivery mode, priority, message id

_frame = struct.Struct(">BHI")
_publish = struct.Struct(">HHH")
_content = struct.Struct(">HHQH")
_long = struct.Struct(">I")
_ack = struct.Struct(">BHIHHQBB")


def published(channel: int, frame: Frame, routing_key: str, frame_max: int) -> bytes:
    """Give the frames that publish a message to the exchange of its topic, durably, and to hear of it if no queue wants it.

    A message with a key has the default priority, whatever its own is: its order counts more.

    Raises:
        ValueError: a name is over 255 bytes.
    """
    method = _publish.pack(60, 40, 0) + _short(frame.topic) + _short(routing_key) + b"\x01"
    header = b"".join(
        (
            _content.pack(60, 0, len(frame.body), _FLAGS),
            _table(frame),
            bytes((PERSISTENT, frame.rank)),
            _short(frame.id),
        )
    )
    parts = [
        *(_frame.pack(_METHOD, channel, len(method)), method, _END),
        *(_frame.pack(_HEADER, channel, len(header)), header, _END),
    ]
    body, most = frame.body, frame_max - OVERHEAD
    for start in range(0, len(body), most):
        part = body[start : start + most]
        parts += (_frame.pack(_BODY, channel, len(part)), part, _END)
    return b"".join(parts)


def acknowledged(channel: int, acks: Iterable[tuple[int, bool]]) -> bytes:
    """Give the frames that acknowledge deliveries: the number of each, and whether all before it are meant as well."""
    return b"".join(_ack.pack(_METHOD, channel, 13, 60, 80, number, multiple, 0xCE) for number, multiple in acks)


def _short(text: str) -> bytes:
    data = text.encode()
    if len(data) > 255:
        raise ValueError(f"AMQP has no place for a name of {len(data)} bytes: {text[:40]!r}…")
    return bytes((len(data),)) + data


def _table(frame: Frame) -> bytes:
    parts: list[bytes] = []
    for name, text in frame.text.items():
        data = text.encode()
        parts += (_short(name), b"S", _long.pack(len(data)), data)
    for name, value in frame.binary.items():
        parts += (_short(name), b"x", _long.pack(len(value)), value)
    table = b"".join(parts)
    return _long.pack(len(table)) + table
