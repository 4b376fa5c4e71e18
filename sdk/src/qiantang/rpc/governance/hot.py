"""Hot: how often one value of an argument may be called with, and which values come most often.

As Sentinel's `ParamFlowChecker.java`: a bucket for each value, the values that were not seen for longest are forgotten. All that is
kept of a value is a number (see `qiantang.kernel.rate`) and its name, or a hash of it where that is long.
"""

from __future__ import annotations

import hashlib
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
    """Which values come most often: Space-Saving (Metwally et al. 2005), in a fixed number of counters, one step for each value.

    A count is too high by at most the count of the rarest counter, which is at most what came divided by the number of
    counters; every value that came more often than that is among them.
    """

    __slots__ = ("_by_count", "_counts", "_least", "_size")

    def __init__(self, size: int = COUNTERS) -> None:
        self._size = size
        self._counts: dict[str, int] = {}
        self._by_count: dict[int, dict[str, None]] = {}
        self._least = 0

    def count(self, key: str) -> None:
        """Count a value."""
        count = self._counts.get(key)
        if count is None:
            count = self._room()
        else:
            self._drop(key, count)
        self._counts[key] = count + 1
        self._by_count.setdefault(count + 1, {})[key] = None
        if not count or self._least not in self._by_count:
            self._least = count + 1

    def most(self, number: int = 10) -> list[tuple[str, int]]:
        """Give the values that came most often and how often at most, the first ones first."""
        return sorted(self._counts.items(), key=lambda one: (-one[1], one[0]))[:number]

    def error(self) -> int:
        """Give by how much a count can be too high."""
        return self._least if len(self._counts) == self._size else 0

    def _room(self) -> int:
        """Give the count to begin from: 0, or that of the rarest, whose place is taken."""
        if len(self._counts) < self._size:
            return 0
        least = self._least
        rarest = next(iter(self._by_count[least]))
        del self._counts[rarest]
        self._drop(rarest, least)
        return least

    def _drop(self, key: str, count: int) -> None:
        same = self._by_count[count]
        del same[key]
        if not same:
            del self._by_count[count]


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

    def _of(self, key: str) -> Rate | None:
        return self._exceptions.get(key, self._rate) if self._exceptions else self._rate

    def _wait(self, now: float, key: str) -> float:
        rate = self._of(key)
        return rate.wait(self._paid.get(key, 0.0), now) if rate is not None else float("inf")

    def _take(self, now: float, key: str) -> None:
        rate = self._of(key)
        if rate is not None:
            paid = self._paid
            before = paid.pop(key, 0.0)  # and in again at the end: the first one is that which was not seen for longest
            while len(paid) >= self._capacity:
                del paid[next(iter(paid))]
            paid[key] = rate.take(before, now, 1)

    def _refuse(self, key: str, wait: float) -> Refusal | None:
        if self._mode == "shadow":
            self.would_refuse += 1
            return None
        return Refusal("limit", self.rule, "too many calls with one value", 0.0 if wait == float("inf") else wait)
