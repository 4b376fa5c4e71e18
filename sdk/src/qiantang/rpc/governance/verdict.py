"""Verdicts: what a call carries through the rules, how it ended, and what a rule says that refuses it.

All of this room is for one event loop: nothing here takes a lock. Who calls from several threads locks outside.

Each piece has `enter(now, ticket)`, which gives None or a `Refusal`, and `leave(now, ticket, outcome)`. Each `enter` that gave
None is followed by exactly one `leave` with the same ticket; after a refusal there is none. What was entered when a later piece
refuses is left with `CANCELLED`, which counts for nothing.
"""

from __future__ import annotations

import enum
from typing import Final, Literal

import msgspec

from qiantang.kernel import errors
from qiantang.rpc import errors as failures


class Outcome(enum.IntEnum):
    """How a call ended. The order counts: what is above `OVERLOAD` is a fault."""

    OK = 0
    BUSINESS = 1
    """An error that is the service's answer: the call went well."""
    CANCELLED = 2
    """Given up by who called: it says nothing of anybody, and counts for nothing."""
    OVERLOAD = 3
    """The provider said that it has too much to do: slow, no fault."""
    TIMEOUT = 4
    UNAVAILABLE = 5
    INTERNAL = 6


class Priority(enum.IntEnum):
    """How important a call is; the lowest is shed first."""

    BATCH = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


class Ticket(msgspec.Struct, eq=False, gc=False):
    """What a call, or one attempt of it, carries: when it began and must end, in seconds of the monotonic clock.

    `priority` is one of `Priority`: who reads it from the wire checks that. `inbound` is the number of the attempt, from 0,
    that the caller of this process made; above 0 nothing is tried again here.
    """

    begun: float
    deadline: float
    priority: int = Priority.NORMAL
    inbound: int = 0


Kind = Literal["limit", "circuit", "overload", "fault", "access"]


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """That a rule refuses a call: which one, and why. `retry_after` in seconds, 0 where nobody knows."""

    kind: Kind
    rule: str
    why: str
    retry_after: float = 0.0

    def error(self) -> errors.QiantangError:
        """Give the error that the caller gets."""
        told = f"refused by rule {self.rule or 'default'}: {self.why}"
        return _ERRORS[self.kind](told, retry_after=self.retry_after or None)


_ERRORS: Final[dict[str, type[errors.QiantangError]]] = {
    "limit": failures.LimitedError,
    "circuit": failures.CircuitOpenError,
    "overload": failures.OverloadedError,
    "fault": failures.InjectedError,
    "access": failures.NotSubscribedError,
}
_OUTCOMES: Final = (
    (failures.CancelledError, Outcome.CANCELLED),
    (failures.NoTokenError, Outcome.CANCELLED),
    (failures.OverloadedError, Outcome.OVERLOAD),
    (errors.DeadlineError, Outcome.TIMEOUT),
    (errors.UnavailableError, Outcome.UNAVAILABLE),
    (errors.InternalError, Outcome.INTERNAL),
)


def outcome_of(error: errors.QiantangError) -> Outcome:
    """Say how a call ended that raised this: what is no fault of the node is `BUSINESS`."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), Outcome.BUSINESS)
