"""Pauses double, up to the longest, and begin anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel.backoff import Backoff


def test_pauses_double_up_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff(0.1, 0.5, spread=0)
    assert [backoff.next() for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    backoff.reset()
    assert backoff.next() == 0.1


@given(spread=st.floats(0, 1), failures=st.integers(1, 10))
def test_a_pause_is_spread_around_its_length(spread: float, failures: int) -> None:
    exact, spread_out = Backoff(0.1, 2.0, spread=0), Backoff(0.1, 2.0, spread=spread)
    for _ in range(failures):
        length, pause = exact.next(), spread_out.next()
        assert length * (1 - spread) - 1e-9 <= pause <= length * (1 + spread) + 1e-9


def test_those_who_failed_together_come_back_apart() -> None:
    assert len({Backoff(1.0, 1.0).next() for _ in range(100)}) > 90
