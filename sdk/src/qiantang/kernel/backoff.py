"""Backoff: the pause before the next attempt of what goes on failing."""

from __future__ import annotations

import random
from typing import Final

_chance: Final = random.Random()  # noqa: S311 -- spreads what would otherwise come together; nobody gains by guessing it


class Backoff:
    """Pauses in seconds, the first after the first failure, each twice as long as the one before, up to the longest.

    Each is more or less by chance, by at most its `spread`th part, so that many who failed together do not come back together.
    """

    def __init__(self, first: float, longest: float, *, spread: float = 0.5) -> None:
        self._first = first
        self._longest = longest
        self._spread = spread
        self._pause = first

    def next(self) -> float:
        """Give the pause after another failure."""
        pause, self._pause = self._pause, min(self._longest, self._pause * 2)
        return pause * (1 + self._spread * (2 * _chance.random() - 1))

    def reset(self) -> None:
        """Begin anew: an attempt went well."""
        self._pause = self._first
