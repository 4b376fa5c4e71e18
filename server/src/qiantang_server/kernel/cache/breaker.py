"""Breaker: after failures in a row nothing is tried for a while, then one call probes whether it works again."""

from __future__ import annotations

from collections.abc import Callable


class Breaker:
    """Pure but for the clock that it is given (seconds, monotonic).

    Closed, it lets calls through and counts failures in a row. Open, it lets none through. When its pause is over it
    lets one through; that one's outcome closes it, or opens it again for twice the time up to a limit.
    """

    def __init__(
        self, clock: Callable[[], float], *, failures: int = 3, pause: float = 0.5, longest_pause: float = 10.0
    ) -> None:
        self._clock = clock
        self._failures = failures
        self._first_pause = pause
        self._longest_pause = longest_pause
        self._pause = pause
        self._failed = 0
        self._open_until: float | None = None
        self._round = 0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether calls are held back now, apart from a probe."""
        return self._open_until is not None

    def enter(self) -> int | None:
        """Give a ticket to pass to `succeeded` or `failed`; None where the call must not be made."""
        if self._open_until is None:
            return self._round
        if self._probing or self._clock() < self._open_until:
            return None
        self._probing = True
        return self._round

    def succeeded(self, ticket: int) -> bool:
        """Tell that a call went well; give whether this closed the breaker. Late news from another round count nothing."""
        if ticket != self._round:
            return False
        self._failed = 0
        if self._open_until is None:
            return False
        self._open_until = None
        self._pause = self._first_pause
        self._next_round()
        return True

    def failed(self, ticket: int) -> bool:
        """Tell that a call failed; give whether this opened a breaker that was closed."""
        if ticket != self._round:
            return False
        if self._open_until is not None:
            self._pause = min(self._pause * 2, self._longest_pause)
            self._open()
            return False
        self._failed += 1
        if self._failed < self._failures:
            return False
        self._open()
        return True

    def abandoned(self, ticket: int) -> None:
        """Tell that a call ended without an outcome: its caller went away. A probe's place is free again."""
        if ticket == self._round:
            self._probing = False

    def _open(self) -> None:
        self._open_until = self._clock() + self._pause
        self._next_round()

    def _next_round(self) -> None:
        self._round += 1
        self._failed = 0
        self._probing = False
