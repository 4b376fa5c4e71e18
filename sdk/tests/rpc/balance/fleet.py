"""Fleets: endpoints to choose among, and calls to them in time that the test makes."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping

from qiantang.registry.model import Node
from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.picking import Picker


def address(name: str) -> str:
    return f"{name}.example:7000"


def fleet(weights: Mapping[str, int], now: float = 0.0) -> Endpoints:
    return tuple(
        Endpoint(Node(name=name, addresses={"csf1": address(name)}, weight=weight), now)
        for name, weight in weights.items()
    )


def equals(count: int) -> Endpoints:
    return fleet({f"n{number:02}": 100 for number in range(count)})


def counted(picker: Picker, endpoints: Endpoints, calls: int, key: str = "") -> Counter[str]:
    return Counter(picker.pick(endpoints, key, 0.0).node.name for _ in range(calls))


def surprise(found: Mapping[str, int], expected: Mapping[str, float]) -> float:
    """Chi-square: how far counts are from what is expected of them."""
    return sum((found.get(name, 0) - count) ** 2 / count for name, count in expected.items())


class Traffic:
    """Calls at an even rate, each answered after what `latency` says of its node, in virtual time."""

    def __init__(self, picker: Picker, endpoints: Endpoints, latency: Callable[[str], tuple[float, bool]]) -> None:
        self.picker = picker
        self.endpoints = endpoints
        self.latency = latency
        self.now = 0.0
        self._open: list[tuple[float, int, Endpoint, float, bool]] = []
        self._number = 0

    def run(self, seconds: float, rate: float) -> Counter[str]:
        picked: Counter[str] = Counter()
        for _ in range(int(seconds * rate)):
            self.now += 1 / rate
            self._settle()
            endpoint = self.picker.pick(self.endpoints, "", self.now)
            picked[endpoint.node.name] += 1
            endpoint.begin(self.now)
            took, is_fault = self.latency(endpoint.node.name)
            self._number += 1
            heapq.heappush(self._open, (self.now + took, self._number, endpoint, took, is_fault))
        return picked

    def _settle(self) -> None:
        while self._open and self._open[0][0] <= self.now:
            at, _, endpoint, took, is_fault = heapq.heappop(self._open)
            endpoint.end(took, at, is_fault=is_fault)


def chance(seed: int = 7) -> random.Random:
    return random.Random(seed)
