"""Routing: which broker of a topic takes a message.

Messages of a key always go to the same broker while the brokers are the same, by rendezvous hashing (Thaler and Ravishankar,
1996), so that a broker that comes or goes moves only the keys that it gains or loses. The others take turns by weight, smoothly
(the algorithm of nginx's upstream module), of which a broker that is slow or fails takes less.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from qiantang.messaging.model import Frame


@dataclass(frozen=True, slots=True)
class Route:
    """One broker that a topic lies on. `health` is what it should take of its weight just now, from 0.01 to 1."""

    cluster: str
    resource: str
    weight: int = 1
    health: float = field(default=1.0, compare=False)


class Router(Protocol):
    """Chooses a broker, and with `frame.queue` a physical queue, for each frame of a topic. An application may bring its own."""

    def choose(self, frame: Frame, routes: Sequence[Route]) -> Route:
        """Give one of the routes; there is at least one, and all can take messages."""
        ...


class BalancedRouter:
    """By key where there is one, whatever its broker's health; else in turns by weight and health."""

    def __init__(self) -> None:
        self._credit: dict[Route, float] = {}

    def choose(self, frame: Frame, routes: Sequence[Route]) -> Route:
        if len(routes) == 1:
            return routes[0]
        if frame.key:
            return max(routes, key=lambda route: _score(route, frame.key))
        total = 0.0
        best: Any = None
        for route in routes:
            share = route.weight * route.health
            self._credit[route] = self._credit.get(route, 0.0) + share
            total += share
            if best is None or self._credit[route] > self._credit[best]:
                best = route
        self._credit[best] -= total
        return best


def _score(route: Route, key: str) -> float:
    """Weigh a route for a key: weighted rendezvous, -w / ln(h) with h between 0 and 1."""
    drawn = zlib.crc32(f"{route.cluster}/{route.resource}/{key}".encode())
    drawn = (drawn * 0x9E3779B1) & 0xFFFFFFFF
    share = (drawn + 1) / (1 << 32)
    return -route.weight / math.log(share) if share < 1 else math.inf
