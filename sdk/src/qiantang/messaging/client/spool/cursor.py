"""Cursor: up to where the offline store was drained, in a small file that is replaced as a whole.

One line of text: the segment's number, the offset in it, and the CRC-32 of both in hexadecimal.
"""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path
from typing import Final, NamedTuple

from qiantang.messaging.client.spool import disk

FILE: Final = "cursor"
MAX_BYTES: Final = 100


class Position(NamedTuple):
    """A place between two records: in which segment, after how many bytes of it. Later places are greater."""

    segment: int
    offset: int


class DamagedCursorError(Exception):
    """The file is there, and is no cursor."""


def read(folder: Path) -> Position | None:
    """Read the cursor; None where there is none.

    Raises:
        DamagedCursorError: it cannot be trusted: all that the store holds is to be taken as not drained.
    """
    try:
        with (folder / FILE).open("rb") as file:
            text = file.read(MAX_BYTES)
    except FileNotFoundError:
        return None
    parts = text.split()
    if len(parts) != 3 or text != _line(parts[0], parts[1]):
        raise DamagedCursorError(f"{folder / FILE} is damaged")
    return Position(int(parts[0]), int(parts[1]))


def write(folder: Path, position: Position) -> None:
    """Replace the cursor; durable when it returns. Raises OSError; the old one stands then."""
    temporary = folder / f"{FILE}.writing"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        line = _line(b"%d" % position.segment, b"%d" % position.offset)
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(folder / FILE)
    disk.sync_folder(folder)


def _line(segment: bytes, offset: bytes) -> bytes:
    numbers = b"%s %s" % (segment, offset)
    return b"%s %08x\n" % (numbers, zlib.crc32(numbers))
