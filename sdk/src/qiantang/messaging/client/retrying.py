"""Retrying: how long a message waits after its n-th failure. Pure: chance comes in."""

from __future__ import annotations

from qiantang.messaging.model import RetryPolicy


def wait(policy: RetryPolicy, failures: int, chance: float) -> float | None:
    """Give the seconds to wait after so many failures, None where the policy gives up; `chance` is from 0 to 1.

    Exponential back-off doubles with each failure up to the longest wait. The jitter spreads what failed together by up to
    its share to both sides (the "equal" kind; see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    if failures >= policy.attempts:
        return None
    base = policy.first
    if policy.backoff == "exponential":
        base = min(policy.longest, policy.first * 2.0 ** min(failures - 1, 60))
    return max(0.0, base * (1 + policy.jitter * (2 * chance - 1)))
