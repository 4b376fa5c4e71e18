"""Pace: how long to wait before the next poll, retry or connection, with jitter so that clients spread."""

from __future__ import annotations

import random

CAP_SECONDS = 30.0
MAX_DOUBLINGS = 10
SHORTEST_POLL_SECONDS = 0.05
LONGEST_POLL_SECONDS = 3600.0


class Pace:
    """Waiting times, in seconds, drawn from the given dice."""

    stream_head_start = 0.5
    """How long the first fetch waits for the stream to open, so that nothing is fetched twice at start."""
    stable_seconds = 10.0
    """A connection that lasted so long was a good one: failures before it do not count any more."""

    def __init__(self, chance: random.Random, poll_seconds: float) -> None:
        self._chance = chance
        self._poll_seconds = poll_seconds

    def told(self, poll_seconds: float) -> None:
        """Take the period of the poll that a server tells, within reason."""
        self._poll_seconds = min(max(poll_seconds, SHORTEST_POLL_SECONDS), LONGEST_POLL_SECONDS)

    def poll(self) -> float:
        """Wait for the next poll: its period ± 50 %."""
        return self.spread(self._poll_seconds)

    def recheck(self) -> float:
        """Wait for the notices that follow a connection, before polling in their stead."""
        return self.spread(min(5.0, self._poll_seconds))

    def spread(self, seconds: float) -> float:
        """Wait about so long: ± 50 %."""
        return seconds * self._chance.uniform(0.5, 1.5)

    def retry(self, failures: int) -> float:
        """Wait after a fetch failed for the nth time: from 0.1 s, doubling up to 30 s."""
        return self._backoff(0.1, failures - 1) * self._chance.uniform(0.5, 1.0)

    def reconnect(self, failures: int) -> float:
        """Wait after the stream broke for the nth time: at most 0.3 s, doubling up to 30 s."""
        return self._backoff(0.3, failures - 1) * self._chance.uniform(0.0, 1.0)

    def asked(self, retry_after: float | None) -> float:
        """Wait as long as the server asked for, within reason, and a little more."""
        return min(retry_after or 0.0, CAP_SECONDS) * self._chance.uniform(1.0, 1.5)

    def _backoff(self, first: float, doublings: int) -> float:
        return min(CAP_SECONDS, first * 2 ** min(doublings, MAX_DOUBLINGS))
