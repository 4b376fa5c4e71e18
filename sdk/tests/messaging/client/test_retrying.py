"""Retrying: waits grow, are bounded, and end."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from qiantang.messaging.client.retrying import wait
from qiantang.messaging.model import RetryPolicy


def test_exponential_and_fixed() -> None:
    policy = RetryPolicy(attempts=6, first=1, longest=10, jitter=0)
    assert [wait(policy, failures, 0.5) for failures in range(1, 7)] == [1, 2, 4, 8, 10, None]
    fixed = RetryPolicy(attempts=3, backoff="fixed", first=2, jitter=0)
    assert [wait(fixed, failures, 0.5) for failures in range(1, 4)] == [2, 2, None]


@given(
    st.builds(
        RetryPolicy,
        attempts=st.integers(1, 1000),
        backoff=st.sampled_from(["fixed", "exponential"]),
        first=st.floats(0, 1e8),
        longest=st.floats(0, 1e8),
        jitter=st.floats(0, 0.5),
    ),
    st.integers(1, 2000),
    st.floats(0, 1),
)
def test_always_within_its_bounds(policy: RetryPolicy, failures: int, chance: float) -> None:
    found = wait(policy, failures, chance)
    assert (found is None) == (failures >= policy.attempts)
    if found is not None:
        most = policy.longest if policy.backoff == "exponential" else policy.first
        assert 0 <= found <= most * (1 + policy.jitter) * (1 + 1e-9)
