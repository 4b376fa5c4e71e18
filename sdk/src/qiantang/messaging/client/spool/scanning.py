"""Scanning: the records of one segment file, one after the other, a bounded piece of it in memory at a time.

Where a record is damaged but its length is not, the next one is found behind it; where there is no whole record either, the
rest of the segment cannot be read: records have no marks by which they could be found again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from qiantang.messaging.client.spool import records

MAGIC: Final = b"QTSPOOL\x01"
"""What a segment begins with: what it is, and its format."""
PIECE: Final = 256 * 1024
"""How many bytes are read at a time."""


class Stretch(NamedTuple):
    """A part of a segment, from one offset to another: a record's payload, or None where there is damage."""

    start: int
    after: int
    payload: bytes | None


def has_magic(file: int) -> bool:
    """Say whether a file is a segment of this format."""
    return os.pread(file, len(MAGIC), 0) == MAGIC


def scan(file: int, start: int, stop: int, piece: int = PIECE) -> Iterator[Stretch]:
    """Give what lies between two offsets, the first of them a record's beginning; without gaps. Raises OSError."""
    at = start
    while at < stop:
        begun = at
        for payload in records.split(os.pread(file, min(piece, stop - at), at)):
            after = at + records.HEAD.size + len(payload)
            yield Stretch(at, after, payload)
            at = after
        if at == begun:  # it is larger than a piece, or damaged
            payload = _record(file, at, stop)
            after = _beyond(file, at, stop) if payload is None else at + records.HEAD.size + len(payload)
            yield Stretch(at, after, payload)
            at = after


def _record(file: int, at: int, stop: int) -> bytes | None:
    """Give the payload of the record that begins there; None where none that is whole does."""
    size = _size(file, at, stop)
    return next(records.split(os.pread(file, size, at)), None) if size else None


def _beyond(file: int, at: int, stop: int) -> int:
    """Give where reading goes on behind a damaged record: at the next whole one, else at the end."""
    after = at + _size(file, at, stop)
    return after if after > at and _record(file, after, stop) is not None else stop


def _size(file: int, at: int, stop: int) -> int:
    """Give the size of the record that is said to begin there; 0 where none of that size can."""
    head = os.pread(file, records.HEAD.size, at)
    if len(head) < records.HEAD.size:
        return 0
    length: int = records.HEAD.unpack(head)[0]
    size = records.HEAD.size + length
    return size if 0 < length <= records.MAX_PAYLOAD and at + size <= stop else 0
