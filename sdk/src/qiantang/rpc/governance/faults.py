"""Faults: calls are made late or refused on purpose, some by chance, to see what happens. Each rule ends by itself."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from qiantang.rpc.governance.verdict import Refusal, Ticket
from qiantang.rpc.model.rules import FaultRule


class _Fault(NamedTuple):
    until: float
    tag: str
    delay: float
    delay_share: float
    abort_share: float


class Faults:
    """The faults of one method. Shares are of the calls with the tag; `delayed` and `aborted` count what was done."""

    __slots__ = ("_chance", "_faults", "_last", "aborted", "delayed", "rule")

    def __init__(self, rule: str, settings: Sequence[FaultRule], chance: random.Random, since_1970: float) -> None:
        self.rule = rule
        self._chance = chance.random
        self.delayed = self.aborted = 0
        self.configure(settings, since_1970)

    def configure(self, settings: Sequence[FaultRule], since_1970: float) -> None:
        """Take other faults. `since_1970` is what to add to a moment of the monotonic clock to have seconds since 1970."""
        self._faults = tuple(
            _Fault(one.until - since_1970, one.tag, one.delay, one.delay_share, one.abort_share) for one in settings
        )
        self._last = max((one.until for one in self._faults), default=0.0)

    def enter(self, now: float, ticket: Ticket, tag: str = "") -> Refusal | float:
        """Give the seconds to wait before the call goes on, never beyond its deadline, or refuse it. Nothing is to be left."""
        if now >= self._last:
            return 0.0
        delay = 0.0
        for fault in self._faults:
            if now >= fault.until or (fault.tag and fault.tag != tag):
                continue
            if fault.abort_share and self._chance() < fault.abort_share:
                self.aborted += 1
                return Refusal("fault", self.rule, "a fault on purpose")
            if fault.delay and self._chance() < fault.delay_share:
                delay += fault.delay
        if not delay:
            return 0.0
        self.delayed += 1
        return max(0.0, min(delay, ticket.deadline - now))
