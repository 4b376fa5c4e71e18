"""Parking in memory: what waits for another attempt where there is no store. Pure but for the clock, which comes in.

Nothing of it outlives the process, so the broker is not told that these messages are done: they come again, with what was done
after them, and their attempts are counted from one. That is why only so many may wait before fetching stops.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from qiantang.messaging.model import Taken
from qiantang.messaging.port import Parked, Waiting

MOST: Final = 1000
MOST_BYTES: Final = 32 * 1024 * 1024


@dataclass(slots=True)
class _Entry:
    number: int
    waiting: Waiting
    given: bool = False

    @property
    def lane(self) -> tuple[str, str]:
        return self.waiting.taken.queue, self.waiting.key


class MemoryParking:
    """Of one receiver; `now` gives seconds since 1970."""

    durable = False

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self._entries: dict[int, _Entry] = {}
        self._lanes: dict[tuple[str, str], deque[int]] = {}
        self._ready: list[tuple[float, int]] = []
        self._bytes = 0

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._entries)

    @property
    def next_due(self) -> float:
        while self._ready and not self._is_ready(*self._ready[0]):
            heapq.heappop(self._ready)
        return self._ready[0][0] if self._ready else math.inf

    @property
    def is_full(self) -> bool:
        return len(self._entries) >= MOST or self._bytes >= MOST_BYTES

    async def own(self, holds: Mapping[str, int]) -> Mapping[str, Mapping[str, int]]:
        return {queue: {} for queue in holds}

    def forget(self, queue: str) -> None:
        for entry in [one for one in self._entries.values() if one.waiting.taken.queue == queue]:
            self._remove(entry)

    async def put(self, waiting: Sequence[Waiting]) -> Sequence[Waiting]:
        for one in waiting:
            entry = _Entry(next(self._numbers), one)
            self._entries[entry.number] = entry
            self._bytes += one.taken.frame.size
            if one.key:
                lane = self._lanes.setdefault(entry.lane, deque())
                lane.append(entry.number)
                if lane[0] != entry.number:
                    continue  # its turn comes once those before it are done
            heapq.heappush(self._ready, (one.due, entry.number))
        return ()

    async def due(self, count: int) -> list[Taken]:
        found: list[Taken] = []
        now = self._now()
        while len(found) < count and self.next_due <= now:
            entry = self._entries[heapq.heappop(self._ready)[1]]
            entry.given = True
            one = entry.waiting
            handle = Parked(entry.number, one.key, one.taken)
            found.append(msgspec.structs.replace(one.taken, handle=handle, attempt=one.attempt))
        return found

    async def settle(self, done: Sequence[Taken], back: Sequence[Taken], later: Sequence[Waiting]) -> None:
        for one in done:
            if (entry := self._entries.get(one.handle.number)) is not None:
                self._remove(entry)
        again = [(one.handle.number, None) for one in back] + [(one.taken.handle.number, one) for one in later]
        for number, waiting in again:
            if (entry := self._entries.get(number)) is None:
                continue
            entry.given = False
            if waiting is not None:
                entry.waiting.due, entry.waiting.attempt = waiting.due, waiting.attempt
            heapq.heappush(self._ready, (entry.waiting.due, number))

    def _is_ready(self, due: float, number: int) -> bool:
        entry = self._entries.get(number)
        return entry is not None and not entry.given and entry.waiting.due == due

    def _remove(self, entry: _Entry) -> None:
        del self._entries[entry.number]
        self._bytes -= entry.waiting.taken.frame.size
        lane = self._lanes.get(entry.lane)
        if lane is None:
            return
        was_first = lane[0] == entry.number
        lane.remove(entry.number)
        if not lane:
            del self._lanes[entry.lane]
        elif was_first:
            heapq.heappush(self._ready, (self._entries[lane[0]].waiting.due, lane[0]))
