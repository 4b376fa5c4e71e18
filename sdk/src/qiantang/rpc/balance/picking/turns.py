"""Turns: round robin, and the smooth weighted one of nginx."""

from __future__ import annotations

import random

from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.picking.prepared import Prepared, weighed, weights


class _Row:
    __slots__ = ("endpoints", "last")

    def __init__(self, endpoints: Endpoints, last: int) -> None:
        self.endpoints = endpoints
        self.last = last


class RoundRobin:
    """One after the other, whatever they weigh. Begins with one by chance, lest all clients begin with the same."""

    name = "round_robin"

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._rows: Prepared[_Row] = Prepared(self._row)

    def pick(self, endpoints: Endpoints, key: str, now: float) -> Endpoint:
        """Give the next."""
        row = self._rows.of(endpoints)
        row.last = (row.last + 1) % len(row.endpoints)
        return row.endpoints[row.last]

    def why(self, endpoints: Endpoints, chosen: Endpoint, now: float) -> str:
        """Say why."""
        row = self._rows.of(endpoints)
        return f"its turn: number {row.last + 1} of {len(row.endpoints)}"

    def _row(self, endpoints: Endpoints, before: _Row | None) -> _Row:
        row = weighed(endpoints)
        last = before.endpoints[before.last] if before is not None else None
        return _Row(row, row.index(last) if last in row else self._chance.randrange(len(row)))


class _Smooth:
    __slots__ = ("current", "endpoints", "total", "weights")

    def __init__(self, endpoints: Endpoints, before: _Smooth | None) -> None:
        self.endpoints = endpoints
        self.weights = weights(endpoints)
        self.total = sum(self.weights)
        self.current = [0.0] * len(endpoints)
        if before is not None:
            self._go_on(before)

    def _go_on(self, before: _Smooth) -> None:
        # scaled to what all weigh now: a great weight that is gone or became small must not leave the others turns ahead
        scale = self.total / before.total
        held = dict(zip(before.endpoints, before.current, strict=True))
        self.current = [held.get(one, 0.0) * scale for one in self.endpoints]


class WeightedRoundRobin:
    """Each as often as it weighs, as evenly spread as can be: nginx's smooth weighted round robin."""

    name = "weighted_round_robin"

    def __init__(self, chance: random.Random) -> None:
        self._states: Prepared[_Smooth] = Prepared(lambda endpoints, before: _Smooth(weighed(endpoints), before))

    def pick(self, endpoints: Endpoints, key: str, now: float) -> Endpoint:
        """Add its weight to each, take the one that has most, and take all the weights from it."""
        state = self._states.of(endpoints)
        current = state.current
        best, most = 0, float("-inf")
        for index, weight in enumerate(state.weights):
            has = current[index] = current[index] + weight
            if has > most:
                best, most = index, has
        current[best] = most - state.total
        return state.endpoints[best]

    def why(self, endpoints: Endpoints, chosen: Endpoint, now: float) -> str:
        """Say why."""
        total = self._states.of(endpoints).total
        return f"its turn: it takes {chosen.weight or 1.0:g} of every {total:g} calls, evenly spread"
