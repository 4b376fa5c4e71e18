"""Hedging: late enough, rarely enough, and only where a second answer does no harm."""

from __future__ import annotations

import math
import random

import pytest

from qiantang.rpc.governance.hedge import Hedge
from qiantang.rpc.governance.retry import Budget
from qiantang.rpc.governance.verdict import Outcome, Ticket
from qiantang.rpc.model.rules import HedgeRule, RetryRule


def made(latencies: list[float], **settings: object) -> Hedge:
    hedge = Hedge("h", HedgeRule(**settings), Budget(RetryRule(least=1.0)))  # type: ignore[arg-type]
    for took in latencies:
        hedge.leave(100.0 + took, Ticket(100.0, 110.0), Outcome.OK)
    return hedge


def test_the_delay_is_the_latency_that_most_stay_below() -> None:
    chance = random.Random(4)
    hedge = made([chance.expovariate(1 / 0.1) for _ in range(20_000)])
    assert hedge.delay(200.0) == pytest.approx(-0.1 * math.log(0.05), rel=0.1)


def test_it_is_never_below_the_floor_and_infinite_while_little_is_known() -> None:
    assert made([0.0001] * 1000, floor=0.005).delay(200.0) == 0.005
    assert made([0.1] * 99).delay(200.0) == math.inf
    assert made([0.1] * 100).delay(200.0) < 0.2


def test_what_failed_says_nothing_of_latency() -> None:
    hedge = made([])
    for outcome in (Outcome.TIMEOUT, Outcome.CANCELLED, Outcome.UNAVAILABLE, Outcome.OVERLOAD):
        for _ in range(200):
            hedge.leave(101.0, Ticket(100.0, 110.0), outcome)
    assert hedge.delay(200.0) == math.inf


def test_it_follows_what_changes() -> None:
    hedge = made([0.01] * 1000)
    assert hedge.delay(200.0) < 0.011
    for second in range(100):
        for _ in range(50):
            hedge.leave(200.0 + second, Ticket(199.5 + second, 300.0), Outcome.OK)
        delay = hedge.delay(200.0 + second)
    assert delay == pytest.approx(0.5, rel=0.1)


def test_who_may_be_asked_twice() -> None:
    hedge, ticket = made([0.1] * 200), Ticket(100.0, 103.0)
    assert not hedge.draw(100.1, ticket, 1, is_idempotent=False)
    assert not hedge.draw(100.1, Ticket(100.0, 103.0, 1, 1), 1, is_idempotent=True), "an attempt from further up"
    assert not hedge.draw(103.0, ticket, 1, is_idempotent=True), "too late"
    assert not hedge.draw(100.1, ticket, 2, is_idempotent=True), "enough under way"
    assert [hedge.draw(100.1, ticket, 1, is_idempotent=True) for _ in range(11)] == [True] * 10 + [False], "the budget"
