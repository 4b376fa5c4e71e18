"""Endpoint: a node as one process sees it: what it is said to be, and how it has answered lately."""

from __future__ import annotations

import math
from typing import Final, TypeAlias

from qiantang.registry.model import Node

TAU: Final = 10.0
"""Seconds in which what was observed loses two thirds of what it counts."""
HEALTHY: Final = 0.5
"""An endpoint of which a smaller share of answers succeeds is not healthy."""
PENALTY: Final = 1e6
"""Load of an endpoint that has not answered yet and is being asked: the next call goes elsewhere."""


def key_of(microservice: str, node: str) -> str:
    """Give what a node is known by among those of all microservices, in whose names there is no slash."""
    return f"{microservice}/{node}"


class Endpoint:
    """Of one node. Times in seconds of a monotonic clock.

    `cost` is a latency that jumps up with a slow answer and decays to what is usual (peak EWMA, Finagle's `PeakEwma.scala`);
    `success` is the share of answers that were none of the node's faults, which forgets at the same pace (go-zero's `p2c.go`).
    `weight` is the node's, or less of it while it starts slowly. `first_seen` is when this process first saw it ready.

    Names of nodes are unique within a microservice alone: `key` tells those of all apart, `name` is what people read.
    """

    __slots__ = (
        "cost",
        "first_seen",
        "inflight",
        "key",
        "microservice",
        "name",
        "node",
        "picked_at",
        "stamp",
        "success",
        "weight",
    )

    def __init__(self, node: Node, now: float, microservice: str = "") -> None:
        self.node = node
        self.microservice = microservice
        self.key = key_of(microservice, node.name)
        self.name = self.key.removeprefix("/")
        self.inflight = 0
        self._begin_anew(now)

    @property
    def is_healthy(self) -> bool:
        """Whether it answers more often than not."""
        return self.success > HEALTHY

    def update(self, node: Node, now: float) -> None:
        """Take what the registry says of the node now: one that started again, or became ready, begins anew.

        When that was is taken from when it was seen here. A provider's clock is only compared with itself, so it may be wrong.
        """
        before, self.node = self.node, node
        restarted = node.started_at != before.started_at
        if restarted or (node.state == "ready" and before.state != "ready"):
            self._begin_anew(now)
        elif node.weight != before.weight:
            self.weight = float(node.weight)

    def begin(self, now: float) -> None:
        """A call is sent to it; `end` follows."""
        self.inflight += 1
        self.picked_at = now

    def end(self, took: float, now: float, *, is_fault: bool) -> None:
        """A call of it ended; `is_fault` where the node is to blame.

        A fault that came quickly must not look fast: give the time that the call had where it is longer than what it took.
        """
        self.inflight -= 1
        weight = math.exp(-max(0.0, now - self.stamp) / TAU)
        self.cost = took if took > self.cost else self.cost * weight + took * (1 - weight)
        self.success = self.success * weight + (0.0 if is_fault else 1.0) * (1 - weight)
        self.stamp = now

    def load(self, now: float) -> float:
        """Seconds that one more call can expect, for its weight. What was observed long ago has decayed, and is not changed."""
        if self.cost == 0.0:
            return PENALTY + self.inflight if self.inflight else 0.0
        decayed = self.cost * math.exp((self.stamp - now) / TAU)
        return decayed * (self.inflight + 1) / (self.weight or 1.0)

    def _begin_anew(self, now: float) -> None:
        self.first_seen = self.stamp = self.picked_at = now
        self.weight = float(self.node.weight)
        self.cost = 0.0
        self.success = 1.0


Endpoints: TypeAlias = tuple[Endpoint, ...]
"""What is picked from. A tuple stands for its endpoints and their weights: when a weight changes there must be a new tuple."""
