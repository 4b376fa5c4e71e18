"""Partitions: what one consumer holds of a broker that settles by position, what it has read, and up to where that is done. Pure.

Under one lock, for adapters where a thread of its own reads and the loop consumes.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from qiantang.messaging.model import Taken, bands
from qiantang.messaging.model.message import DEFAULT_PRIORITY
from qiantang.messaging.model.ranking import PRIORITIES, order_of
from qiantang.messaging.model.watermark import Watermark

_holds = itertools.count(1)
"""Over all consumers of the process: one that leaves and comes again is not taken for what it was."""

Place = tuple[str, int]
"""A topic as the broker names it, and the number of a partition."""


@dataclass(slots=True, eq=False)
class Partition:
    """One partition, under the hold that this consumer has of it.

    `out` is how many of its messages are in hand. `committed` is what the broker was told last. One that is leaving gives nothing
    more; a lost one is another's.
    """

    place: Place
    band: str
    hold: int
    mark: Watermark | None = None
    read: int = -1
    committed: int = -1
    out: int = 0
    leaving: bool = False
    lost: bool = False
    queue: str = field(init=False)
    """Its name as a physical queue."""

    def __post_init__(self) -> None:
        self.queue = bands.queue_of(self.band, self.place[1])

    def begin(self, offset: int) -> None:
        """Read from here on: what is before it is done, and the broker knows that."""
        self.mark, self.read, self.committed = Watermark(offset), offset, offset

    def skip(self, offset: int) -> None:
        """Note that nothing is to be read before an offset: what has no message there is done."""
        if self.mark is not None and offset > self.read:
            self.mark.skip(self.read, offset)
            self.read = offset

    def take(self, offset: int) -> None:
        """Note a message that was read. Offsets without one (markers of transactions, what was compacted) are done."""
        if self.mark is None:
            self.begin(offset)
        self.skip(offset)
        self.read = offset + 1


class Partitions:
    """All that one consumer holds."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self._held: dict[Place, Partition] = {}
        self._come: list[deque[Taken]] = [deque() for _ in PRIORITIES]
        self._back: list[Taken] = []
        self._looks = 0
        self._waiting: dict[str, int] = dict.fromkeys(bands.BANDS, 0)
        self.waiting_bytes = 0
        """About how many bytes were read and not fetched."""

    def waiting(self, band: str) -> int:
        """Count the messages of a band that were read and not fetched."""
        return self._waiting[band]

    @property
    def holds(self) -> dict[str, int]:
        """The queues that are held, with the numbers of their holds."""
        with self.lock:
            return {one.queue: one.hold for one in self._held.values()}

    def held(self) -> list[Partition]:
        """Give what is held."""
        with self.lock:
            return list(self._held.values())

    # -- by the thread that polls ------------------------------------------------------------------------

    def assign(self, places: Iterable[tuple[Place, str]]) -> None:
        """Hold more partitions, each with its band."""
        with self.lock:
            for place, band in places:
                self._held[place] = Partition(place, band, next(_holds))

    def find(self, place: Place) -> Partition | None:
        """Find a partition that is held."""
        return self._held.get(place)

    def come(self, taken: Sequence[Taken]) -> None:
        """Take what was read, in the order of its partitions; what was given up meanwhile is left out."""
        with self.lock:
            for one in taken:
                partition: Partition = one.handle
                if partition.leaving:
                    continue
                partition.take(one.position)
                # whatever its priority, what stands in the topic itself keeps its order
                self._come[one.frame.priority if partition.band else DEFAULT_PRIORITY].append(one)
                self._waiting[partition.band] += 1
                self.waiting_bytes += one.frame.size

    def leave(self, places: Iterable[Place]) -> list[Partition]:
        """Give nothing more of some partitions; give them: what is in hand of them may still be settled."""
        with self.lock:
            leaving = [one for place in places if (one := self._held.get(place)) is not None]
            for one in leaving:
                one.leaving = True
            self._drop()
            return leaving

    def wait_for(self, leaving: Sequence[Partition], seconds: float) -> bool:
        """Wait until nothing is in hand of them; say whether that is so. Blocks."""
        with self.lock:
            return self.lock.wait_for(lambda: not any(one.out for one in leaving), seconds)

    def lose(self, some: Iterable[Partition]) -> None:
        """Hold them no more."""
        with self.lock:
            for one in some:
                one.lost = one.leaving = True
                if self._held.get(one.place) is one:
                    del self._held[one.place]
            self._drop()

    def moved(self, places: Iterable[Place] | None = None) -> list[tuple[Place, int]]:
        """Give up to where partitions are done whose mark moved, all or some of them; it counts as told."""
        found: list[tuple[Place, int]] = []
        with self.lock:
            for place in self._held if places is None else places:
                one = self._held.get(place)
                if one is not None and one.mark is not None and one.mark.settled != one.committed:
                    one.committed = one.mark.settled
                    found.append((place, one.committed))
        return found

    def untell(self, places: Iterable[Place]) -> None:
        """What was said to the broker of these did not reach it: it is said again."""
        with self.lock:
            for place in places:
                if (one := self._held.get(place)) is not None:
                    one.committed = -1

    # -- by the loop -------------------------------------------------------------------------------------

    def fetch(self, count: int, size: int) -> list[Taken]:
        """Give what was read: first what was given back, then the highest priority, but for every eighth time."""
        with self.lock:
            found, self._back = self._back[:count], self._back[count:]
            self._looks += 1
            for waiting in (self._come[priority] for priority in order_of(self._looks)):
                while waiting and len(found) < count and size > 0:
                    one = waiting.popleft()
                    self._waiting[one.handle.band] -= 1
                    size -= one.frame.size
                    self.waiting_bytes -= one.frame.size
                    found.append(one)
            for one in found:
                one.handle.out += 1
            self.lock.notify_all()
        return found

    def done(self, some: Iterable[Taken]) -> None:
        """Finish messages."""
        with self.lock:
            for one in some:
                partition: Partition = one.handle
                partition.out -= 1
                if partition.mark is not None and not partition.lost:
                    partition.mark.done(one.position)
            self.lock.notify_all()

    def back(self, some: Iterable[Taken]) -> None:
        """Take messages back that were not worked on."""
        with self.lock:
            for one in some:
                one.handle.out -= 1
                if not one.handle.leaving:
                    self._back.append(one)
            self._back.sort(key=lambda one: (one.queue, one.position))
            self.lock.notify_all()

    def _drop(self) -> None:
        self._back = [one for one in self._back if not one.handle.leaving]
        for priority, waiting in enumerate(self._come):
            gone = [one for one in waiting if one.handle.leaving]
            if gone:
                self._come[priority] = deque(one for one in waiting if not one.handle.leaving)
            for one in gone:
                self._waiting[one.handle.band] -= 1
                self.waiting_bytes -= one.frame.size
