"""Incoming: what comes over one connection: messages and confirms are taken out here, and all else goes on to the library.

That takes a message apart frame by frame, in tasks and through queues, which costs several times what everything else does.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol, SupportsIndex

from pamqp.header import ContentHeader

LIMIT: Final = 256 * 1024
"""Bytes that wait for the library before reading stops."""
QUIET_SECONDS: Final = 1.0
_METHOD, _HEADER, _BODY, _END = 1, 2, 3, 0xCE
_KINDS: Final = frozenset({1, 2, 3, 8})
_DELIVER, _RETURN, _ACK, _NACK = (60, 60), (60, 50), (60, 80), (60, 120)
_HEARTBEAT: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
_OURS: Final = 8192 | 4096 | 2048 | 128
"""The properties that `frames.published` writes: headers, delivery mode, priority, message id."""

_frame = struct.Struct(">BHI")
_two = struct.Struct(">HH")
_content = struct.Struct(">QH")
_long = struct.Struct(">I")
_number = struct.Struct(">Q")
_number_and_bits = struct.Struct(">QB")


class Content(NamedTuple):
    """A message as it came: its headers by their kind, its id, and its body."""

    text: dict[str, str]
    binary: dict[str, bytes]
    id: str
    body: bytes


class Taker(Protocol):
    """What a channel is told."""

    def delivered(self, number: int, content: Content) -> None:
        """Take a message, with the number of its delivery."""
        ...

    def returned(self, content: Content) -> None:
        """Hear that no queue wants a message that was published, which is confirmed next."""
        ...

    def confirmed(self, number: int, *, multiple: bool, accepted: bool) -> None:
        """Hear that a message was taken, or not; with `multiple`, all before it that were not confirmed as well."""
        ...


class _Coming:
    """A message of which not all frames are here. `number` is 0 of one that is returned."""

    __slots__ = ("binary", "id", "left", "number", "parts", "text")

    def __init__(self, number: int) -> None:
        self.number = number
        self.text: dict[str, str] = {}
        self.binary: dict[str, bytes] = {}
        self.id = ""
        self.left = -1
        self.parts: list[bytes] = []


class Incoming(asyncio.StreamReader):
    """Of one connection; `takers` are its channels by their numbers. Those that are not among them are the library's alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=LIMIT, loop=loop)
        self.takers: dict[int, Taker] = {}
        self._clock = loop.time
        self._waiting = bytearray()
        self._coming: dict[int, _Coming] = {}
        self._passed = 0.0
        self._strange = False

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        if self._strange:
            super().feed_data(data)
            return
        waiting = self._waiting
        waiting.extend(data)
        passed: list[bytes] = []
        start = 0
        while len(waiting) - start >= 8:
            kind, channel, size = _frame.unpack_from(waiting, start)
            end = start + 8 + size
            if kind not in _KINDS:  # the server speaks something else, or nonsense: the library says so
                self._strange = True
                passed.append(bytes(waiting[start:]))
                start = len(waiting)
                break
            if len(waiting) < end:
                break
            if waiting[end - 1] != _END or not self._take(kind, channel, bytes(waiting[start + 7 : end - 1])):
                passed.append(bytes(waiting[start:end]))
            start = end
        del waiting[:start]
        self._pass(passed)

    def feed_eof(self) -> None:
        if self._waiting:
            super().feed_data(bytes(self._waiting))
            self._waiting.clear()
        super().feed_eof()

    def _pass(self, passed: list[bytes]) -> None:
        """Give the library what is its own; now and then a heartbeat, so that it knows that the connection lives."""
        now = self._clock()
        if not passed and now - self._passed > QUIET_SECONDS:
            passed = [_HEARTBEAT]
        if passed:
            self._passed = now
            super().feed_data(b"".join(passed))

    def _take(self, kind: int, channel: int, payload: bytes) -> bool:
        """Take a frame, if it is one of those that are taken here."""
        if kind == _METHOD:
            taker = self.takers.get(channel)
            return taker is not None and self._method(channel, taker, payload)
        coming = self._coming.get(channel)
        if coming is None:
            return False
        if kind == _HEADER:
            coming.left, coming.text, coming.binary, coming.id = header(payload)
        else:
            coming.parts.append(payload)
            coming.left -= len(payload)
        if coming.left <= 0:
            del self._coming[channel]
            self._complete(self.takers[channel], coming)
        return True

    def _method(self, channel: int, taker: Taker, payload: bytes) -> bool:
        method = _two.unpack_from(payload)
        if method == _DELIVER:
            self._coming[channel] = _Coming(_number.unpack_from(payload, 5 + payload[4])[0])
        elif method == _RETURN:
            self._coming[channel] = _Coming(0)
        elif method in (_ACK, _NACK):
            number, bits = _number_and_bits.unpack_from(payload, 4)
            taker.confirmed(number, multiple=bool(bits & 1), accepted=method == _ACK)
        else:
            return False
        return True

    def _complete(self, taker: Taker, coming: _Coming) -> None:
        body = coming.parts[0] if len(coming.parts) == 1 else b"".join(coming.parts)
        content = Content(coming.text, coming.binary, coming.id, body)
        if coming.number:
            taker.delivered(coming.number, content)
        else:
            taker.returned(content)


def header(payload: bytes) -> tuple[int, dict[str, str], dict[str, bytes], str]:
    """Read the header of a message: the size of its body, its headers by their kind, and its id."""
    size, flags = _content.unpack_from(payload, 4)
    if flags == _OURS:
        end = 18 + _long.unpack_from(payload, 14)[0]
        read = _table(payload, 18, end)
        if read is not None:
            # behind the headers: delivery mode, priority, and the id with its length
            return size, *read, payload[end + 3 : end + 3 + payload[end + 2]].decode()
    other = ContentHeader()
    other.unmarshal(payload)
    headers: Mapping[str, Any] = other.properties.headers or {}
    return size, *_parted(headers), other.properties.message_id or ""


def _table(payload: bytes, at: int, end: int) -> tuple[dict[str, str], dict[str, bytes]] | None:
    """Read headers that are text and bytes alone; None where others are among them."""
    text: dict[str, str] = {}
    binary: dict[str, bytes] = {}
    while at < end:
        start = at + 1 + payload[at]
        name = payload[at + 1 : start].decode()
        kind = payload[start]
        at = start + 5 + _long.unpack_from(payload, start + 1)[0]
        value = payload[start + 5 : at]
        if kind == 0x53:  # S
            try:
                text[name] = value.decode()
            except UnicodeDecodeError:
                binary[name] = value
        elif kind == 0x78:  # x
            binary[name] = value
        else:
            return None
    return text, binary


def _parted(headers: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, bytes]]:
    """Part headers by their kind; those of other programs may be of any."""
    text: dict[str, str] = {}
    binary: dict[str, bytes] = {}
    for name, value in headers.items():
        if isinstance(value, str):
            text[name] = value
        elif isinstance(value, bytes | bytearray):
            binary[name] = bytes(value)
        elif value is not None:
            text[name] = str(value)
    return text, binary
