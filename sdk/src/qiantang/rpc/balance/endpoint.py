"""Endpoint: a node as one process sees it: what it is said to be, and how it has answered lately."""

from __future__ import annotations

import math
from typing import Final

from qiantang.registry.model import Node

TAU: Final = 10.0
"""Seconds in which what was observed loses two thirds of what it counts."""


class Endpoint:
    """Of one node. Times in seconds of a monotonic clock.

    `cost` is a latency that jumps up with a slow answer and decays to what is usual (peak EWMA, Finagle's `PeakEwma.scala`);
    `success` is the share of answers that were none of the node's faults, which forgets at the same pace (go-zero's `p2c.go`).
    """

    __slots__ = ("cost", "first_seen", "inflight", "node", "picked_at", "stamp", "success")

    def __init__(self, node: Node, now: float) -> None:
        self.node = node
        self.first_seen = now
        self.inflight = 0
        self.cost = 0.0
        self.stamp = now
        self.success = 1.0
        self.picked_at = now

    def begin(self, now: float) -> None:
        """A call is sent to it; `end` follows."""
        self.inflight += 1
        self.picked_at = now

    def end(self, took: float, now: float, *, is_fault: bool) -> None:
        """A call of it ended; `is_fault` where the node is to blame."""
        self.inflight -= 1
        weight = self._observe(took, now)
        self.success = self.success * weight + (0.0 if is_fault else 1.0) * (1 - weight)

    def settle(self, now: float) -> None:
        """Let the cost decay up to now."""
        self._observe(0.0, now)

    def _observe(self, took: float, now: float) -> float:
        weight = math.exp(-max(0.0, now - self.stamp) / TAU)
        self.cost = took if took > self.cost else self.cost * weight + took * (1 - weight)
        self.stamp = now
        return weight
