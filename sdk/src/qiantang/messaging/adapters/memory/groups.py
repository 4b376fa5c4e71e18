"""Groups: what one group of an in-memory topic has yet to finish. Pure: time comes in, nothing waits here.

Frames wait in order of priority, then of arrival. In an ordered group a key is in the hands of one member at a time: all
that the member holds of it is in order, the next member gets it once nothing of it is held, and while its first frame waits
to be tried again the whole key waits.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from qiantang.messaging.model import Frame


@dataclass(slots=True, eq=False)
class Entry:
    """A frame that waits for a group, or is held by one of its members."""

    frame: Frame
    number: int
    queue: str
    position: int
    due: float
    attempt: int = 1
    member: str = ""
    blocked: bool = False

    @property
    def rank(self) -> tuple[int, int]:
        """Where it stands among those that wait."""
        return (-self.frame.priority, self.number)


@dataclass(slots=True)
class _Key:
    """The frames of one key of an ordered group that are not finished, first to last, and who has hold of it."""

    waiting: list[Entry] = field(default_factory=list[Entry])
    held: set[int] = field(default_factory=set[int])
    owner: str = ""


class Group:
    """One group."""

    def __init__(self, *, ordered: bool = False, tags: Collection[str] = ()) -> None:
        self.ordered = ordered
        self.tags = frozenset(tags)
        self._asked: dict[str, frozenset[str]] = {}
        self._ready: list[tuple[tuple[int, int], Entry]] = []
        self._later: list[tuple[float, int, bool, Entry]] = []
        """By time: whether it stands in its key already, which waits with it, or comes in then."""
        self._keys: dict[str, _Key] = {}
        self._held: dict[int, Entry] = {}
        self._cancelled: dict[int, str] = {}
        self._unfinished: Counter[str] = Counter()

    def unfinished(self, first: int = 0) -> int:
        """Count the frames that it has not finished, of the queues from a number on."""
        found = sum(count for queue, count in self._unfinished.items() if int(queue) >= first)
        return found - sum(int(queue) >= first for queue in self._cancelled.values())

    @property
    def in_flight(self) -> int:
        """How many its members hold."""
        return len(self._held)

    def oldest(self, now: float) -> float:
        """Since when the oldest frame that may be delivered has waited, in seconds; 0 where none does."""
        dues = [entry.due for _, entry in self._ready]
        dues += [entry.due for key in self._keys.values() for entry in key.waiting[:1]]
        dues += [entry.due for entry in self._held.values()]
        return max(0.0, now - min(dues)) if dues else 0.0

    def add(self, entry: Entry, now: float) -> None:
        """Take a new frame in."""
        if self.tags and entry.frame.tag not in self.tags:
            return
        self._unfinished[entry.queue] += 1
        if entry.due > now:
            heapq.heappush(self._later, (entry.due, entry.number, False, entry))
        else:
            self._wait(entry)

    def next_due(self) -> float | None:
        """When the next frame that is held back may be delivered."""
        return self._later[0][0] if self._later else None

    def ask(self, member: str, queues: Collection[str]) -> None:
        """Have a member get only what lies in these queues, and nobody else that who does not ask for them; of none, all."""
        if queues:
            self._asked[member] = frozenset(queues)
        else:
            self._asked.pop(member, None)

    def _may(self, member: str, queue: str) -> bool:
        if member in self._asked:
            return queue in self._asked[member]
        return not any(queue in asked for asked in self._asked.values())

    def take(self, member: str, count: int, size: int, now: float) -> list[Entry]:
        """Give a member up to so many frames, of about so many bytes; what has expired is finished unseen."""
        self._ripen(now)
        taken: list[Entry] = []
        for entry in self._candidates(member, now):
            taken.append(entry)
            size -= entry.frame.size
            if len(taken) >= count or size <= 0:
                break
        return taken

    def done(self, numbers: Iterable[int]) -> None:
        """Finish frames."""
        for number in numbers:
            entry = self._held.pop(number, None)
            if entry is not None:
                self._release(entry)
                self._unfinished[entry.queue] -= 1

    def back(self, numbers: Iterable[int]) -> None:
        """Have frames wait again in their old places, their attempts not counted."""
        for number in numbers:
            self._again(number, counted=0)

    def later(self, number: int, due: float) -> None:
        """Have a frame come again, counted; in an ordered group its key waits with it."""
        self._again(number, counted=1, due=due)

    def drop(self, member: str) -> None:
        """Take back all that a member holds; each counts as tried, for it may have been what ended the member."""
        for number in [number for number, entry in self._held.items() if entry.member == member]:
            self._again(number, counted=1)

    def cancel(self, id: str, now: float) -> bool:
        """Take back a frame that is held back still."""
        for due, number, _, entry in self._later:
            if entry.frame.id == id and due > now and number not in self._cancelled:
                self._cancelled[number] = entry.queue
                return True
        return False

    # -- inside ------------------------------------------------------------------------------------------

    def _wait(self, entry: Entry) -> None:
        if entry.number in self._cancelled:
            del self._cancelled[entry.number]
            self._unfinished[entry.queue] -= 1
        elif self.ordered and entry.frame.key:
            key = self._keys.setdefault(entry.frame.key, _Key())
            place = len(key.waiting)
            while place and key.waiting[place - 1].number > entry.number:
                place -= 1
            key.waiting.insert(place, entry)
            if place == 0:
                self._offer(key)
        else:
            self._offer_entry(entry)

    def _offer(self, key: _Key) -> None:
        """Put the first frame of a key among those that can be taken; the others come after it."""
        if key.waiting:
            self._offer_entry(key.waiting[0])

    def _offer_entry(self, entry: Entry) -> None:
        if entry.blocked:
            placed = self.ordered and bool(entry.frame.key)
            heapq.heappush(self._later, (entry.due, entry.number, placed, entry))
        else:
            heapq.heappush(self._ready, (entry.rank, entry))

    def _ripen(self, now: float) -> None:
        """Have those wait for a member whose time has come."""
        while self._later and self._later[0][0] <= now:
            due, _, placed, entry = heapq.heappop(self._later)
            if not placed:
                entry.blocked = False
                self._wait(entry)
            elif entry.blocked and entry.due == due:  # else it was offered more than once, and this is done already
                entry.blocked = False
                key = self._keys.get(entry.frame.key)
                if key is not None and key.waiting and key.waiting[0] is entry:
                    self._offer_entry(entry)

    def _candidates(self, member: str, now: float) -> Iterator[Entry]:
        """Give what the member may have, best first, each held by it as soon as it is given."""
        passed: list[Entry] = []
        try:
            while self._ready:
                entry = heapq.heappop(self._ready)[1]
                keyed = self.ordered and bool(entry.frame.key)
                key = self._keys.get(entry.frame.key) if keyed else None
                if keyed and not (key is not None and key.waiting and key.waiting[0] is entry):
                    continue  # an older one came back before it, or it was offered twice and is held or finished by now
                if not self._may(member, entry.queue) or (key is not None and key.held and key.owner != member):
                    passed.append(entry)
                    continue
                if key is not None:
                    key.waiting.pop(0)
                    self._offer(key)
                if 0 < entry.frame.expires_at <= now * 1000:
                    self._release(entry)
                    self._unfinished[entry.queue] -= 1
                    continue
                self._hold(entry, member)
                yield entry
        finally:
            for one in passed:
                self._offer_entry(one)

    def _hold(self, entry: Entry, member: str) -> None:
        entry.member = member
        self._held[entry.number] = entry
        key = self._keys.get(entry.frame.key) if self.ordered else None
        if key is not None:
            key.held.add(entry.number)
            key.owner = member

    def _release(self, entry: Entry) -> None:
        key = self._keys.get(entry.frame.key) if self.ordered else None
        if key is not None:
            key.held.discard(entry.number)
            if not key.held and not key.waiting:
                del self._keys[entry.frame.key]

    def _again(self, number: int, *, counted: int, due: float = 0.0) -> None:
        entry = self._held.pop(number, None)
        if entry is None:
            return
        keyed = self.ordered and bool(entry.frame.key)
        if keyed:
            self._keys[entry.frame.key].held.discard(number)
        entry.member = ""
        entry.attempt += counted
        if due:
            entry.due, entry.blocked = due, True
        if due and not keyed:
            self._offer_entry(entry)
        else:
            self._wait(entry)
