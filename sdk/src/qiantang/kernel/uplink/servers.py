"""Servers: the pure choice of whom to talk to: the same server while it is well, away from those that failed."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec

from qiantang.kernel.uplink.address import Address

MAX_SERVERS = 64
BACKOFF_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 30.0
MAX_DOUBLINGS = 10
GOODBYE_SECONDS = 5.0
"""How long a server that said goodbye is left alone, where there are others."""


class _Health(msgspec.Struct):
    failures: int = 0
    shunned_until: float = 0.0
    left_until: float = 0.0

    @property
    def away_until(self) -> float:
        return max(self.shunned_until, self.left_until)


class ServerChoice:
    """Known servers with their health. Time is passed in, in seconds of any monotonic clock.

    A server that failed is left alone for a random while up to `0.5 s · 2^failures`, at most 30 s
    (exponential back-off with full jitter, so that clients do not come back together), then is a candidate
    like any other.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._health: dict[Address, _Health] = {}
        self._preferred: Address | None = None

    @property
    def known(self) -> list[Address]:
        """All known servers."""
        return list(self._health)

    def know(self, addresses: Iterable[Address]) -> None:
        """Take this as the whole list of servers; the health of those known already stays."""
        kept = list(dict.fromkeys(addresses))[:MAX_SERVERS]
        self._health = {address: self._health.get(address) or _Health() for address in kept}
        if self._preferred not in self._health:
            self._preferred = None

    def candidates(self, now: float) -> list[Address]:
        """Give the servers to try, in order: the one in use, then the healthy ones by lot.

        With all of them backing off it is the one whose time comes first: a call always tries something.
        """
        healthy = [address for address, health in self._health.items() if health.away_until <= now]
        if not healthy:
            return sorted(self._health, key=lambda address: self._health[address].away_until)[:1]
        self._chance.shuffle(healthy)
        healthy.sort(key=lambda address: address != self._preferred)
        return healthy

    def succeeded(self, address: Address, now: float) -> None:
        """Note that the server answered: it is the one in use from now on, unless it said goodbye."""
        health = self._health.get(address)
        if health is None:
            return
        health.failures, health.shunned_until = 0, 0.0
        if health.left_until <= now:
            self._preferred = address

    def failed(self, address: Address, now: float, retry_after: float | None = None) -> None:
        """Note that the server could not be reached or said that it is unavailable."""
        health = self._health.get(address)
        if health is None:
            return
        health.failures = min(health.failures + 1, MAX_DOUBLINGS)
        bound = min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2**health.failures)
        pause = max(self._chance.uniform(0, bound), min(retry_after or 0.0, BACKOFF_CAP_SECONDS))
        health.shunned_until = now + pause
        self._drop_preference(address)

    def left(self, address: Address, now: float) -> None:
        """Note that the server said goodbye: what it still answers to calls under way does not count."""
        health = self._health.get(address)
        if health is not None:
            health.left_until = now + GOODBYE_SECONDS
            self._drop_preference(address)

    def _drop_preference(self, address: Address) -> None:
        if self._preferred == address:
            self._preferred = None
