"""Spool: the offline store of one destination, for the event loop of its program.

A thread of its own writes and reads; what gathers while it writes goes in one write and one sync. Of the backlog nothing is in
memory but counts by slot.
"""

from __future__ import annotations

import asyncio
import logging
import urllib.parse
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

from qiantang.kernel import errors, observe
from qiantang.messaging.client.spool import records
from qiantang.messaging.client.spool.cursor import Position
from qiantang.messaging.client.spool.records import Record
from qiantang.messaging.client.spool.segments import FULL, SEGMENT_BYTES, Segments
from qiantang.messaging.client.spool.slots import Slot, Slots, slot_of
from qiantang.messaging.client.spool.writing import Append, Line
from qiantang.messaging.errors import BusClosedError, SpoolFullError
from qiantang.messaging.model import Frame

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)
log = observe.BoundedLog(logger)

MAX_BYTES: Final = 1024 * 1024 * 1024
CURSOR_SECONDS: Final = 0.2
CURSOR_RECORDS: Final = 5_000
"""How long, or for how many records, the cursor on disk may be behind: after a crash so many may be drained twice."""


class Spool:
    """The offline store of one link, in a folder that no other spool uses. Of one event loop.

    `slots` says which messages have to go here, and counts those that wait, from the call of `append` on; the spools of one
    link, its own and those that were adopted, share it. With `sync_seconds` 0, what `append` returned for outlives the
    machine; else only the process, and the machine after so many seconds. Records are taken by one task at a time.
    """

    def __init__(
        self,
        folder: Path,
        link: str,
        *,
        max_bytes: int = MAX_BYTES,
        sync_seconds: float = 0.0,
        slots: Slots | None = None,
    ) -> None:
        self.link = link
        self.slots = slots or Slots()
        self._folder = folder
        self._max_bytes = max_bytes
        self._sync_seconds = sync_seconds
        self._segments = Segments(folder, min(SEGMENT_BYTES, max(max_bytes // 8, 4096)))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"spool {link}")
        self._cursor = self._saved = self._end = Position(0, 0)
        self._kept: Counter[Slot] = Counter()
        self._taken: deque[tuple[Position, Slot]] = deque()
        self._unsaved = self._size = self._pending = 0
        self._line = Line(link, self._write)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = True

    @property
    def member(self) -> str:
        """The name of the process whose messages it holds."""
        return urllib.parse.unquote(self._folder.parent.name)

    @property
    def pending(self) -> int:
        """How many messages of this spool are to be drained still, those that are being written among them."""
        return self._pending

    @property
    def size(self) -> int:
        """How many bytes it has on disk, those that are kept aside as damaged among them."""
        return self._size

    @property
    def damaged(self) -> int:
        """How many bytes could not be read since it was opened."""
        return self._segments.damaged

    async def open(self) -> None:
        """Find what an earlier process left, and count it. Takes about a second for 150,000 messages.

        Raises:
            MisconfiguredError: the folder cannot be used.
        """
        try:
            found = await self._call(self._segments.open)
        except OSError as error:
            self._thread.shutdown(wait=False)
            raise errors.MisconfiguredError(f"the offline store {self._folder} cannot be opened: {error}") from error
        self._cursor, self._end, self._kept = found.cursor, found.end, found.counts
        self._saved, self._size = found.cursor, self._segments.size
        self._enter(found.counts)
        self._closing = False
        self._skip_to_end()

    # -- appending -----------------------------------------------------------------------------------------------

    async def append(self, frames: Sequence[Frame], *, maybe_sent: bool | Sequence[bool] = False) -> None:
        """Put messages at the tail, in their order, all or none; return once they are kept.

        Calls are kept in the order in which they were made. `maybe_sent`, for all or for each: it was handed to the
        broker before, and no answer came. Cancelled, it may have kept them or not.

        Raises:
            SpoolFullError: the disk is full, or the store has reached its bound; nothing of these messages is kept, and all
                that was before is.
            UnavailableError: the disk failed; as above.
            InvalidMessageError: one of them cannot be kept.
            BusClosedError: it is closed.
        """
        if not frames:
            return
        places = [(frame.topic, slot_of(frame.key)) for frame in frames]
        counts = Counter(places)
        self._enter(counts)  # before anything waits: what comes after must not overtake
        try:
            async with self._line.turn():
                self._check_open()
                flags = [maybe_sent] * len(frames) if isinstance(maybe_sent, bool) else maybe_sent
                append = Append(self._written(frames, places, flags), counts)
                self._line.put(append)
        except BaseException:
            self._leave(counts)
            raise
        await asyncio.shield(append.kept)

    def _written(self, frames: Sequence[Frame], places: Sequence[Slot], flags: Sequence[bool]) -> bytes:
        data = b"".join(
            records.write(Record(link=self.link, slot=slot, maybe_sent=flag, frame=frame))
            for frame, (_, slot), flag in zip(frames, places, flags, strict=True)
        )
        holds = self._size + self._line.size
        if holds + len(data) > self._max_bytes:
            raise SpoolFullError(
                f"the offline store of {self.link} in {self._folder} has {holds} bytes and may have {self._max_bytes}: "
                f"{len(frames)} messages were not taken; {self.pending - len(frames)} wait to be sent"
            )
        return data

    async def _write(self, group: Sequence[Append]) -> None:
        try:
            data = b"".join(one.data for one in group)
            self._end = await self._call(self._segments.append, data, durable=not self._sync_seconds)
        except Exception as error:
            self._refuse(group, error)
        self._size = self._segments.size
        for one in group:
            self._kept.update(one.counts)
        if self._sync_seconds:
            self._later("sync", self._sync_seconds, self._sync)

    def _refuse(self, group: Sequence[Append], error: Exception) -> NoReturn:
        for one in group:
            self._leave(one.counts)
        count = sum(one.counts.total() for one in group)
        what = f"the offline store of {self.link} in {self._folder} did not take {count} messages: {error}"
        if isinstance(error, OSError) and error.errno in FULL:
            raise SpoolFullError(what) from error
        raise errors.UnavailableError(what) from error

    # -- draining ------------------------------------------------------------------------------------------------

    async def take(self, count: int, size: int) -> list[Record]:
        """Give the oldest records that are not drained, without removing them: up to `count`, of up to `size` bytes in all.

        At least one is given, however large, where there is any that is kept; asked again before `done`, the same are.

        Raises:
            UnavailableError: the disk cannot be read; nothing is lost by that.
            BusClosedError: it is closed.
        """
        self._check_open()
        while self._kept:
            end = self._end
            try:
                found = await self._call(self._segments.read, self._cursor, end, count, size)
            except OSError as error:
                what = f"the offline store of {self.link} in {self._folder} cannot be read: {error}"
                raise errors.UnavailableError(what) from error
            if found:
                self._taken = deque((after, (one.frame.topic, one.slot)) for after, one in found)
                return [one for _, one in found]
            if end == self._end:
                self._give_up()
        return []

    async def done(self, count: int) -> None:
        """The first so many of what was taken last are drained: they are not given again, and their slots move on at once.

        On disk that is noted at most 0.2 s or 5,000 records later: after a crash what was not noted is given once more, in
        its order. Where it cannot be noted it is told in the log and tried again.

        Raises:
            BusClosedError: it is closed; they will be given again when it is opened.
        """
        self._check_open()
        if not 0 <= count <= len(self._taken):
            raise ValueError(f"{count} records cannot be done: {len(self._taken)} were taken")
        if not count:
            return
        drained = [self._taken.popleft() for _ in range(count)]
        self._cursor = drained[-1][0]
        self._gone(Counter(slot for _, slot in drained))
        self._unsaved += count
        if self._unsaved >= CURSOR_RECORDS:
            await self._save()
        else:
            self._later("cursor", CURSOR_SECONDS, self._save)

    def _enter(self, counts: Counter[Slot]) -> None:
        self._pending += counts.total()
        self.slots.enter(counts)

    def _leave(self, counts: Counter[Slot]) -> None:
        self._pending -= counts.total()
        self.slots.leave(counts)

    def _gone(self, counts: Counter[Slot]) -> None:
        self._kept -= counts
        self._leave(counts)
        self._skip_to_end()

    def _skip_to_end(self) -> None:
        """Where nothing is left, all files can go, what is damaged at their end included."""
        if not self._kept and self._cursor < self._end:
            self._cursor = self._end
            self._later("cursor", CURSOR_SECONDS, self._save)

    def _give_up(self) -> None:
        """Everything up to the end was read, and some that was counted was not found: it was damaged since it was counted."""
        what = {"messages": self._kept.total(), "folder": str(self._folder)}
        self._taken.clear()
        self._gone(Counter(self._kept))
        logger.error("messages of an offline store are lost to damage", extra=what)  # each time: never only counted

    async def _save(self) -> None:
        to, self._unsaved = self._cursor, 0
        if to == self._saved:
            return
        try:
            await self._call(self._segments.advance, to)
            self._saved, self._size = max(self._saved, to), self._segments.size
        except OSError as error:
            self._tell("an offline store cannot note what was drained", error)
            if not self._closing:
                self._later("cursor", CURSOR_SECONDS, self._save)

    async def close(self) -> None:
        """Take nothing more; return once what was appended is on disk, and up to where it was drained.

        Who drains stops before. Closing twice does nothing.
        """
        if self._closing:
            return
        self._closing = True
        for timer in self._timers.values():
            timer.cancel()
        await self._line.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._save()
        try:
            await self._call(self._segments.close)
        except OSError as error:
            self._tell("an offline store cannot be closed", error)
        self._thread.shutdown(wait=False)

    def _check_open(self) -> None:
        if self._closing:
            raise BusClosedError(f"the offline store of {self.link} is not open")

    async def _sync(self) -> None:
        try:
            await self._call(self._segments.sync)
        except OSError as error:
            self._tell("an offline store cannot have on disk what it took", error)

    def _tell(self, message: str, error: BaseException) -> None:
        log.failure(f"{message}: {self._folder}", message, error=error, extra={"folder": str(self._folder)})

    def _later(self, name: str, seconds: float, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have something done after a while, once."""
        if name not in self._timers and not self._closing:
            self._timers[name] = asyncio.get_running_loop().call_later(seconds, self._start, name, what)

    def _start(self, name: str, what: Callable[[], Coroutine[Any, Any, None]]) -> None:
        del self._timers[name]
        task = asyncio.create_task(what(), name=f"spool {self.link} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))
