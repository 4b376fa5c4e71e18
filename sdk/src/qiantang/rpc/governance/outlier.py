"""Outlier: a node that does worse than its siblings gets no calls for a while.

Envoy's outlier detection (`outlier_detection.proto`): consecutive faults at once; success rate and failure percentage each
interval; ejected for the base time times how often it was, up to a cap, with jitter. Departures: 30 % of the nodes at most
instead of 10 %; the multiplier falls with each clean interval; never so many that no node is left; and in panic nobody is out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection
from typing import Final

from qiantang.rpc.governance.verdict import Outcome
from qiantang.rpc.model.rules import OutlierRule

_CANCELLED: Final = Outcome.CANCELLED
_OVERLOAD: Final = Outcome.OVERLOAD


class _Host:
    __slots__ = ("calls", "faults", "local", "out", "row", "times", "until")

    def __init__(self) -> None:
        self.calls = self.faults = self.row = self.local = self.times = 0
        self.out = False
        self.until = 0.0


class Outliers:
    """The nodes of one service, as one process finds them.

    `leave` counts how a call ended; `sweep` is called about once a second and judges when an interval is over. `panic`: so many are
    out, or were unhealthy otherwise, that health is no guide any more.
    """

    __slots__ = ("_chance", "_hosts", "_next", "_out", "panic", "settings")

    def __init__(self, settings: OutlierRule, chance: random.Random) -> None:
        self.settings = settings
        self._chance = chance
        self._hosts: dict[str, _Host] = {}
        self._next = -math.inf
        self._out = 0
        self.panic = False

    def configure(self, settings: OutlierRule) -> None:
        """Take other thresholds; what was counted stays, and who is out stays out as long as he was to."""
        self.settings = settings

    def follow(self, nodes: Collection[str]) -> None:
        """Take the nodes that there are now. Are too many of them out then, those come in again whose time ends first."""
        self._hosts = {node: self._hosts.get(node) or _Host() for node in nodes}
        out = sorted((host for host in self._hosts.values() if host.out), key=lambda host: host.until)
        self._out = len(out)
        for host in out[: max(0, len(out) - self._most())]:
            self._let_in(host)

    def leave(self, now: float, node: str, outcome: int, *, is_local: bool = False) -> None:
        """Count how a call to a node ended; `is_local` where it never got there, as when it cannot be connected to."""
        host = self._hosts.get(node)
        if host is None or outcome == _CANCELLED:
            return
        host.calls += 1
        if outcome <= _OVERLOAD:
            host.row = host.local = 0
            return
        self._fault(now, host, is_local)

    def is_out(self, node: str) -> bool:
        """Say whether a node gets no calls."""
        if not self._out or self.panic or self.settings.mode != "enforce":
            return False
        host = self._hosts.get(node)
        return host is not None and host.out

    def ejected(self) -> frozenset[str]:
        """Give the nodes that are out, be it in panic or in shadow."""
        return frozenset(node for node, host in self._hosts.items() if host.out)

    def sweep(self, now: float, healthy: int | None = None) -> None:
        """Let in whose time is over, and judge when an interval is. `healthy`: nodes that are well by what others found."""
        for host in self._hosts.values():
            if host.out and now >= host.until:
                self._let_in(host)
        if now >= self._next:
            self._next = now + self.settings.interval
            self._judge(now)
        inside = len(self._hosts) - self._out if healthy is None else healthy
        self.panic = inside < self.settings.panic * len(self._hosts)

    def _fault(self, now: float, host: _Host, is_local: bool) -> None:
        host.faults += 1
        settings = self.settings
        if is_local:
            host.local += 1
            limit, row = settings.consecutive_local, host.local
        else:
            host.row += 1
            limit, row = settings.consecutive, host.row
        if limit and row >= limit:
            self._eject(now, host)

    def _let_in(self, host: _Host) -> None:
        host.out, host.row, host.local = False, 0, 0
        self._out -= 1

    def _most(self) -> int:
        nodes = len(self._hosts)
        return min(max(1, int(self.settings.most * nodes)), nodes - 1) if self.settings.most else 0

    def _eject(self, now: float, host: _Host) -> None:
        if host.out or self._out >= self._most() or self.settings.mode == "off":
            return
        host.out = True
        host.times += 1
        host.row = host.local = 0
        self._out += 1
        span = min(self.settings.longest_ejection, self.settings.ejection * host.times)
        host.until = now + span * (1 + self.settings.jitter * self._chance.random())

    def _judge(self, now: float) -> None:
        judged = [host for host in self._hosts.values() if not host.out]
        guilty = self._below(judged) + self._failing(judged)
        for host in judged:
            if host.times and not host.faults:
                host.times -= 1
            host_is_guilty = host in guilty
            host.calls, host.faults = 0, 0
            if host_is_guilty:
                self._eject(now, host)

    def _below(self, hosts: list[_Host]) -> list[_Host]:
        settings = self.settings
        rates = [(1 - host.faults / host.calls, host) for host in hosts if host.calls >= settings.success_calls]
        if not settings.success_deviations or len(rates) < settings.success_nodes:
            return []
        mean = math.fsum(rate for rate, _ in rates) / len(rates)
        deviation = math.sqrt(math.fsum((rate - mean) ** 2 for rate, _ in rates) / len(rates))
        return [host for rate, host in rates if rate < mean - settings.success_deviations * deviation - 1e-9]

    def _failing(self, hosts: list[_Host]) -> list[_Host]:
        share = self.settings.failure_share
        enough = [host for host in hosts if host.calls >= self.settings.failure_calls]
        return [host for host in enough if share and host.faults >= share * host.calls]
