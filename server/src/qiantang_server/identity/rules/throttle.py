"""Throttle: how wrong sign-ins slow down the next ones, so that no guesser gets far and no guesser locks anybody out.

An attempt is counted before its password is looked at, and taken back when it was right, so that many at once gain
nothing. What it is counted by depends on what is known of its source:

| source | counted by |
|---|---|
| a browser that carries this account's device mark | that mark alone |
| a network from which this account signed in before | account and network |
| a stranger | account and network, and network over all accounts |

So whatever strangers do from other networks, they never slow down a known browser or a known network. Nothing is
counted by account alone: that would be a lock which anybody can close.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Policy:
    """The first `free` attempts cost nothing; then each waits twice as long, up to `cap`. Milliseconds."""

    free: int
    base: int = 1000
    cap: int = 15 * 60_000
    forget: int = 60 * 60_000

    def delay(self, failures: int) -> int:
        """Give the wait after so many wrong attempts."""
        if failures < self.free:
            return 0
        return min(self.cap, self.base << min(failures - self.free, 30))


BY_ACCOUNT = Policy(free=5)
BY_NETWORK = Policy(free=30, cap=5 * 60_000)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Wrong attempts counted under one key, and until when the next one is not looked at."""

    failures: int = 0
    blocked_until: int = 0
    updated_at: int = 0


def attempted(bucket: Bucket, policy: Policy, now: int) -> Bucket:
    """Count an attempt as wrong. Only for a bucket that is not blocked."""
    failures = 0 if now - bucket.updated_at > policy.forget else bucket.failures
    failures += 1
    return Bucket(failures, now + policy.delay(failures), now)


def taken_back(bucket: Bucket, now: int) -> Bucket:
    """Count one attempt less: it was right."""
    return replace(bucket, failures=max(0, bucket.failures - 1), blocked_until=min(bucket.blocked_until, now))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a sign-in comes from. `device` is the mark's own id if the browser carries one of this very account."""

    tenant: str
    name: str
    network: str
    device: str = ""
    familiar: bool = False

    @property
    def known(self) -> bool:
        """Whether this account signed in from there before."""
        return bool(self.device) or self.familiar

    def own_key(self) -> str:
        """Give the key that is cleared when the sign-in was right."""
        if self.device:
            return _key("device", self.device)
        return _key("account", self.tenant, self.name, self.network)

    def keys(self) -> dict[str, Policy]:
        """Give what the attempt is counted by."""
        found = {self.own_key(): BY_ACCOUNT}
        if not self.known:
            found[_key("network", self.network)] = BY_NETWORK
        return found


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
