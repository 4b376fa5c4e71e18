"""Adaptive: calls are refused by chance here, the more the fewer the provider accepts; none is sent only to be refused there.

Client-side throttling of Google's "Site Reliability Engineering", chapter "Handling Overload": p = max(0, (requests - K *
accepts - protect) / (requests + 1)). Requests are counted in the second in which they begin, and what is refused here counts as
a request (go-zero counts them when they end, zeromicro/go-zero#5011, and does not see what hangs). What is under way counts
from the next second but one: else a client that begins would take its first answers' latency for refusal.
"""

from __future__ import annotations

import random

from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.governance.window import Window
from qiantang.rpc.model.rules import AdaptiveRule

_CANCELLED = Outcome.CANCELLED
_OVERLOAD = Outcome.OVERLOAD


class Adaptive:
    """Of one method. Accepted is what the provider answered, be it with a business error; calls given up are no requests."""

    __slots__ = (
        "_accepted",
        "_chance",
        "_multiplier",
        "_protect",
        "_settings",
        "_shadow",
        "rule",
        "window",
        "would_refuse",
    )

    def __init__(self, rule: str, settings: AdaptiveRule, chance: random.Random) -> None:
        self.rule = rule
        self._chance = chance.random
        self.window = Window(settings.window, settings.window)
        self.would_refuse = 0
        self.configure(settings)

    def configure(self, settings: AdaptiveRule) -> None:
        """Take other thresholds; what was counted stays. Another `window` needs another object."""
        self._settings = settings
        self._multiplier = settings.multiplier
        self._protect = settings.protect if settings.mode != "off" else 1 << 62
        self._shadow = settings.mode == "shadow"

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        """Let a call in, or refuse it by chance."""
        window = self.window
        tick = window.turn(now)
        asked = window.began + window.refused - window.young()
        over = asked - self._multiplier * (window.calls - window.failures) - self._protect
        if over > 0 and self._chance() * (asked + 1) < over:
            if not self._shadow:
                window.refuse(now)
                return Refusal("overload", self.rule, "the provider accepts too few of the calls", 1.0)
            self.would_refuse += 1
        window.begin(tick)
        return None

    def leave(self, now: float, ticket: Ticket, outcome: int) -> None:
        """Count how a call ended."""
        window = self.window
        token = window.token(ticket.begun)
        if outcome == _CANCELLED:
            window.undo(token)
        else:
            window.leave(token, outcome >= _OVERLOAD, False)
