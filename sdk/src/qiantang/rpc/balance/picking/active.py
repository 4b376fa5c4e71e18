"""Active: who has the fewest calls in flight."""

from __future__ import annotations

import random
from typing import Final

from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.picking.chances import Wheel
from qiantang.rpc.balance.picking.prepared import Prepared, weighed

FEW: Final = 8
"""Of so many all are looked at; of more, two by chance, which is nearly as good and costs the same for any number."""


class LeastActive:
    """The fewest calls in flight for its weight; among equals by chance, as they weigh."""

    name = "least_active"

    def __init__(self, chance: random.Random) -> None:
        self._random = chance.random
        self._weighed: Prepared[Endpoints] = Prepared(lambda endpoints, _: weighed(endpoints))
        self._other: Endpoint | None = None

    def pick(self, endpoints: Endpoints, key: str, now: float) -> Endpoint:
        """Give it."""
        live = self._weighed.of(endpoints)
        if len(live) <= FEW:
            self._other = None
            return self._least(live)
        draw, count = self._random, len(live)
        place, apart = int(draw() * count), int(draw() * (count - 1))
        best, other = live[place], live[apart + (apart >= place)]
        mine, theirs = best.inflight * (other.weight or 1.0), other.inflight * (best.weight or 1.0)
        if theirs < mine or (theirs == mine and draw() * (best.weight + other.weight) >= best.weight):
            best, other = other, best
        self._other = other
        return best

    def why(self, endpoints: Endpoints, chosen: Endpoint, now: float) -> str:
        """Say why."""
        other = self._other
        whom = "all" if other is None else f"it and {other.name}, which were drawn"
        return f"{chosen.inflight} calls in flight at weight {chosen.weight:g} are the fewest of {whom}"

    def _least(self, live: Endpoints) -> Endpoint:
        figures = [one.inflight / (one.weight or 1.0) for one in live]
        fewest = min(figures)
        if figures.count(fewest) == 1:
            return live[figures.index(fewest)]
        equal = tuple([one for one, figure in zip(live, figures, strict=True) if figure == fewest])
        return Wheel(equal).at(self._random())
