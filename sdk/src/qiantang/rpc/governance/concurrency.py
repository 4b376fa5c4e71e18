"""Concurrency: how many calls may run at a time, found from how latency changes.

Gradient2 of Netflix' concurrency-limits (`Gradient2Limit.java`): the usual latency (an average over 600 samples) divided by the
latest one is the gradient; below 1 calls queue somewhere, and the limit falls. A sample is the median of a window of a second or
fifty calls, whichever ends first, not each single call.
"""

from __future__ import annotations

from typing import Final

from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.model.rules import GradientRule

USUAL_SAMPLES: Final = 600
WARM_UP_SAMPLES: Final = 10
WINDOW_SECONDS: Final = 1.0
WINDOW_CALLS: Final = 50
DRIFT: Final = 0.95
"""By what the usual latency shrinks while it is more than twice the latest: it was taken in bad times."""

_CANCELLED: Final = Outcome.CANCELLED


class Gradient:
    """Of one method, at either end. `limit` is what may run now."""

    __slots__ = (
        "_busiest",
        "_ends",
        "_most",
        "_samples",
        "_seen",
        "_shadow",
        "_usual",
        "inflight",
        "limit",
        "rule",
        "settings",
        "would_refuse",
    )

    def __init__(self, rule: str, settings: GradientRule) -> None:
        self.rule = rule
        self.inflight = self._busiest = self._seen = self.would_refuse = 0
        self._samples: list[float] = []
        self._ends = 0.0
        self._usual = 0.0
        self.limit = float(settings.start)
        self.configure(settings)

    def configure(self, settings: GradientRule) -> None:
        """Take other bounds; the limit that was found stays, within them."""
        self.settings = settings
        self.limit = min(max(self.limit, settings.least), settings.most)
        self._shadow = settings.mode == "shadow"
        self._cap()

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        """Let a call in, or refuse it."""
        if self.inflight >= self._most:
            if not self._shadow:
                return Refusal("overload", self.rule, f"{self.inflight} calls are under way, {self._most} may be now")
            self.would_refuse += 1
        self.inflight += 1
        self._busiest = max(self._busiest, self.inflight)
        return None

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """Take a sample from a call that ended."""
        self.inflight -= 1
        if outcome == _CANCELLED:
            return
        samples = self._samples
        if not samples:
            self._ends = now + WINDOW_SECONDS
        samples.append(now - ticket.begun)
        if len(samples) >= WINDOW_CALLS or now >= self._ends:
            self._learn()

    def _learn(self) -> None:
        latest = max(1e-6, sorted(self._samples)[len(self._samples) // 2])
        busiest, self._busiest = self._busiest, self.inflight
        self._samples.clear()
        self._take(latest)
        if busiest < self.limit / 2:
            return  # who calls so little says nothing of what could run
        gradient = max(0.5, min(1.0, self.settings.tolerance * self._usual / latest))
        smoothing = self.settings.smoothing
        found = self.limit * (1 - smoothing) + (self.limit * gradient + self.settings.queue) * smoothing
        self.limit = max(self.settings.least, min(self.settings.most, found))
        self._cap()

    def _take(self, latest: float) -> None:
        self._seen += 1
        if self._seen <= WARM_UP_SAMPLES:
            self._usual += (latest - self._usual) / self._seen
        else:
            self._usual += (latest - self._usual) * 2 / (USUAL_SAMPLES + 1)
        if self._usual > 2 * latest:
            self._usual *= DRIFT

    def _cap(self) -> None:
        self._most = int(self.limit) if self.settings.mode != "off" else 1 << 62
