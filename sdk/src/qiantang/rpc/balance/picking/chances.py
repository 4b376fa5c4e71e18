"""Chances: random, and weighted random."""

from __future__ import annotations

import bisect
import itertools
import random

from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.picking.prepared import Prepared, weighed, weights


class Random:
    """Any of them, whatever they weigh."""

    name = "random"

    def __init__(self, chance: random.Random) -> None:
        self._random = chance.random
        self._weighed: Prepared[Endpoints] = Prepared(lambda endpoints, _: weighed(endpoints))

    def pick(self, endpoints: Endpoints, key: str, now: float) -> Endpoint:
        """Give one."""
        live = self._weighed.of(endpoints)
        return live[int(self._random() * len(live))]

    def why(self, endpoints: Endpoints, chosen: Endpoint, now: float) -> str:
        """Say why."""
        return f"by chance: 1 of {len(self._weighed.of(endpoints))}"


class Wheel:
    """Endpoints, each with a part of the whole as large as its weight."""

    __slots__ = ("_ends", "_last", "endpoints", "total")

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        self._ends = list(itertools.accumulate(weights(endpoints)))
        self._last = len(endpoints) - 1
        self.total = self._ends[-1]

    def at(self, place: float) -> Endpoint:
        """Give the one at a place from 0 to below 1 of the whole."""
        return self.endpoints[bisect.bisect_right(self._ends, place * self.total, 0, self._last)]


class WeightedRandom:
    """Any of them, with the chance that it weighs."""

    name = "weighted_random"

    def __init__(self, chance: random.Random) -> None:
        self._random = chance.random
        self._wheels: Prepared[Wheel] = Prepared(lambda endpoints, _: Wheel(weighed(endpoints)))

    def pick(self, endpoints: Endpoints, key: str, now: float) -> Endpoint:
        """Give one."""
        return self._wheels.of(endpoints).at(self._random())

    def why(self, endpoints: Endpoints, chosen: Endpoint, now: float) -> str:
        """Say why."""
        return f"by chance: {(chosen.weight or 1.0) / self._wheels.of(endpoints).total:.1%} of the calls"
