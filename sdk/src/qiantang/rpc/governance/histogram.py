"""Histogram: how long calls take, exact to about 6 %, in two hundred counts.

Buckets in powers of two, each in eight parts (as HdrHistogram with three bits). The meter's histogram has thirteen bounds for
people's graphs and a lock; this one gives percentiles, is merged by adding and fades, and is recorded to within a call.
"""

from __future__ import annotations

from typing import Final

PARTS: Final = 8
OCTAVES: Final = 28
SIZE: Final = PARTS * (OCTAVES - 2)
LONGEST: Final = (1 << OCTAVES) - 1
"""Microseconds, about four and a half minutes: what takes longer counts as that."""


class Histogram:
    """Latencies in seconds."""

    __slots__ = ("_counts", "count")

    def __init__(self) -> None:
        self._counts = [0] * SIZE
        self.count = 0

    def record(self, took: float) -> None:
        """Count a latency."""
        value = int(took * 1e6)
        if value < PARTS:
            place = value if value > 0 else 0
        elif value > LONGEST:
            place = SIZE - 1
        else:
            shift = value.bit_length() - 4
            place = (shift << 3) + (value >> shift)
        self._counts[place] += 1
        self.count += 1

    def quantile(self, share: float) -> float:
        """Give the latency that this share of the calls did not exceed, the middle of its bucket; 0 where there were none."""
        wanted = share * self.count
        below = 0
        for place, count in enumerate(self._counts):
            below += count
            if count and below >= wanted:
                return _middle(place)
        return 0.0

    def add(self, other: Histogram) -> None:
        """Add what another one counted."""
        self._counts = [mine + its for mine, its in zip(self._counts, other._counts, strict=True)]
        self.count += other.count

    def fade(self) -> None:
        """Halve all, so that what was long ago counts ever less."""
        self._counts = [count >> 1 for count in self._counts]
        self.count = sum(self._counts)

    def buckets(self) -> list[tuple[float, int]]:
        """Give what was counted, as upper bound in seconds and how many, without the empty ones."""
        return [(_lower(place + 1) / 1e6, count) for place, count in enumerate(self._counts) if count]


def _lower(place: int) -> int:
    if place < 2 * PARTS:
        return place
    shift = (place >> 3) - 1
    return (place - (shift << 3)) << shift


def _middle(place: int) -> float:
    return (_lower(place) + _lower(place + 1) - 1) / 2e6
