"""Limits: so many at a time, so many a second, less after quiet times, or one after the other."""

from __future__ import annotations

import math
from typing import Final

from qiantang.kernel.rate import Rate
from qiantang.rpc.governance.verdict import Refusal, Ticket
from qiantang.rpc.model.rules import ConcurrencyRule, RateRule

NO_LIMIT: Final = 1 << 62
NOTHING: Final = 1e-9
"""Seconds: a wait that is shorter is what rounding left over."""


class Semaphore:
    """So many calls at a time, more are refused."""

    __slots__ = ("_most", "_shadow", "inflight", "rule", "would_refuse")

    def __init__(self, rule: str, settings: ConcurrencyRule) -> None:
        self.rule = rule
        self.inflight = self.would_refuse = 0
        self.configure(settings)

    def configure(self, settings: ConcurrencyRule) -> None:
        """Take another limit; what is under way stays counted."""
        self._most = settings.most if settings.mode != "off" else NO_LIMIT
        self._shadow = settings.mode == "shadow"

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        """Let a call in, or refuse it."""
        if self.inflight >= self._most:
            if not self._shadow:
                return Refusal("limit", self.rule, f"{self._most} calls are under way, and no more may be")
            self.would_refuse += 1
        self.inflight += 1
        return None

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """A call ended."""
        self.inflight -= 1


class TokenBucket:
    """So many calls a second, and a burst after quiet times."""

    __slots__ = ("_off", "_paid", "_rate", "_shadow", "_why", "rule", "would_refuse")

    def __init__(self, rule: str, settings: RateRule) -> None:
        self.rule = rule
        self._paid = -math.inf
        self.would_refuse = 0
        self.configure(settings)

    def configure(self, settings: RateRule) -> None:
        """Take another rate; what was taken stays taken."""
        self._rate = Rate(settings.per_second, settings.burst)
        self._shadow = settings.mode == "shadow"
        self._off = settings.mode == "off"
        self._why = f"{settings.per_second:g} calls a second may be, {settings.burst} at once"

    def slow_to(self, rate: Rate) -> None:
        """Give less than the settings say, as `WarmUp` does."""
        self._rate = rate

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        """Let a call in, or refuse it."""
        wait = self._rate.wait(self._paid, now)
        if wait > NOTHING and not self._off:
            if not self._shadow:
                return Refusal("limit", self.rule, self._why, wait)
            self.would_refuse += 1
            return None
        self._paid = self._rate.take(self._paid, now, 1)
        return None

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """Nothing is given back: it is calls that are counted, not what became of them."""


class WarmUp:
    """So many calls a second, and after quiet times only a part of it, which grows to the whole within the time of warming up.

    Sentinel's `WarmUpController.java`: tokens that nobody uses are stored; the more there are, the colder it is, and the slower
    calls go. `rate` is what may be now.
    """

    __slots__ = (
        "_bucket",
        "_cold",
        "_full",
        "_passed",
        "_second",
        "_settings",
        "_slope",
        "_stored",
        "_warm",
        "rate",
        "rule",
    )

    def __init__(self, rule: str, settings: RateRule) -> None:
        self.rule = rule
        self._bucket = TokenBucket(rule, settings)
        self._second = -1
        self._passed = 0
        self._stored = -1.0
        self.configure(settings)

    @property
    def would_refuse(self) -> int:
        """Calls that a rule in shadow let through."""
        return self._bucket.would_refuse

    def configure(self, settings: RateRule) -> None:
        """Take another rate; it is as warm as it was."""
        share = 1.0 if self._stored < 0 else self._stored / self._full
        per_second, cold = settings.per_second, settings.cold_factor
        self._settings = settings
        self._bucket.configure(settings)
        self._warm = settings.warm_up * per_second / (cold - 1)
        self._full = self._warm + 2 * settings.warm_up * per_second / (1 + cold)
        self._slope = (cold - 1) / per_second / (self._full - self._warm)
        self._cold = per_second / cold
        self._stored = share * self._full
        self._set()

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        """Let a call in, or refuse it."""
        second = int(now)
        if second > self._second:
            self._turn(second)
        refusal = self._bucket.enter(now, ticket)
        if refusal is None:
            self._passed += 1
        return refusal

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """Nothing is given back."""

    def _turn(self, second: int) -> None:
        elapsed = second - self._second if self._second >= 0 else 0
        lately = self._passed / max(1, elapsed)
        if self._stored < self._warm or lately < self._cold:
            self._stored += elapsed * self._settings.per_second
        self._stored = max(0.0, min(self._full, self._stored) - self._passed)
        self._second, self._passed = second, 0
        self._set()

    def _set(self) -> None:
        over = self._stored - self._warm
        whole = self._settings.per_second
        self.rate = whole if over < 0 else 1 / (over * self._slope + 1 / whole)
        burst = max(1.0, self._settings.burst * self.rate / whole)
        self._bucket.slow_to(Rate(self.rate, burst))


class Pacing:
    """One call after the other at an even pace: who comes too early waits, at most so long as is allowed and its deadline gives.

    Sentinel's `ThrottlingController.java`, which sleeps; here the caller is told how long to wait.
    """

    __slots__ = ("_longest", "_mode", "_paid", "_rate", "rule", "would_refuse")

    def __init__(self, rule: str, settings: RateRule) -> None:
        self.rule = rule
        self._paid = -math.inf
        self.would_refuse = 0
        self.configure(settings)

    def configure(self, settings: RateRule) -> None:
        """Take another pace; who waits waits as he was told."""
        self._rate = Rate(settings.per_second, 1)
        self._longest = settings.pace
        self._mode = settings.mode

    def enter(self, now: float, ticket: Ticket) -> Refusal | float:
        """Give the seconds to wait before the call goes on, or refuse it."""
        if self._mode == "off":
            return 0.0
        wait = self._rate.wait(self._paid, now)
        if wait <= NOTHING:
            wait = 0.0
        elif wait > self._longest or now + wait >= ticket.deadline:
            if self._mode == "enforce":
                return Refusal("limit", self.rule, f"its turn would come in {wait:.3f} s, too late", wait)
            self.would_refuse += 1
            return 0.0
        self._paid = self._rate.take(self._paid, now, 1)
        return wait if self._mode == "enforce" else 0.0

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """Nothing is given back: the turn was used."""
