"""Meter: counters, gauges and histograms without a backend; whoever serves metrics reads their snapshot."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import msgspec

from qiantang.kernel.observe import fork

MAX_SERIES = 500
OTHER = "(other)"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One series at one moment. `buckets` of a histogram: upper bound and how many were at most that (cumulative)."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[tuple[str, str], ...] = ()
    value: float = 0.0
    count: int = 0
    buckets: tuple[tuple[float, int], ...] = ()


class Counter:
    """A number that only grows. Exact from any thread."""

    kind: Literal["counter"] = "counter"
    __slots__ = ("_lock", "_value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 0.0

    def add(self, amount: float = 1.0) -> None:
        """Count `amount` more; it must not be negative."""
        with self._lock:
            self._value += amount

    def read(self) -> tuple[float, int, tuple[tuple[float, int], ...]]:
        """Give value, count and buckets."""
        return self._value, 0, ()

    def forget_lock(self) -> None:
        """Take a new lock, in a fork's child: another thread may have held the old one."""
        self._lock = threading.Lock()


class Gauge:
    """A number that goes up and down: set, or read from a callable when somebody looks."""

    kind: Literal["gauge"] = "gauge"
    __slots__ = ("_source", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._source: Callable[[], float] | None = None

    def set(self, value: float) -> None:
        """Set the number."""
        self._value = value

    def follow(self, source: Callable[[], float]) -> None:
        """Read the number from `source` (cheap, from any thread) from now on."""
        self._source = source

    def read(self) -> tuple[float, int, tuple[tuple[float, int], ...]]:
        """Give value, count and buckets."""
        return (self._value if self._source is None else float(self._source())), 0, ()

    def forget_lock(self) -> None:
        """There is none."""


class Histogram:
    """How values spread over buckets, with their sum and count. Exact from any thread."""

    kind: Literal["histogram"] = "histogram"
    __slots__ = ("_bounds", "_counts", "_lock", "_sum")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = tuple(sorted(bounds))
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Count one value."""
        place = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[place] += 1
            self._sum += value

    def read(self) -> tuple[float, int, tuple[tuple[float, int], ...]]:
        """Give sum, count and cumulative buckets, of one moment."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        buckets: list[tuple[float, int]] = []
        below = 0
        for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
            below += count
            buckets.append((bound, below))
        return total, below, tuple(buckets)

    def forget_lock(self) -> None:
        """Take a new lock, in a fork's child: another thread may have held the old one."""
        self._lock = threading.Lock()


Instrument = Counter | Gauge | Histogram
I = TypeVar("I", bound=Instrument)  # noqa: E741


class _Family:
    __slots__ = ("kind", "labels", "meaning", "series")

    def __init__(self, kind: type[Instrument], meaning: str, labels: tuple[str, ...]) -> None:
        self.kind = kind
        self.meaning = meaning
        self.labels = labels
        self.series: dict[tuple[str, ...], Instrument] = {}


class Meter:
    """Hands out instruments by name and labels, the same one each time; keep what you got where it is hot.

    A name has one kind and one set of label names. Beyond 500 label sets a name's newcomers share one, "(other)".
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._families: dict[str, _Family] = {}
        fork.remember(self)

    def counter(self, name: str, meaning: str, **labels: str) -> Counter:
        """Give a counter."""
        return self._get(Counter, name, meaning, labels, Counter)

    def gauge(self, name: str, meaning: str, **labels: str) -> Gauge:
        """Give a gauge."""
        return self._get(Gauge, name, meaning, labels, Gauge)

    def histogram(self, name: str, meaning: str, bounds: Sequence[float] = SECONDS, **labels: str) -> Histogram:
        """Give a histogram; `bounds` count for a new one."""
        return self._get(Histogram, name, meaning, labels, lambda: Histogram(bounds))

    def snapshot(self) -> list[Series]:
        """Give every series as it is now, in order of name and labels."""
        with self._lock:
            found = [
                (name, family, values, instrument)
                for name, family in sorted(self._families.items())
                for values, instrument in sorted(family.series.items())
            ]
        return [_series(name, family, values, instrument) for name, family, values, instrument in found]

    def forget_locks(self) -> None:
        """Make the meter usable in a fork's child; the counts go on from the parent's."""
        self._lock = threading.Lock()
        for family in self._families.values():
            for instrument in family.series.values():
                instrument.forget_lock()

    def _get(self, kind: type[I], name: str, meaning: str, labels: dict[str, str], make: Callable[[], I]) -> I:
        names = tuple(sorted(labels))
        values = tuple(labels[label] for label in names)
        with self._lock:
            family = self._families.get(name)
            if family is None:
                if not _NAME.fullmatch(name):
                    raise ValueError(f"{name!r} is not a name of a metric")
                family = self._families[name] = _Family(kind, meaning, names)
            if family.kind is not kind or family.labels != names:
                raise ValueError(f"{name} is a {family.kind.kind} with labels {family.labels} already")
            if values not in family.series and len(family.series) >= MAX_SERIES:
                values = (OTHER,) * len(names)
            instrument = family.series.get(values)
            if instrument is None:
                instrument = family.series[values] = make()
        return instrument  # type: ignore[return-value]  # the family's kind was compared


def _series(name: str, family: _Family, values: tuple[str, ...], instrument: Instrument) -> Series:
    value, count, buckets = instrument.read()
    return Series(
        name=name,
        kind=instrument.kind,
        meaning=family.meaning,
        labels=tuple(zip(family.labels, values, strict=True)),
        value=value,
        count=count,
        buckets=buckets,
    )


METER = Meter()
"""The process's meter: what the sdk counts."""
