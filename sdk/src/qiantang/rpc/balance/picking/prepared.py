"""Prepared: what a picker works out of a tuple of endpoints once, and keeps while that tuple is picked from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from qiantang.rpc.balance.endpoint import Endpoints

T = TypeVar("T")
MOST_KEPT: Final = 32
"""Tuples that one picker knows at once: as many as routes choose between at a time. The oldest is forgotten first."""


class Prepared(Generic[T]):
    """Gives what `make` made of a tuple; asked again with the very same one, at the price of one comparison.

    `make` also gets what it had made of the same endpoints before, else what was used last, so that a turn goes on where it was.
    """

    def __init__(self, make: Callable[[Endpoints, T | None], T]) -> None:
        self._make = make
        self._kept: dict[Endpoints, tuple[Endpoints, T]] = {}
        self._seen: Endpoints | None = None
        self._value: T | None = None

    def of(self, endpoints: Endpoints) -> T:
        """Give what was made of them."""
        if endpoints is self._seen and self._value is not None:
            return self._value
        return self._find(endpoints)

    def _find(self, endpoints: Endpoints) -> T:
        seen, value = self._kept.get(endpoints, (None, self._value))
        if seen is not endpoints or value is None:
            value = self._make(endpoints, value)
            self._keep(endpoints, value)
        self._seen, self._value = endpoints, value
        return value

    def _keep(self, endpoints: Endpoints, value: T) -> None:
        self._kept.pop(endpoints, None)
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[endpoints] = (endpoints, value)


def weighed(endpoints: Endpoints) -> Endpoints:
    """Leave out what weighs nothing, unless nothing weighs anything."""
    kept = tuple([one for one in endpoints if one.weight > 0])
    return (endpoints if len(kept) == len(endpoints) else kept) or endpoints


def weights(endpoints: Endpoints) -> list[float]:
    """Give their weights; all are equal where nothing weighs anything."""
    return [one.weight or 1.0 for one in endpoints]
