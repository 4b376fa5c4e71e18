"""Rates: so much a second on average, and so much at once. Pure: time comes in, in seconds.

The generic cell rate algorithm (ITU-T I.371): all that is kept is the moment up to which what was taken is paid for. Taking more
than there is leaves a debt that is worked off first: so a large batch goes out whole, and what comes after it waits.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and so many at once where it was quiet before."""

    per_second: float
    burst: float

    def wait(self, paid: float, now: float) -> float:
        """Give the seconds until one may be taken, 0 where it may be now, if what was taken is paid for up to `paid`."""
        since = now - self.burst / self.per_second
        wait = (paid if paid > since else since) + 1 / self.per_second - now
        return wait if wait > 0.0 else 0.0

    def take(self, paid: float, now: float, count: float) -> float:
        """Take so many, and give the moment up to which all is paid for then."""
        since = now - self.burst / self.per_second
        return (paid if paid > since else since) + count / self.per_second
