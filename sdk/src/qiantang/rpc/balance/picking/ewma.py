"""Peak EWMA: the better of two by chance, by how they answer and how much they have to do."""

from __future__ import annotations

import random
from math import exp
from typing import Final

from qiantang.rpc.balance.endpoint import HEALTHY, TAU, Endpoint, Endpoints
from qiantang.rpc.balance.picking.prepared import Prepared, weighed

REDRAWS: Final = 3
TRY_AFTER: Final = 1.0
"""Seconds that one may wait to be picked before it is tried, however it answered, to learn whether it is better now."""
TRY_OF: Final = 20
"""At most one of so many calls tries: where calls are few, everybody waits long, and the worse would always be taken."""


class PeakEwma:
    """The power of two choices: two by chance, drawn anew where one is not healthy; the one with the lower load.

    Finagle's cost (`PeakEwma.scala`), with the health and the trying of go-zero's `p2c.go`.
    """

    name = "peak_ewma"

    def __init__(self, chance: random.Random) -> None:
        self._random = chance.random
        self._weighed: Prepared[Endpoints] = Prepared(lambda endpoints, _: weighed(endpoints))
        self._other: Endpoint | None = None
        self._since_tried = 0

    def pick(self, endpoints: Endpoints, key: str, now: float) -> Endpoint:
        """Give the better of two."""
        live = self._weighed.of(endpoints)
        count, draw = len(live), self._random
        if count == 1:
            self._other = None
            return live[0]
        place, apart = int(draw() * count), int(draw() * (count - 1))
        best, other = live[place], live[apart + (apart >= place)]
        if best.success <= HEALTHY or other.success <= HEALTHY:
            best, other = self._draw_again(live)
        if is_better(other, best):
            best, other = other, best
        self._since_tried += 1
        if now - other.picked_at > TRY_AFTER and self._since_tried >= TRY_OF:
            self._since_tried = 0
            best, other = other, best
        self._other = other
        return best

    def why(self, endpoints: Endpoints, chosen: Endpoint, now: float) -> str:
        """Say why."""
        other = self._other
        if other is None:
            return "it is the only one"
        if is_better(other, chosen):
            return f"tried, since it was not picked for {now - chosen.picked_at:.1f} s; {other.name} is better"
        mine, theirs = chosen.load(now), other.load(now)
        return f"a load of {mine:.6g} against {theirs:.6g} of {other.name}, which was drawn with it"

    def _draw_again(self, live: Endpoints) -> tuple[Endpoint, Endpoint]:
        draw, count = self._random, len(live)
        first = second = live[0]
        for _ in range(REDRAWS):
            place, apart = int(draw() * count), int(draw() * (count - 1))
            first, second = live[place], live[apart + (apart >= place)]
            if first.success > HEALTHY and second.success > HEALTHY:
                break
        return first, second


def is_better(one: Endpoint, other: Endpoint) -> bool:
    """Say whether one's load is lower than the other's at any moment: both decay alike, so that it needs no clock."""
    if not (one.cost and other.cost):
        return one.load(one.stamp) < other.load(other.stamp)
    left = one.cost * (one.inflight + 1) * (other.weight or 1.0)
    right = other.cost * (other.inflight + 1) * (one.weight or 1.0)
    if one.stamp < other.stamp:
        return left * exp((one.stamp - other.stamp) / TAU) < right
    return left < right * exp((other.stamp - one.stamp) / TAU)
