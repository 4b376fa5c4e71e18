"""Limits: so many at a time or a second and never more, at whatever pace calls come."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance.limits import Pacing, Semaphore, TokenBucket, WarmUp
from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.model.rules import ConcurrencyRule, RateRule


def ticket(now: float, span: float = 3.0) -> Ticket:
    return Ticket(now, now + span)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=60))
def test_never_more_than_so_many_at_a_time(most: int, steps: list[bool]) -> None:
    semaphore, held = Semaphore("s", ConcurrencyRule(most=most)), 0
    for comes in steps:
        if comes:
            refusal = semaphore.enter(1.0, ticket(1.0))
            assert (refusal is None) == (held < most)
            held += refusal is None
        elif held:
            semaphore.leave(1.0, ticket(1.0), Outcome.OK)
            held -= 1
        assert semaphore.inflight == held


def test_a_lower_limit_waits_for_what_is_under_way() -> None:
    semaphore = Semaphore("s", ConcurrencyRule(most=3))
    for _ in range(3):
        semaphore.enter(1.0, ticket(1.0))
    semaphore.configure(ConcurrencyRule(most=1))
    semaphore.leave(1.0, ticket(1.0), Outcome.OK)
    assert semaphore.enter(1.0, ticket(1.0)) is not None
    semaphore.configure(ConcurrencyRule(most=1, mode="shadow"))
    assert semaphore.enter(1.0, ticket(1.0)) is None
    assert semaphore.would_refuse == 1
    semaphore.configure(ConcurrencyRule(most=1, mode="off"))
    assert semaphore.enter(1.0, ticket(1.0)) is None
    assert (semaphore.would_refuse, semaphore.inflight) == (1, 4)


@given(st.floats(0.5, 1000), st.integers(1, 50), st.lists(st.floats(0, 2), min_size=1, max_size=80), st.floats(0, 1e6))
def test_a_bucket_never_gives_more_than_its_rate_and_its_burst(
    per_second: float, burst: int, steps: list[float], start: float
) -> None:
    bucket, now = TokenBucket("t", RateRule(per_second=per_second, burst=burst)), start + 1000
    given_at: list[float] = []
    for passed in steps:
        now += passed
        refusal = bucket.enter(now, ticket(now))
        if refusal is None:
            given_at.append(now)
        else:
            assert refusal.retry_after > 0
            # what it says is true: just before it is refused, then it is not
            assert bucket.enter(now + refusal.retry_after * 0.99 - 1e-6, ticket(now)) is not None
    for first, last in itertools.combinations_with_replacement(range(len(given_at)), 2):
        assert last - first + 1 <= burst + per_second * (given_at[last] - given_at[first]) + 1e-3


def test_after_the_time_it_says_one_more_may_come() -> None:
    bucket = TokenBucket("t", RateRule(per_second=10, burst=3))
    assert [bucket.enter(1000.0, ticket(1000.0)) is None for _ in range(4)] == [True, True, True, False]
    refusal = bucket.enter(1000.0, ticket(1000.0))
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(0.1)
    assert bucket.enter(1000.0 + refusal.retry_after, ticket(1000.0)) is None


@pytest.mark.parametrize("start", [0.0, 3.3, 1e5 + 0.1, 1e7 / 3])
def test_an_even_stream_at_the_rate_is_let_through_whatever_the_rounding(start: float) -> None:
    bucket = TokenBucket("t", RateRule(per_second=7))
    assert sum(bucket.enter(start + place / 7, ticket(0)) is None for place in range(1, 701)) >= 699


def test_the_clock_may_begin_at_nothing() -> None:
    bucket = TokenBucket("t", RateRule(per_second=1, burst=10))
    assert [bucket.enter(0.0, ticket(0.0)) is None for _ in range(11)] == [True] * 10 + [False]
    assert Pacing("p", RateRule(per_second=1, pace=5)).enter(0.0, ticket(0.0)) == 0.0
    warm = WarmUp("w", RateRule(per_second=30, burst=30, warm_up=10))
    assert sum(warm.enter(0.0, ticket(0.0)) is None for _ in range(30)) == 10


def test_a_bucket_in_shadow_counts_and_off_does_nothing() -> None:
    shadow = TokenBucket("t", RateRule(per_second=1, mode="shadow"))
    assert all(shadow.enter(1000.0, ticket(1000.0)) is None for _ in range(5))
    assert shadow.would_refuse == 4
    off = TokenBucket("t", RateRule(per_second=1, mode="off"))
    assert all(off.enter(1000.0, ticket(1000.0)) is None for _ in range(5))
    assert off.would_refuse == 0


def passed_each_second(limit: Any, start: float, seconds: int, tries: int) -> list[int]:
    return [
        sum(limit.enter(start + second + place / tries, ticket(0)) is None for place in range(tries))
        for second in range(seconds)
    ]


def test_it_warms_up_from_a_third_to_the_whole_within_its_time() -> None:
    warm = WarmUp("w", RateRule(per_second=90, warm_up=10, cold_factor=3))
    passed = passed_each_second(warm, 1000.0, 30, 900)
    assert passed[0] == pytest.approx(30, abs=2), "cold: a third"
    assert all(later >= earlier - 1 for earlier, later in itertools.pairwise(passed))
    whole = next(second for second, count in enumerate(passed) if count >= 89)
    assert 8 <= whole <= 16
    assert passed[-1] == pytest.approx(90, abs=1)


def test_it_cools_down_when_little_comes_and_stays_warm_under_load() -> None:
    warm = WarmUp("w", RateRule(per_second=90, warm_up=10))
    passed_each_second(warm, 1000.0, 30, 900)
    assert warm.rate == 90
    passed_each_second(warm, 1030.0, 60, 50)
    assert warm.rate == 90, "half of the rate keeps it warm"
    passed_each_second(warm, 1090.0, 60, 5)
    assert warm.rate < 40
    warm.configure(RateRule(per_second=900, warm_up=10))
    assert warm.rate < 400, "as cold as it was"


def test_a_pace_is_even_and_what_would_wait_too_long_is_refused() -> None:
    pacing = Pacing("p", RateRule(per_second=10, pace=0.35))
    waits = [pacing.enter(1000.0, ticket(1000.0)) for _ in range(6)]
    assert waits[:4] == [0.0, pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3)]
    assert all(isinstance(wait, Refusal) for wait in waits[4:])


def test_nobody_is_told_to_wait_beyond_his_deadline() -> None:
    pacing = Pacing("p", RateRule(per_second=10, pace=60))
    pacing.enter(1000.0, ticket(1000.0))
    assert isinstance(pacing.enter(1000.0, ticket(1000.0, 0.1)), Refusal)
    assert pacing.enter(1000.0, ticket(1000.0, 0.2)) == pytest.approx(0.1), "who is refused takes no turn"


@given(st.floats(1, 500), st.floats(0, 2), st.lists(st.tuples(st.floats(0, 0.5), st.floats(0.01, 3)), max_size=80))
def test_turns_are_at_least_the_pace_apart(per_second: float, longest: float, steps: list[tuple[float, float]]) -> None:
    pacing, now = Pacing("p", RateRule(per_second=per_second, pace=longest)), 1000.0
    turns: list[float] = []
    for passed, span in steps:
        now += passed
        wait = pacing.enter(now, ticket(now, span))
        if not isinstance(wait, Refusal):
            assert 0 <= wait <= longest
            assert wait < span
            turns.append(now + wait)
    assert all(later - earlier >= 1 / per_second - 1e-6 for earlier, later in itertools.pairwise(turns))


def test_a_pace_in_shadow_or_off_lets_nobody_wait() -> None:
    shadow = Pacing("p", RateRule(per_second=1, pace=1.5, mode="shadow"))
    assert [shadow.enter(1000.0, ticket(1000.0)) for _ in range(4)] == [0.0] * 4
    assert shadow.would_refuse == 2
    off = Pacing("p", RateRule(per_second=1, pace=1.5, mode="off"))
    assert [off.enter(1000.0, ticket(1000.0)) for _ in range(4)] == [0.0] * 4
