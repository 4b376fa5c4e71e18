"""Hot: how often one value of an argument may be called with, and which values come most often.

As Sentinel's `ParamFlowChecker.java`: a bucket for each value, the values that were not seen for longest are forgotten. All that is
kept of a value is a number (see `qiantang.kernel.rate`) and its name, or a hash of it where that is long.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from typing import Final

from qiantang.kernel.rate import Rate
from qiantang.rpc.governance.limits import NOTHING
from qiantang.rpc.governance.verdict import Refusal
from qiantang.rpc.model.rules import HotRule

LONGEST_VALUE: Final = 64
COUNTERS: Final = 100
_SIMPLE: Final = (str, int, float, bool, type(None))


def key_of(value: object) -> str:
    """Give what stands for a value: itself as text, or a hash of it where that has more than 64 bytes."""
    text = value if type(value) is str else str(value) if isinstance(value, _SIMPLE) else repr(value)
    if len(text) <= 16 or len(text.encode(errors="replace")) <= LONGEST_VALUE:
        return text
    return "#" + hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


class Top:
    """Which values come most often: Space-Saving (Metwally et al. 2005), in a fixed number of counters.

    A count is too high by at most the count of the rarest counter, which is at most what came divided by the number of counters;
    every value that came more often than that is among them. A value that is among them costs one step; for another one the rarest
    makes room, found in a heap whose counts are brought up to date only there.
    """

    __slots__ = ("_counts", "_heap", "_size")

    def __init__(self, size: int = COUNTERS) -> None:
        self._size = size
        self._counts: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def count(self, key: str) -> None:
        """Count a value."""
        counts = self._counts
        if key in counts:
            counts[key] += 1
        elif len(counts) < self._size:
            counts[key] = 1
            heapq.heappush(self._heap, (1, key))
        else:
            self._replace_rarest(key)

    def most(self, number: int = 10) -> list[tuple[str, int]]:
        """Give the values that came most often and how often at most, the first ones first."""
        return sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))[:number]

    def error(self) -> int:
        """Give by how much a count can be too high."""
        return min(self._counts.values()) if len(self._counts) == self._size else 0

    def _replace_rarest(self, key: str) -> None:
        counts, heap = self._counts, self._heap
        seen, rarest = heap[0]
        while counts[rarest] != seen:
            heapq.heapreplace(heap, (counts[rarest], rarest))
            seen, rarest = heap[0]
        del counts[rarest]
        counts[key] = seen + 1
        heapq.heapreplace(heap, (seen + 1, key))


class HotParameter:
    """So many calls a second with one value of an argument. A collection is let in when each of its elements is."""

    __slots__ = ("_capacity", "_exceptions", "_mode", "_paid", "_rate", "rule", "top", "would_refuse")

    def __init__(self, rule: str, settings: HotRule) -> None:
        self.rule = rule
        self.top = Top()
        self.would_refuse = 0
        self._paid: dict[str, float] = {}
        self.configure(settings)

    def configure(self, settings: HotRule) -> None:
        """Take other rates; what was taken stays taken."""
        self._rate = Rate(settings.per_second, settings.burst)
        self._exceptions = {
            key_of(value): Rate(rate, settings.burst) if rate else None for value, rate in settings.exceptions.items()
        }
        self._capacity = settings.capacity
        self._mode = settings.mode

    def enter(self, now: float, value: object) -> Refusal | None:
        """Let a call with this value in, or refuse it. Nothing is to be left afterwards."""
        if self._mode == "off":
            return None
        if type(value) in {list, tuple, set, frozenset}:
            return self._each(now, {key_of(one) for one in value})  # type: ignore[attr-defined]
        key = value if type(value) is str and len(value) <= 16 else key_of(value)
        self.top.count(key)
        wait = self._wait(now, key)
        if wait > NOTHING:
            return self._refuse(key, wait)
        self._take(now, key)
        return None

    def __len__(self) -> int:
        return len(self._paid)

    def _each(self, now: float, keys: set[str]) -> Refusal | None:
        for key in keys:
            self.top.count(key)
        late = [(wait, key) for key in keys if (wait := self._wait(now, key)) > NOTHING]
        if late:
            wait, key = max(late)
            return self._refuse(key, wait)
        for key in keys:
            self._take(now, key)
        return None

    def _wait(self, now: float, key: str) -> float:
        rate = self._exceptions.get(key, self._rate) if self._exceptions else self._rate
        return rate.wait(self._paid.get(key, -math.inf), now) if rate is not None else math.inf

    def _take(self, now: float, key: str) -> None:
        rate = self._exceptions.get(key, self._rate) if self._exceptions else self._rate
        if rate is None:
            return  # in shadow
        paid = self._paid
        before = paid.pop(key, -math.inf)  # and in again at the end: the first one is that which was let in longest ago
        while len(paid) >= self._capacity:
            del paid[next(iter(paid))]
        paid[key] = rate.take(before, now, 1)

    def _refuse(self, key: str, wait: float) -> Refusal | None:
        if self._mode == "shadow":
            self.would_refuse += 1
            return None
        return Refusal("limit", self.rule, "too many calls with one value", 0.0 if wait == math.inf else wait)
