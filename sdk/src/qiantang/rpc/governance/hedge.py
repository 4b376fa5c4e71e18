"""Hedge: when the first node takes long, a second one is asked, and the first answer counts.

gRPC's proposal A6 and Kitex' backup request: after the latency that most calls stay below, never sooner than a floor, at most
so many under way, idempotent methods alone. Each draws from the budget of retries, so that slow times do not double the load.
"""

from __future__ import annotations

import math
from typing import Final

from qiantang.rpc.governance.histogram import Histogram
from qiantang.rpc.governance.retry import Budget
from qiantang.rpc.governance.verdict import Outcome, Ticket
from qiantang.rpc.model.rules import HedgeRule

REFRESH: Final = 1.0
FADE: Final = 10.0


class Hedge:
    """Of one method. `leave` records latencies, `delay` says when to ask the next node, `draw` whether that may be then."""

    __slots__ = ("_budget", "_delay", "_fades", "_histogram", "_next", "rule", "settings")

    def __init__(self, rule: str, settings: HedgeRule, budget: Budget) -> None:
        self.rule = rule
        self._budget = budget
        self._histogram = Histogram()
        self._next = self._fades = -math.inf
        self._delay = math.inf
        self.configure(settings)

    def configure(self, settings: HedgeRule) -> None:
        """Take other numbers; what was measured stays."""
        self.settings = settings
        self._next = -math.inf

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """Measure an attempt that was answered; what was given up or failed says nothing of how long answers take. One that lost to
        an attempt that began after it took at least as long as until then: told as answered, slow nodes are not forgotten.
        """
        if outcome <= Outcome.BUSINESS:
            self._histogram.record(now - ticket.begun)

    def delay(self, now: float) -> float:
        """Give the seconds after which to ask another node; infinite while too little was measured."""
        if now >= self._next:
            self._next = now + REFRESH
            self._measure(now)
        return self._delay

    def draw(self, now: float, ticket: Ticket, under_way: int, *, is_idempotent: bool) -> bool:
        """Say whether another node is asked now, with so many attempts under way; it is drawn from the budget then."""
        if not is_idempotent or ticket.inbound > 0 or under_way >= self.settings.most or now >= ticket.deadline:
            return False
        return self._budget.draw(now)

    def _measure(self, now: float) -> None:
        histogram = self._histogram
        if histogram.count < self.settings.min_calls:
            self._delay = math.inf
            return
        self._delay = max(self.settings.floor, histogram.quantile(self.settings.percentile))
        if now >= self._fades:
            self._fades = now + FADE
            if histogram.count >= 2 * self.settings.min_calls:
                histogram.fade()
