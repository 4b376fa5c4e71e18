"""Retry: whether a call that failed is made again, when, and what all retries together may cost.

Pauses are gRPC's (proposal A6: exponential, by chance between nothing and the whole, with pushback of the server). The budget
is Finagle's (`RetryBudget.scala`: 20 % of the calls of the last ten seconds, and a few a second always), but the few are not on
top of the share: retries are at most the larger of the two, so that where there are calls enough there are never more than 1.2
attempts a call. What came as an attempt from further up is not tried again (Kitex' chain stop), and what was given up further
down is not either: budgets of a chain do not multiply.
"""

from __future__ import annotations

import random
from typing import Final, NamedTuple

from qiantang.rpc.governance.verdict import Outcome, Ticket
from qiantang.rpc.governance.window import Window
from qiantang.rpc.model.rules import RetryRule

TTL: Final = 10.0
"""Seconds that calls count for the budget, and retries against it."""


class Budget:
    """What retries and hedges of one method may cost. `deposit` for each call, `draw` for each attempt beyond the first.

    Over any time, attempts drawn are at most the share of the calls deposited, or `least` a second: a retry counts against the
    budget for as long as any call that could have paid for it.
    """

    __slots__ = ("_least", "_share", "_window", "refused")

    def __init__(self, settings: RetryRule) -> None:
        self._window = Window(TTL)
        self.refused = 0
        self.configure(settings)

    def configure(self, settings: RetryRule) -> None:
        """Take another share; what was drawn stays drawn."""
        self._share = settings.budget
        self._least = settings.least * TTL

    def deposit(self, now: float) -> None:
        """Count a call."""
        self._window.enter(now)

    def draw(self, now: float) -> bool:
        """Take one attempt from the budget; False where there is none left."""
        window = self._window
        window.turn(now)
        if window.refused + 1 > max(self._share * window.began + 1e-9, self._least):
            self.refused += 1
            return False
        window.refuse(now)
        return True


class Failure(NamedTuple):
    """How an attempt failed. `pushback`: when the server wants it again, in seconds; below 0 never."""

    outcome: Outcome
    was_processed: bool = True
    pushback: float | None = None


class Retry(NamedTuple):
    """What to do: try again after so many seconds, or not, and why not. `gave_up`: it was tried again, or would have been."""

    after: float = 0.0
    why_not: str = ""
    gave_up: bool = False


_NAMES: Final = {
    Outcome.UNAVAILABLE: "unavailable",
    Outcome.TIMEOUT: "timeout",
    Outcome.OVERLOAD: "overload",
    Outcome.INTERNAL: "internal",
}
_NOT_BEGUN: Final = (Outcome.UNAVAILABLE, Outcome.OVERLOAD)
_LAST: Final = Retry(why_not="that was the last attempt", gave_up=True)
_ONLY: Final = Retry(why_not="that was the last attempt, and the only one")
_CHAIN: Final = Retry(why_not="the call is itself an attempt of its caller's caller")
_ANSWERED: Final = Retry(why_not="it is an answer, or was given up")
_UNSAFE: Final = Retry(why_not="it may have been processed, and is not idempotent")
_NOT_LISTED: Final = Retry(why_not="the rule does not retry this")
_PUSHED: Final = Retry(why_not="the server does not want it again")
_LATE: Final = Retry(why_not="its deadline would pass", gave_up=True)
_SPENT: Final = Retry(why_not="the budget of retries is spent", gave_up=True)


class Retries:
    """Of one method: what is tried again."""

    __slots__ = ("_chance", "budget", "rule", "settings")

    def __init__(self, rule: str, settings: RetryRule, chance: random.Random) -> None:
        self.rule = rule
        self._chance = chance
        self.budget = Budget(settings)
        self.configure(settings)

    def configure(self, settings: RetryRule) -> None:
        """Take other numbers; the budget stays as it is spent."""
        self.settings = settings
        self.budget.configure(settings)

    def decide(self, now: float, ticket: Ticket, attempt: int, failure: Failure, *, is_idempotent: bool) -> Retry:
        """Say what to do after attempt number `attempt` (from 1) failed. `Retry.after` counts once `why_not` is empty.

        What certainly did not begin because its node is away is free: no server has worked on it.
        """
        refused = self._refused(ticket, attempt, failure, is_idempotent)
        if refused is not None:
            return refused
        after = max(self.pause(attempt), failure.pushback or 0.0)
        if now + after >= ticket.deadline:
            return _LATE
        is_free = not failure.was_processed and failure.outcome is Outcome.UNAVAILABLE
        return Retry(after) if is_free or self.budget.draw(now) else _SPENT

    def pause(self, attempt: int) -> float:
        """Give the seconds to wait after attempt number `attempt`."""
        settings = self.settings
        return self._chance.random() * min(settings.longest, settings.first * settings.multiplier ** (attempt - 1))

    def _refused(self, ticket: Ticket, attempt: int, failure: Failure, is_idempotent: bool) -> Retry | None:
        if attempt >= self.settings.attempts:
            return _LAST if attempt > 1 else _ONLY
        if ticket.inbound > 0:
            return _CHAIN
        if failure.pushback is not None and failure.pushback < 0:
            return _PUSHED
        if failure.outcome not in _NAMES:
            return _ANSWERED
        if not failure.was_processed and failure.outcome in _NOT_BEGUN:
            return None
        if not is_idempotent and failure.was_processed:
            return _UNSAFE
        return None if _NAMES[failure.outcome] in self.settings.on else _NOT_LISTED
