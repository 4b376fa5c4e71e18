"""Shedding: an overloaded provider refuses what is over what it got done lately, the least important first.

As go-kratos' `bbr.go`: what may be under way is the most calls that passed in a bucket times the shortest mean latency of one.
Its sign of overload is the CPU of the machine, which says little of a process that can use one core alone; here it is how late
the event loop is, how much of its one core the worker uses, and how much of their time calls spend waiting. Once seen, a sign
counts for a while (`cooling`). Four priorities: batch gets the limit, the others more and more of it.
"""

from __future__ import annotations

import math
from typing import Final

from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.model.rules import SheddingRule

LADDER: Final = (1.0, 1.3, 1.6, 2.0)
"""For batch, normal, high and critical: of the limit."""
BUCKETS: Final = 100
BUCKETS_A_SECOND: Final = 10
SMOOTHING: Final = 0.1
WAITS: Final = 50
_CANCELLED: Final = Outcome.CANCELLED


class Load:
    """The signs of overload of one worker. `lag` and `cpu` are moving averages, `queue` is the median of the last waits."""

    __slots__ = ("_has_waited", "_waits", "cpu", "lag", "queue")

    def __init__(self) -> None:
        self.lag = self.cpu = self.queue = 0.0
        self._waits: list[float] = []
        self._has_waited = False

    def observe(self, lag: float, cpu: float) -> None:
        """Take how late the loop came, in seconds, and the share of one core used since; some times a second."""
        self.lag += (lag - self.lag) * SMOOTHING
        self.cpu += (cpu - self.cpu) * SMOOTHING
        if not self._has_waited:
            self.queue *= 1 - SMOOTHING  # a worker that gets no calls has no queue
        self._has_waited = False

    def waited(self, wait: float, time_given: float) -> None:
        """Take how long a call waited for its turn, of the time that it was given."""
        self._has_waited = True
        self._waits.append(wait / max(time_given, 1e-6))
        if len(self._waits) >= WAITS:
            self.queue = sorted(self._waits)[WAITS // 2]
            self._waits.clear()


class Shedder:
    """Of one worker, for the methods of one rule. `limit` is what may be under way while it is overloaded."""

    __slots__ = (
        "_cpu",
        "_hot_until",
        "_lag",
        "_load",
        "_passed",
        "_queue",
        "_spent",
        "_tick",
        "inflight",
        "limit",
        "rule",
        "settings",
        "would_refuse",
    )

    def __init__(self, rule: str, settings: SheddingRule, load: Load) -> None:
        self.rule = rule
        self._load = load
        self._passed = [0] * BUCKETS
        self._spent = [0.0] * BUCKETS
        self._tick = 0
        self._hot_until = -math.inf
        self.inflight = self.would_refuse = 0
        self.limit = 1
        self.configure(settings)

    def configure(self, settings: SheddingRule) -> None:
        """Take other thresholds; what was counted stays."""
        self.settings = settings
        self._lag, self._cpu, self._queue = settings.lag, settings.cpu, settings.queue

    def is_overloaded(self, now: float) -> bool:
        """Say whether there is a sign, or was one lately."""
        load = self._load
        if load.lag > self._lag or load.cpu > self._cpu or load.queue > self._queue:
            self._hot_until = now + self.settings.cooling
        return now < self._hot_until

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        """Let a call in, or refuse it."""
        if self.is_overloaded(now) and self.settings.mode != "off":
            self._turn(now)
            if self.inflight >= self.limit * LADDER[ticket.priority]:
                if self.settings.mode == "enforce":
                    return Refusal("overload", self.rule, "the provider is overloaded", self.settings.cooling)
                self.would_refuse += 1
        self.inflight += 1
        return None

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """Count what got done."""
        self.inflight -= 1
        if outcome == _CANCELLED:
            return
        tick = int(now * BUCKETS_A_SECOND)
        if tick != self._tick:
            self._turn(now)
        place = tick % BUCKETS
        self._passed[place] += 1
        self._spent[place] += now - ticket.begun

    def _turn(self, now: float) -> None:
        tick = int(now * BUCKETS_A_SECOND)
        over = min(tick - self._tick, BUCKETS)
        if over <= 0:
            return
        for place in (one % BUCKETS for one in range(tick - over + 1, tick + 1)):
            self._passed[place] = 0
            self._spent[place] = 0.0
        self._tick = tick
        self._measure()

    def _measure(self) -> None:
        """Find the limit of the buckets that are over."""
        done = [(passed, spent / passed) for passed, spent in zip(self._passed, self._spent, strict=True) if passed]
        if done:
            most = max(passed for passed, _ in done)
            shortest = min(mean for _, mean in done)
            self.limit = max(1, int(most * shortest * BUCKETS_A_SECOND + 0.5))
