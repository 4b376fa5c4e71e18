"""Rates: never more than so many a second and so many at once, however it is asked for."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.kernel.rate import Rate


@given(
    st.floats(0.5, 1000),
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), min_size=1, max_size=40),
)
def test_a_rate_never_gives_more_than_its_rate_and_its_burst(
    rate: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    now = 0.0
    bucket, paid = Rate(rate, burst), 0.0
    taken: list[tuple[float, int]] = []
    for passed, count in steps:
        now += passed
        wait = bucket.wait(paid, now)
        assert wait >= 0
        now += wait
        assert bucket.wait(paid, now) == pytest.approx(0, abs=1e-6)
        paid = bucket.take(paid, now, count)
        taken.append((now, count))
    for start, (began, _) in enumerate(taken):
        for ended in range(start, len(taken)):
            # the last batch may go beyond by all but one of its messages: what follows pays for it
            given = sum(count for _, count in taken[start:ended]) + 1
            assert given <= burst + rate * (taken[ended][0] - began) + 1e-3 * (1 + given)


def test_what_was_saved_up_may_be_taken_at_once_and_no_more() -> None:
    rate = Rate(10, 5)
    paid = rate.take(0.0, 1000.0, 5)
    assert rate.wait(paid, 1000.0) == pytest.approx(0.1)
    assert rate.wait(rate.take(paid, 1000.0, 20), 1000.0) == pytest.approx(2.1), "a batch is paid for afterwards"
