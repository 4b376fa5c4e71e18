"""Segments: the files of one offline store, appended to at one end and drained from the other.

A segment is `NNNNNNNNNNNN.spool`, its number rising; a new one is begun at every opening, and once the last has reached its
size. A write that was cut short by a crash shows at the end of the last segment and is cut off at opening: nobody was told
that it is kept. Damage anywhere else is stepped over and told loudly, and the segment is kept aside as `.damaged` for whoever
wants to look: nothing here removes that.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from qiantang.kernel import observe
from qiantang.messaging.client.spool import cursor, disk, records, scanning
from qiantang.messaging.client.spool.cursor import Position
from qiantang.messaging.client.spool.slots import Slot
from qiantang.messaging.errors import UndecodableError

log = observe.BoundedLog(logging.getLogger(__name__))

SEGMENT_BYTES: Final = 16 * 1024 * 1024
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a system says when there is no room."""

_START: Final = len(scanning.MAGIC)
_sync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)
_write: Callable[[int, memoryview], int] = os.write


@dataclass(slots=True)
class Found:
    """What was there at opening: what is not drained lies between `cursor` and `end`, so many messages of each slot."""

    cursor: Position
    end: Position
    counts: Counter[Slot] = field(default_factory=Counter[Slot])


class Segments:
    """The files in one folder, which nobody else may touch. Blocking, and to be used by one thread at a time.

    `size` is how many bytes all segments hold, `damaged` how many of them could not be read since it was opened.
    """

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.size = 0
        self.damaged = 0
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._ends: dict[int, int] = {}
        self._told: set[Position] = set()
        self._spoiled: set[int] = set()
        self._number = 0
        self._active = -1
        self._unsynced = False
        self._reading: tuple[int, int] = (-1, -1)

    # -- opening -------------------------------------------------------------------------------------------------

    def open(self) -> Found:
        """Find what is there; cut off what a crash has torn. Raises OSError."""
        disk.make_folder(self._folder)
        (self._folder / f"{cursor.FILE}.writing").unlink(missing_ok=True)
        at = self._cursor()
        numbers = self._numbers(".spool")
        self._number = max([*numbers, *self._numbers(".damaged"), at.segment])
        self._spoiled = set(self._numbers(".damaged"))
        self.size = sum(self._path(number, ".damaged").stat().st_size for number in self._spoiled)
        counts: Counter[Slot] = Counter()
        for number in numbers:
            self._ends[number] = self._path(number).stat().st_size
            self.size += self._ends[number] if number not in self._spoiled else 0
            if number >= at.segment:
                start = at.offset if number == at.segment else _START
                self._count(number, start, counts, is_last=number == numbers[-1])
        last = numbers[-1] if numbers else 0
        return Found(at, max(at, Position(last, self._ends.get(last, 0))), counts)

    def _cursor(self) -> Position:
        try:
            return cursor.read(self._folder) or Position(0, 0)
        except cursor.DamagedCursorError as error:
            self._tell(
                "the cursor of an offline store is damaged: what it holds is sent from its beginning", str(error)
            )
            return Position(0, 0)

    def _numbers(self, suffix: str) -> list[int]:
        return sorted(int(file.stem) for file in self._folder.glob(f"*{suffix}") if file.stem.isdecimal())

    def _count(self, number: int, start: int, counts: Counter[Slot], *, is_last: bool) -> None:
        size = self._ends[number]
        # The magic is on disk before the first record is: where it is missing before records, no crash has done that.
        may_be_torn = is_last and (size <= _START or scanning.has_magic(self._open_to_read(number)))
        for stretch in self._scan(number, start, size):
            if may_be_torn and stretch.payload is None and stretch.after == size:
                self._cut(number, stretch.start)
            elif stretch.payload is None:
                self._spoil(number, stretch)
            else:
                try:
                    place = records.place(stretch.payload)
                    counts[place.topic, place.slot] += 1
                except UndecodableError:
                    self._spoil(number, stretch)

    def _cut(self, number: int, at: int) -> None:
        cut = self._ends[number] - at
        message = "the end of an offline store was torn by a crash and is cut off: it was not acknowledged to anybody"
        self._tell(message, f"{cut} bytes of {self._path(number)} from {at}", logging.WARNING)
        os.truncate(self._path(number), at)
        self._ends[number] = at
        self.size -= cut

    # -- appending -----------------------------------------------------------------------------------------------

    def append(self, data: bytes, *, durable: bool) -> Position:
        """Put records at the tail, all of them or none; give the new end. With `durable`, they are on disk when it returns.

        Raises OSError: the files are as they were before.
        """
        if self._active < 0 or self._ends[self._number] >= self._segment_bytes:
            self._rotate()
        before = self._ends[self._number]
        try:
            _write_all(self._active, data)
            self._unsynced = True
            if durable:
                self.sync()
        except OSError:
            self._undo(before)
            raise
        self._ends[self._number] = before + len(data)
        self.size += len(data)
        return Position(self._number, before + len(data))

    def sync(self) -> None:
        """Have on disk what was appended. Raises OSError: what was appended since the last time may not be there."""
        if self._unsynced and self._active >= 0:
            _sync(self._active)
            self._unsynced = False

    def _rotate(self) -> None:
        # What is on disk of a later segment must be on disk of an earlier one, or a crash would look like damage.
        self.sync()
        self._seal()
        self._number += 1
        path = self._path(self._number)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            _write_all(file, scanning.MAGIC)
            _sync(file)
            disk.sync_folder(self._folder)
        except OSError:
            os.close(file)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._active = file
        self._ends[self._number] = _START
        self.size += _START

    def _undo(self, before: int) -> None:
        """Take back a write that failed, and have that on disk, or a crash could bring back what its sender was refused."""
        try:
            os.ftruncate(self._active, before)
            _sync(self._active)
            self._unsynced = False
        except OSError:
            # Which bytes a file has after a failed sync nobody knows: it is not appended to any more.
            self._seal()

    def _seal(self) -> None:
        if self._active >= 0:
            os.close(self._active)
        self._active = -1
        self._unsynced = False

    # -- reading -------------------------------------------------------------------------------------------------

    def read(self, start: Position, end: Position, count: int, size: int) -> list[tuple[Position, records.Record]]:
        """Give the oldest records between two places, each with the place behind it.

        They are up to `count`, of up to `size` bytes in all, and at least one where one can be read. Raises OSError.
        """
        found: list[tuple[Position, records.Record]] = []
        for number in [one for one in self._ends if start.segment <= one <= end.segment]:
            stop = end.offset if number == end.segment else self._ends[number]
            begin = start.offset if number == start.segment else _START
            for stretch in self._scan(number, begin, stop, min(scanning.PIECE, max(size, 4096))):
                record = self._record(number, stretch)
                if record is None:
                    continue
                size -= stretch.after - stretch.start
                if found and size < 0:
                    return found
                found.append((Position(number, stretch.after), record))
                if len(found) >= count:
                    return found
        return found

    def _record(self, number: int, stretch: scanning.Stretch) -> records.Record | None:
        try:
            if stretch.payload is not None:
                return records.read(stretch.payload)
        except UndecodableError:
            pass
        self._spoil(number, stretch)
        return None

    def _scan(self, number: int, start: int, stop: int, piece: int = scanning.PIECE) -> Iterator[scanning.Stretch]:
        file = self._open_to_read(number)
        if start <= _START and stop and not scanning.has_magic(file):
            yield scanning.Stretch(0, min(stop, _START), None)
        yield from scanning.scan(file, start, stop, piece)

    def _open_to_read(self, number: int) -> int:
        if self._reading[0] != number:
            self._stop_reading()
            self._reading = (number, os.open(self._path(number), os.O_RDONLY | os.O_CLOEXEC))
        return self._reading[1]

    def _stop_reading(self) -> None:
        if self._reading[1] >= 0:
            os.close(self._reading[1])
        self._reading = (-1, -1)

    # -- draining ------------------------------------------------------------------------------------------------

    def advance(self, to: Position) -> None:
        """Note that all before a place is drained, and remove the segments that are; durable when it returns.

        Raises OSError: it is not noted, and what was drained since the last time may be drained once more after a crash.
        """
        drained = [one for one, end in self._ends.items() if one < to.segment or Position(one, end) <= to]
        try:
            cursor.write(self._folder, to)
        except OSError as error:
            if error.errno not in FULL or not drained:
                raise
            self._remove(drained)  # no room for a hundred bytes: make some
            cursor.write(self._folder, to)
        self._remove(drained)

    def _remove(self, numbers: list[int]) -> None:
        for number in [one for one in numbers if one in self._ends]:
            if number == self._number:
                self._seal()
            if number == self._reading[0]:
                self._stop_reading()
            self._path(number).unlink(missing_ok=True)
            self.size -= self._ends[number] if number not in self._spoiled else 0
            del self._ends[number]
            self._told = {place for place in self._told if place.segment != number}

    def close(self) -> None:
        """Have all on disk and close the files. Raises OSError; they are closed then as well."""
        try:
            self.sync()
        finally:
            self._seal()
            self._stop_reading()

    # -- damage --------------------------------------------------------------------------------------------------

    def _spoil(self, number: int, stretch: scanning.Stretch) -> None:
        """Tell of damage, once."""
        place = Position(number, stretch.start)
        if place in self._told:
            return
        self._told.add(place)
        if number not in self._spoiled:
            with contextlib.suppress(OSError):  # a file system without links: what was told is all that is left then
                os.link(self._path(number), self._path(number, ".damaged"))
                self._spoiled.add(number)
        self.damaged += stretch.after - stretch.start
        self._tell(
            "an offline store is damaged: messages in it cannot be read, and are kept aside",
            f"{stretch.after - stretch.start} bytes of {self._path(number)} from {stretch.start}",
        )

    def _tell(self, message: str, what: str, level: int = logging.ERROR) -> None:
        log.failure(f"{message}: {self._folder}", message, level=level, extra={"what": what})

    def _path(self, number: int, suffix: str = ".spool") -> Path:
        return self._folder / f"{number:012d}{suffix}"


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[_write(file, rest) :]
