"""Context: what is known of the call that is being handled, wherever its handler goes; calls made below it carry it on."""

from __future__ import annotations

import time
from contextvars import ContextVar

import msgspec


class CallContext(msgspec.Struct, frozen=True, gc=False):
    """Of one call. `deadline` is on this process's monotonic clock; `caller` is who calls; `attempt` counts from 0."""

    service: str = ""
    method: str = ""
    caller: str = ""
    deadline: float = float("inf")
    trace: str = ""
    attempt: int = 0
    priority: int = 1
    tag: str = ""

    def remaining(self) -> float:
        """Give the seconds that are left, 0 where none are."""
        return max(0.0, self.deadline - time.monotonic())


NO_CALL = CallContext()
current: ContextVar[CallContext] = ContextVar("qiantang-call", default=NO_CALL)
"""The call that is being handled: its deadline, trace, tag and priority go on to what is called below it."""
