"""Slow start: a node that has just become ready takes a growing part of its weight, while its caches and connections fill."""

from __future__ import annotations

from typing import Annotated

import msgspec

from qiantang.kernel import wire
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints


class SlowStart(wire.Command, frozen=True):
    """How a node begins (Envoy's formula): `weight * max(least_percent, (age / window) ** (1 / aggression))`.

    The age counts from when this process first saw the node ready, so a client that starts sees all of them begin together,
    and shares its calls as ever.
    """

    window: Annotated[
        float,
        msgspec.Meta(ge=0, le=3600, description="seconds until a node takes its whole weight; 0 takes it at once"),
    ] = 60.0
    aggression: Annotated[
        float,
        msgspec.Meta(gt=0, le=10, description="1 grows evenly; more grows faster at first, less grows slower at first"),
    ] = 1.0
    least_percent: Annotated[
        float, msgspec.Meta(gt=0, le=100, description="percent of its weight that a node takes from the beginning")
    ] = 10.0

    def weight(self, endpoint: Endpoint, now: float) -> float:
        """Give what the endpoint's weight is now."""
        age = max(now - endpoint.first_seen, 1.0)
        if age >= self.window:
            return float(endpoint.node.weight)
        share = max(self.least_percent / 100, (age / self.window) ** (1 / self.aggression))
        return endpoint.node.weight * share

    def apply(self, endpoints: Endpoints, now: float) -> Endpoints:
        """Set all weights; gives a new tuple where one of them changed, else the same."""
        changed = False
        for endpoint in endpoints:
            weight = self.weight(endpoint, now)
            changed = changed or weight != endpoint.weight
            endpoint.weight = weight
        return (*endpoints,) if changed else endpoints
