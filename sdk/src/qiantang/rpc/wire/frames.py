"""Frames of csf1: what goes over a connection, and how it is taken apart again. Pure: bytes in, frames out.

    u32 length | u8 type | u8 flags | u16 header length | u64 call | header | body        big-endian

`length` counts what follows it. A connection begins with the four bytes of `PREFACE`. Nothing is kept of a frame whose length is
over the limit: the connection ends at its first twelve bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from qiantang.rpc.errors import ProtocolError

PREFACE: Final = b"CSF1"
MAX_FRAME: Final = 8 << 20
MAX_HEADER: Final = 16 << 10
_HEAD: Final = struct.Struct("!IBBHQ")
HEAD: Final = _HEAD.size
PACK: Final = _HEAD.pack
AFTER_LENGTH: Final = HEAD - 4
VIEWED_FROM: Final = 16 << 10
"""Bodies from this size on are given as a view of what was read, not as a copy."""
JOINED_UP_TO: Final = 64 << 10
"""Bodies up to this size are written together with their head."""


CHALLENGE, HELLO, WELCOME, CALL, RESULT, ERROR, CANCEL, PING, PONG, GOAWAY = range(1, 11)
"""Types of frames. Plain numbers: a member of an enumeration costs more to name than a frame does to read."""
STREAM_DATA, STREAM_END, CREDIT = range(11, 14)
"""Of calls that stream: one item; that no more follow; how many bytes more the other end may send. The flags of their CALL say
which of the two directions stream."""
_LAST: Final = CREDIT

Bytes = bytes | bytearray | memoryview
Received = Callable[[int, int, int, Bytes, Bytes], None]
"""What takes a frame: its type, flags, call, header and body, which are valid as long as they are held."""


def head(kind: int, call: int, header: bytes, size: int, flags: int = 0) -> bytes:
    """Write the beginning of a frame whose body has `size` bytes and follows by itself."""
    return _HEAD.pack(AFTER_LENGTH + len(header) + size, kind, flags, len(header), call) + header


def frame(kind: int, call: int = 0, header: bytes = b"", body: bytes = b"", flags: int = 0) -> bytes:
    """Write a frame."""
    return _HEAD.pack(AFTER_LENGTH + len(header) + len(body), kind, flags, len(header), call) + header + body


class FrameReader:
    """Takes the bytes of one connection apart, however they are cut. What it keeps is bounded by the largest frame."""

    __slots__ = ("_kept", "_most", "_needed")

    def __init__(self, most: int = MAX_FRAME) -> None:
        self._most = most
        self._kept = bytearray()
        self._needed = HEAD

    @property
    def is_inside(self) -> bool:
        """Whether a frame has begun to come and is not whole."""
        return bool(self._kept)

    def feed(self, data: bytes | bytearray, received: Received) -> None:
        """Pass on the frames that are whole now.

        Raises:
            ProtocolError: what came is no frame; nothing more can be read from this connection.
        """
        if self._kept:
            self._kept += data
            if len(self._kept) < self._needed:
                return
            data, self._kept = self._kept, bytearray()
        at, end = 0, len(data)
        while end - at >= HEAD:
            length, kind, flags, size, call = _HEAD.unpack_from(data, at)
            if not 0 < kind <= _LAST or size > MAX_HEADER or not size + AFTER_LENGTH <= length <= self._most:
                raise ProtocolError(_what_is_wrong(length, kind, size, self._most))
            after = at + 4 + length
            if after > end:
                self._needed = 4 + length
                break
            body = at + HEAD + size
            if after - body < VIEWED_FROM:
                received(kind, flags, call, data[at + HEAD : body], data[body:after])
            else:
                received(kind, flags, call, data[at + HEAD : body], memoryview(data)[body:after])
            at = after
        else:
            self._needed = HEAD
        if at < end:
            self._kept += memoryview(data)[at:]


def _what_is_wrong(length: int, kind: int, size: int, most: int) -> str:
    if not 0 < kind <= _LAST:
        return f"a frame has the type {kind}, which csf1 does not know: is the other end no csf1, or newer?"
    if size > MAX_HEADER:
        return f"a frame has a header of {size:,} bytes: {MAX_HEADER:,} are allowed"
    if length > most:
        return f"a frame has {length:,} bytes: {most:,} are allowed"
    return f"a frame says that it has {length} bytes, and a header of {size} in it"
