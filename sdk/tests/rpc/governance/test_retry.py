"""Retries: only what may be, at random pauses, and never more than a fifth on top."""

from __future__ import annotations

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance.retry import Budget, Failure, Retries
from qiantang.rpc.governance.verdict import Outcome, Ticket
from qiantang.rpc.model.rules import RetryRule


def made(**settings: object) -> Retries:
    return Retries("r", RetryRule(**{"least": 10.0, **settings}), random.Random(2))  # type: ignore[arg-type]


def decide(
    retries: Retries, failure: Failure, *, attempt: int = 1, is_idempotent: bool = False, inbound: int = 0
) -> str:
    ticket = Ticket(100.0, 103.0, 1, inbound)
    return retries.decide(100.0, ticket, attempt, failure, is_idempotent=is_idempotent).why_not


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("was_processed", [True, False])
@pytest.mark.parametrize("is_idempotent", [True, False])
def test_what_is_tried_again(outcome: Outcome, was_processed: bool, is_idempotent: bool) -> None:
    never = outcome in {Outcome.OK, Outcome.BUSINESS, Outcome.CANCELLED}
    not_begun = not was_processed and outcome in {Outcome.UNAVAILABLE, Outcome.OVERLOAD}
    listed = outcome in {Outcome.UNAVAILABLE, Outcome.TIMEOUT, Outcome.OVERLOAD} and (
        is_idempotent or not was_processed
    )
    why_not = decide(made(), Failure(outcome, was_processed), is_idempotent=is_idempotent)
    assert (why_not == "") == (not never and (not_begun or listed))


AWAY = Failure(Outcome.UNAVAILABLE, False)


def test_when_it_is_not() -> None:
    assert "last attempt" in decide(made(attempts=3), AWAY, attempt=3)
    assert decide(made(attempts=3), AWAY, attempt=2) == ""
    assert "caller" in decide(made(), AWAY, inbound=1)
    assert "not want" in decide(made(), AWAY._replace(pushback=-1.0))
    assert "deadline" in decide(made(), AWAY._replace(pushback=3.0))
    assert "budget" in decide(made(budget=0.0, least=0.0), Failure(Outcome.TIMEOUT), is_idempotent=True)
    assert decide(made(budget=0.0, least=0.0), AWAY) == "", "what no server worked on is free"


def gave_up(retries: Retries, failure: Failure, *, attempt: int = 1, inbound: int = 0, now: float = 100.0) -> bool:
    ticket = Ticket(100.0, 103.0, 1, inbound)
    return retries.decide(now, ticket, attempt, failure, is_idempotent=True).gave_up


def test_what_was_tried_again_here_or_would_have_been_is_given_up_for_all_above() -> None:
    late, timeout = 102.99999, Failure(Outcome.TIMEOUT)
    assert gave_up(made(attempts=3), timeout, attempt=3)
    assert gave_up(made(budget=0.0, least=0.0), timeout)
    assert gave_up(made(), timeout._replace(pushback=1.0), now=late)
    assert not gave_up(made(attempts=1), timeout), "who tries nothing again leaves it to others"
    assert not gave_up(made(), timeout, inbound=1), "that is for who made the attempt to say"
    assert not gave_up(made(on=()), timeout)
    assert not gave_up(made(), Failure(Outcome.BUSINESS))
    assert not gave_up(made(), timeout)


def test_the_server_says_when() -> None:
    retries = made()
    decided = retries.decide(100.0, Ticket(100.0, 103.0), 1, AWAY._replace(pushback=1.5), is_idempotent=False)
    assert decided.after == 1.5


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.05), (2, 0.1), (3, 0.2), (4, 0.4), (10, 1.0)])
def test_pauses_are_spread_evenly_from_nothing_to_the_whole(attempt: int, longest: float) -> None:
    retries = made()
    pauses = sorted(retries.pause(attempt) for _ in range(4000))
    assert 0 <= pauses[0] < longest * 0.01
    assert longest * 0.99 < pauses[-1] <= longest
    for place in range(1, 10):
        assert pauses[400 * place] == pytest.approx(longest * place / 10, abs=longest * 0.03)


@pytest.mark.parametrize("per_second", [5, 50, 1000])
@pytest.mark.parametrize("attempts", [3, 5])
def test_when_all_fails_there_are_never_more_than_one_and_a_fifth_attempts_a_call(
    per_second: int, attempts: int
) -> None:
    """Five minutes in which the provider answers nothing: each call is tried again as often as rule and budget let it."""
    retries = Retries("r", RetryRule(attempts=attempts), random.Random(2))
    calls = tried = 0
    for place in range(300 * per_second):
        now = 100 + place / per_second
        retries.budget.deposit(now)
        ticket = Ticket(now, now + 3)
        calls += 1
        attempt = tried_now = 1
        while not retries.decide(now, ticket, attempt, Failure(Outcome.TIMEOUT), is_idempotent=True).why_not:
            attempt += 1
            tried_now += 1
        tried += tried_now
    assert tried / calls <= 1.2 + 10 / calls, "the reserve of the first ten seconds aside"
    assert tried / calls > 1.19, "and what the budget allows is used"


@given(
    st.lists(st.tuples(st.floats(0, 6), st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=80),
    st.sampled_from([0.0, 0.1, 0.2, 1.0]),
)
def test_whatever_the_pattern_what_is_drawn_is_at_most_the_share_of_what_was_deposited(
    steps: list[tuple[float, int, int]], share: float
) -> None:
    budget, now = Budget(RetryRule(budget=share, least=0.0)), 100.0
    deposited = drawn = 0
    for passed, calls, asked in steps:
        now += passed
        for _ in range(calls):
            budget.deposit(now)
        deposited += calls
        drawn += sum(budget.draw(now) for _ in range(asked))
        assert drawn <= share * deposited + 1e-6


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 30)), min_size=1, max_size=80), st.floats(0.1, 3))
def test_the_reserve_is_so_many_a_second_and_no_more(steps: list[tuple[float, int]], least: float) -> None:
    budget, now = Budget(RetryRule(budget=0.2, least=least)), 100.0
    drawn = 0
    for passed, asked in steps:
        now += passed
        drawn += sum(budget.draw(now) for _ in range(asked))
        assert drawn <= least * ((now - 100) * 10 / 9 + 10) + 1
