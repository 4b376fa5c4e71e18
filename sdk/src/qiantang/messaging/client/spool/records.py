"""Records: one message as it lies in the offline store.

On disk a record is `length (4 bytes) | checksum (4 bytes) | payload`, numbers little-endian. The checksum is the CRC-32 of the
payload, begun with the length in place of 0, so that a length is not believed either. The payload is a msgpack array; later
versions may add to its end, and what they add is not read here. Fixed by golden bytes in the tests. No record is empty: eight
zero bytes, which a file system may leave behind a crash, are none.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec

from qiantang.messaging.client.spool.slots import NO_KEY, SLOTS
from qiantang.messaging.errors import InvalidMessageError, UndecodableError
from qiantang.messaging.model import Frame

HEAD: Final = struct.Struct("<II")
"""Length of the payload, and checksum."""
MAX_PAYLOAD: Final = 80 * 1024 * 1024
"""Above any topic's largest body with its headers: a length beyond it is damage, and is not read into memory."""

_Slot = Annotated[int, msgspec.Meta(ge=NO_KEY, lt=SLOTS)]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A message that is kept for a link ("cluster/resource").

    `slot` is the slot of its key, -1 without a key. `maybe_sent` says that it was handed to the broker before, without an
    answer; what is taken from a store that was opened anew may have been sent as well, whatever it says.
    """

    link: str
    slot: int
    maybe_sent: bool
    frame: Frame


class Place(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of a payload: enough to count it."""

    link: str
    slot: _Slot
    maybe_sent: bool
    topic: str


class _Written(msgspec.Struct, array_like=True, gc=False):
    """The payload. Its fields keep this order on disk.

    What is the frame's is given back as it was, not checked: what could be written but not read again would be lost.
    """

    link: str
    slot: _Slot
    maybe_sent: bool
    topic: str
    id: Any
    body: Any
    tag: Any
    key: Any
    priority: Any
    deliver_at: Any
    expires_at: Any
    text: Any
    binary: Any
    queue: Any


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Written)
_places = msgspec.msgpack.Decoder(Place)


def write(record: Record) -> bytes:
    """Write a record as it goes to disk.

    Raises:
        InvalidMessageError: a field of the frame is of a kind that cannot be kept, or all of it is too large.
    """
    frame = record.frame
    try:
        # The order of _Written. A tuple of what is there costs less than a struct to write it from.
        payload = _encoder.encode(
            (
                record.link,
                record.slot,
                record.maybe_sent,
                frame.topic,
                frame.id,
                frame.body,
                frame.tag,
                frame.key,
                frame.priority,
                frame.deliver_at,
                frame.expires_at,
                frame.text,
                frame.binary,
                frame.queue,
            )
        )
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise InvalidMessageError(f"message {str(frame.id)[:64]!r} cannot be kept offline: {error}") from error
    length = len(payload)
    if length > MAX_PAYLOAD:
        raise InvalidMessageError(f"message {frame.id[:64]!r} has {length} bytes, too many to be kept offline")
    return HEAD.pack(length, zlib.crc32(payload, length)) + payload


def split(data: bytes) -> Iterator[bytes]:
    """Give the payloads of the whole records that data begins with, up to the first that is damaged or not all there."""
    at, size = 0, len(data)
    while at + HEAD.size <= size:
        length, checksum = HEAD.unpack_from(data, at)
        begin = at + HEAD.size
        at = begin + length
        payload = data[begin:at]
        if not 0 < length <= MAX_PAYLOAD or at > size or zlib.crc32(payload, length) != checksum:
            return
        yield payload


def read(payload: bytes) -> Record:
    """Read a payload whose checksum is right.

    Raises:
        UndecodableError: it was written by something else.
    """
    try:
        found = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UndecodableError(f"a record of the offline store cannot be read: {error}") from error
    frame = Frame(
        topic=found.topic,
        id=found.id,
        body=found.body,
        tag=found.tag,
        key=found.key,
        priority=found.priority,
        deliver_at=found.deliver_at,
        expires_at=found.expires_at,
        text=found.text,
        binary=found.binary,
        queue=found.queue,
    )
    return Record(link=found.link, slot=found.slot, maybe_sent=found.maybe_sent, frame=frame)


def place(payload: bytes) -> Place:
    """Read the beginning of a payload whose checksum is right.

    Raises:
        UndecodableError: it was written by something else.
    """
    try:
        return _places.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UndecodableError(f"a record of the offline store cannot be read: {error}") from error
