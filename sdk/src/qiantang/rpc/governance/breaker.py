"""Breaker: calls that go wrong stop for a while, and a few of them try whether they can go on.

Thresholds and window as in Resilience4j and Sentinel, with a sliding window of ten buckets in place of Sentinel's one
(`ExceptionCircuitBreaker.java`). Its breaker stays half-open for ever when its one probe is refused by a later rule and never
reports (alibaba/Sentinel#1638, #2136, #3502). Here probes are leases: they end at the call's deadline, whoever forgot them.
"""

from __future__ import annotations

import math
import random
from typing import Final, Literal

from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.governance.window import Window
from qiantang.rpc.model.rules import BreakerRule

State = Literal["closed", "open", "half_open"]
LEASE: Final = 60.0
"""Seconds after which a probe has failed, were its call's deadline later."""

_CANCELLED: Final = Outcome.CANCELLED
_OVERLOAD: Final = Outcome.OVERLOAD


class Breaker:
    """Of a method, or of a method on one node.

    `enter` comes where the chain has its breakers, `reserve` as the last step before the call is sent: it takes a probe when the
    breaker is half open. Failures are `TIMEOUT`, `UNAVAILABLE`, `INTERNAL`; `OVERLOAD` is slow; business errors are calls that went
    well. What began before the breaker last changed counts for nothing. `generation` rises with each change, `why` says its
    reason, `would_refuse` counts what a breaker in shadow let through.
    """

    __slots__ = (
        "_chance",
        "_failed",
        "_leases",
        "_most",
        "_opened",
        "_passed",
        "_row",
        "_shut",
        "_since",
        "_slow_after",
        "_until",
        "generation",
        "inflight",
        "rule",
        "settings",
        "state",
        "why",
        "window",
        "would_refuse",
    )

    def __init__(self, rule: str, settings: BreakerRule, chance: random.Random) -> None:
        self.rule = rule
        self._chance = chance
        self.window = Window(settings.window)
        self.state: State = "closed"
        self.why = ""
        self.generation = self.inflight = self.would_refuse = 0
        self._since = self._until = -math.inf
        self._row = self._opened = 0
        self._leases: dict[Ticket, float] = {}
        self._passed = self._failed = 0
        self.configure(settings)

    def configure(self, settings: BreakerRule) -> None:
        """Take other thresholds; what was counted stays. Another `window` needs another breaker."""
        self.settings = settings
        self._most = settings.concurrency or 1 << 62
        self._slow_after = settings.slow_seconds if settings.slow_rate else math.inf
        self._guard()

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        """Let a call in, or refuse it."""
        if self._shut or self.inflight >= self._most:
            refusal = self._examine(now)
            if refusal is not None:
                return refusal
        self.inflight += 1
        return None

    def reserve(self, now: float, ticket: Ticket) -> Refusal | None:
        """Take a probe where one is needed; after all else let the call through. A call that is refused here is left as well."""
        return self._lease(now, ticket) if self._shut else None

    def answered(self, now: float, ticket: Ticket) -> None:
        """The first item of a stream came: as a probe it went well, however long it lasts; `leave` follows all the same."""
        if self._leases:
            self._settle(now, ticket, Outcome.OK)

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """Count how a call ended that `enter` had let in."""
        self.inflight -= 1
        if self.state != "closed":
            if self._leases:
                self._settle(now, ticket, outcome)
            return
        if outcome == _CANCELLED or ticket.begun < self._since:
            return
        is_failure = outcome > _OVERLOAD
        is_slow = outcome == _OVERLOAD or now - ticket.begun > self._slow_after
        window = self.window
        window.turn(now)
        window.leave(window.token(ticket.begun), is_failure, is_slow)
        self._row = self._row + 1 if is_failure else 0
        if is_failure or is_slow:
            self._judge(now)

    @property
    def keeps_out(self) -> bool:
        """Whether it found that calls are to stop; what people or a rule in shadow say is no finding."""
        return self.state != "closed" and self.settings.mode == "enforce" and self.settings.force == "none"

    def retry_after(self, now: float) -> float:
        """Give the seconds until it is worth trying again."""
        if self.state == "open":
            return max(0.0, self._until - now)
        return max(0.0, min(self._leases.values(), default=now) - now)

    def _guard(self) -> None:
        self._shut = self.settings.force == "open" or (self.state != "closed" and self.settings.force == "none")
        if self.settings.mode == "off":
            self._shut, self._most = False, 1 << 62

    def _examine(self, now: float) -> Refusal | None:
        if self.settings.force == "open":
            return self._refuse("the breaker is held open by hand", 0.0)
        if self.state == "open" and self._shut and now < self._until:
            return self._refuse(self.why, self._until - now)
        if self.inflight < self._most:
            return None
        self.window.refuse(now)
        refusal = self._refuse(f"{self.inflight} calls are under way, {self._most} may be", 0.0)
        if self.state == "closed":
            self._judge(now)
        return refusal

    def _refuse(self, why: str, retry_after: float) -> Refusal | None:
        if self.settings.mode == "shadow":
            self.would_refuse += 1
            return None
        return Refusal("circuit", self.rule, why, retry_after)

    def _judge(self, now: float) -> None:
        why = self._reason()
        if why and self.settings.force == "none" and self.settings.mode != "off":
            self._open(now, why)

    def _reason(self) -> str:
        settings, window = self.settings, self.window
        if settings.consecutive and self._row >= settings.consecutive:
            return f"{self._row} calls in a row failed"
        calls = window.calls
        asked = calls + window.refused
        if settings.refused_rate and asked >= settings.min_calls and window.refused >= settings.refused_rate * asked:
            return f"{window.refused} of {asked} calls were too many at a time"
        if calls < settings.min_calls:
            return ""
        if settings.failure_rate and window.failures >= settings.failure_rate * calls:
            return f"{window.failures} of {calls} calls failed"
        if settings.slow_rate and window.slow >= settings.slow_rate * calls:
            return f"{window.slow} of {calls} calls took longer than {settings.slow_seconds:g} s"
        return ""

    def _open(self, now: float, why: str) -> None:
        settings = self.settings
        if self.state == "closed" and now - self._since > settings.longest_wait:
            self._opened = 0  # it went well for long enough: what it opens for is another trouble
        wait = min(settings.longest_wait, settings.wait * 2.0 ** min(self._opened, 40))
        self._opened += 1
        self._until = now + wait * (1 + settings.jitter * (2 * self._chance.random() - 1))
        self._become("open", now, why)

    def _become(self, state: State, now: float, why: str) -> None:
        self.state, self._since, self.why = state, now, why
        self.generation += 1
        self._leases.clear()
        self._passed = self._failed = self._row = 0
        self.window.clear()
        self._guard()

    def _lease(self, now: float, ticket: Ticket) -> Refusal | None:
        if self.settings.force != "none":
            return None  # held open: `enter` has refused, or only counted in shadow
        if self.state == "open" and now >= self._until:
            self._become("half_open", now, "it is tried whether calls go well again")
        elif self.state == "half_open":
            self._expire(now)
        if self.state == "open":
            return self._refuse(self.why, self._until - now)
        if len(self._leases) + self._passed + self._failed >= self.settings.probes:
            return self._refuse("enough calls try whether it can close", self.retry_after(now))
        self._leases[ticket] = min(ticket.deadline, now + LEASE)
        return None

    def _settle(self, now: float, ticket: Ticket, outcome: int) -> None:
        ends = self._leases.pop(ticket, None)
        if ends is None or outcome == _CANCELLED:
            return
        went_well = outcome < _OVERLOAD and now <= ends and now - ticket.begun <= self._slow_after
        self._count(now, passed=int(went_well), failed=int(not went_well))

    def _expire(self, now: float) -> None:
        late = [ticket for ticket, ends in self._leases.items() if ends < now]
        for ticket in late:
            del self._leases[ticket]
        self._count(now, passed=0, failed=len(late))  # with none late too: fewer probes may be asked for than before

    def _count(self, now: float, *, passed: int, failed: int) -> None:
        self._passed += passed
        self._failed += failed
        probes = self.settings.probes
        needed = max(1, math.ceil(self.settings.close_rate * probes - 1e-9))
        if self._failed > probes - needed:
            self._open(now, f"{self._failed} of {self._failed + self._passed} calls that tried it failed")
        elif self._passed >= needed:
            self._become("closed", now, f"{self._passed} calls that tried it went well")
