"""Health: a broker that fails or stands still is left out, tried by one batch, and takes its share again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.client.health import LEAST, PAUSE_FIRST, PAUSE_LONGEST, STUCK_SECONDS, Health


def told(health: Health, now: float, seconds: float, away: float = 0.0) -> float:
    health.begin(now)
    health.end(now, now + seconds, away)
    return now + seconds


def test_one_that_was_never_asked_is_well() -> None:
    assert not Health().is_isolated(0)
    assert Health().share == 1


def test_one_that_fails_is_left_out_for_longer_each_time_and_tried_by_one() -> None:
    health, now = Health(), 100.0
    pause = PAUSE_FIRST
    for _ in range(12):
        now = told(health, now, 0.0, away=1)
        assert health.is_isolated(now)
        assert health.is_isolated(now + pause * 0.99)
        now += pause
        assert not health.is_isolated(now), "one may try it"
        health.admit(now)
        assert health.is_isolated(now), "and the others wait for what becomes of that"
        pause = min(PAUSE_LONGEST, pause * 2)
        now += pause  # nobody came back from trying it: the next one may


def test_one_that_answers_again_is_well_at_once_and_its_pause_begins_anew() -> None:
    health = Health()
    now = told(health, 0.0, 0.001, away=1)
    now = told(health, now + PAUSE_FIRST, 0.001)
    assert not health.is_isolated(now)
    now = told(health, now, 0.001, away=0.2)
    assert health.is_isolated(now)
    assert not health.is_isolated(now + PAUSE_FIRST)


def test_failures_that_come_together_are_one() -> None:
    health = Health()
    for _ in range(50):
        health.fail(10.0)
    assert not health.is_isolated(10.0 + PAUSE_FIRST)


def test_one_that_does_not_answer_is_left_out_until_it_does() -> None:
    health = Health()
    health.begin(0.0)
    assert not health.is_isolated(STUCK_SECONDS)
    assert health.is_isolated(STUCK_SECONDS + 0.1)
    assert health.is_isolated(3600)
    assert health.is_stuck(3600)
    health.end(0.0, 3600, 0.0)
    assert not health.is_isolated(3600)


def test_the_slower_one_takes_less_and_wins_it_back() -> None:
    fast, slow = Health(), Health()
    for at in range(100):
        told(fast, at, 0.002)
        told(slow, at, 0.100)
    assert fast.share == pytest.approx(1 / 1.2, rel=0.01)
    assert slow.share == pytest.approx(1 / 11, rel=0.01)
    for at in range(100, 200):
        told(slow, at, 0.002)
    assert slow.share == pytest.approx(fast.share, rel=0.01)


@given(
    st.lists(
        st.tuples(st.sampled_from(["answer", "fail", "try"]), st.floats(0, 100), st.floats(0, 1)),
        min_size=1,
        max_size=60,
    )
)
def test_it_is_never_left_out_for_longer_than_the_longest_pause(steps: list[tuple[str, float, float]]) -> None:
    health, now = Health(), 0.0
    for what, seconds, away in steps:
        if what == "answer":
            now = told(health, now, seconds, away)
        elif what == "fail":
            health.fail(now)
        else:
            now += seconds
            if not health.is_isolated(now):
                health.admit(now)
        assert LEAST <= health.share <= 1
        assert not health.is_isolated(now + PAUSE_LONGEST + 0.001)
