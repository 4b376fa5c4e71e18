"""The breaker under any order of events: it opens for a reason alone, and always finds its way back."""

from __future__ import annotations

import math
import random
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from qiantang.rpc.governance.breaker import LEASE, Breaker
from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.model.rules import BreakerRule

FAULTS = [Outcome.TIMEOUT, Outcome.UNAVAILABLE, Outcome.INTERNAL]


def made(**settings: Any) -> Breaker:
    return Breaker("r", BreakerRule(**settings), random.Random(1))


def call(breaker: Breaker, now: float, outcome: Outcome, took: float = 0.0) -> Refusal | None:
    """One call that passes all other rules and ends at once, or after `took`."""
    ticket = Ticket(now, now + 3)
    refusal = breaker.enter(now, ticket)
    if refusal is None:
        refusal = breaker.reserve(now, ticket)
        breaker.leave(now + took, ticket, Outcome.CANCELLED if refusal is not None else outcome)
    return refusal


def opened(**settings: Any) -> Breaker:
    breaker = made(**{"min_calls": 4, **settings})
    for _ in range(4):
        call(breaker, 100.0, Outcome.UNAVAILABLE)
    assert breaker.state == "open"
    return breaker


def test_it_opens_at_the_rate_and_not_below_the_least_number_of_calls() -> None:
    breaker = made(min_calls=20, failure_rate=0.5)
    for place in range(19):
        call(breaker, 100.0 + place / 10, Outcome.INTERNAL)
        assert breaker.state == "closed"
    call(breaker, 102.0, Outcome.INTERNAL)
    assert breaker.state == "open"
    refusal = call(breaker, 102.1, Outcome.OK)
    assert refusal is not None
    assert refusal.kind == "circuit"
    assert refusal.rule == "r"
    assert "20 of 20" in refusal.why
    assert 3.8 <= refusal.retry_after <= 6.0


def test_below_the_rates_it_stays_closed() -> None:
    breaker = made(min_calls=10, failure_rate=0.5, slow_rate=0.8, slow_seconds=1.0)
    for place in range(100):
        faulty, slow = place % 10 in {1, 3, 5, 7}, place % 10 in {2, 4, 6, 8}
        call(breaker, 100.0 + place / 20, Outcome.TIMEOUT if faulty else Outcome.OK, 2.0 if slow else 0.0)
    assert (breaker.state, breaker.window.failures, breaker.window.slow) == ("closed", 40, 40)
    assert breaker.generation == 0


def test_rates_that_are_off_open_nothing() -> None:
    breaker = made(min_calls=1, failure_rate=0.0, slow_rate=0.0)
    for _ in range(50):
        call(breaker, 100.0, Outcome.INTERNAL)
        call(breaker, 100.0, Outcome.OVERLOAD, 5.0)
    assert breaker.state == "closed"


def test_what_is_older_than_the_window_counts_no_more() -> None:
    breaker = made(min_calls=10, window=10)
    for second in range(100):
        call(breaker, 100.0 + 2 * second, Outcome.INTERNAL)
    assert breaker.state == "closed"
    assert breaker.window.failures == 5


def test_what_is_no_fault_never_opens_it() -> None:
    breaker = made(min_calls=1, consecutive=1)
    for place in range(500):
        call(breaker, 100 + place / 50, Outcome.BUSINESS)
        call(breaker, 100 + place / 50, Outcome.CANCELLED, took=2.0)
    assert breaker.state == "closed"
    assert breaker.window.failures == breaker.window.slow == 0


@pytest.mark.parametrize("outcome", FAULTS)
def test_consecutive_faults_open_it_at_once(outcome: Outcome) -> None:
    breaker = made(consecutive=5)
    for _ in range(4):
        call(breaker, 100.0, outcome)
    call(breaker, 100.0, Outcome.OK)
    for _ in range(4):
        call(breaker, 100.0, outcome)
    assert breaker.state == "closed"
    call(breaker, 100.0, outcome)
    assert breaker.state == "open"


@pytest.mark.parametrize(("outcome", "took"), [(Outcome.OK, 1.5), (Outcome.OVERLOAD, 0.0)])
def test_slow_calls_open_it(outcome: Outcome, took: float) -> None:
    breaker = made(min_calls=5, slow_seconds=1.0)
    for _ in range(5):
        call(breaker, 100.0, outcome, took)
    assert breaker.state == "open"
    assert "longer than 1 s" in breaker.why


def test_too_many_at_a_time_are_refused_and_open_it_only_where_the_rule_says_so() -> None:
    for rate, state in ((0.0, "closed"), (0.5, "open")):
        breaker = made(concurrency=2, refused_rate=rate, min_calls=4)
        for _ in range(2):
            assert breaker.enter(100.0, Ticket(100.0, 103.0)) is None
        refusals = [breaker.enter(100.0, Ticket(100.0, 103.0)) for _ in range(5)]
        assert all(refusals)
        assert breaker.state == state
        assert breaker.inflight == 2


def test_each_time_it_opens_again_it_waits_twice_as_long_up_to_the_longest() -> None:
    breaker = opened(wait=5, longest_wait=60, jitter=0.2, probes=1)
    now, waits = 100.0, []
    for _ in range(8):
        waits.append(breaker.retry_after(now))
        now += waits[-1]
        call(breaker, now, Outcome.TIMEOUT)
        assert breaker.state == "open"
    for wait, base in zip(waits, [5, 10, 20, 40, 60, 60, 60, 60], strict=True):
        assert base * 0.8 - 1e-6 <= wait <= base * 1.2 + 1e-6
    assert len({round(wait, 6) for wait in waits[4:]}) == 4, "by chance, not all the same"


def test_after_it_went_well_for_long_it_begins_with_the_short_wait() -> None:
    breaker = opened(wait=5, longest_wait=60, jitter=0, probes=1)
    call(breaker, 105.0, Outcome.TIMEOUT)
    assert breaker.retry_after(105.0) == 10
    call(breaker, 115.0, Outcome.OK)
    assert breaker.state == "closed"
    for _ in range(4):
        call(breaker, 300.0, Outcome.UNAVAILABLE)
    assert breaker.retry_after(300.0) == 5


def half_open(**settings: Any) -> tuple[Breaker, list[Ticket]]:
    breaker = opened(jitter=0, **settings)
    tickets = [Ticket(106.0, 109.0) for _ in range(5)]
    for ticket in tickets:
        assert breaker.enter(106.0, ticket) is None
        assert breaker.reserve(106.0, ticket) is None
    assert breaker.state == "half_open"
    return breaker, tickets


def test_only_so_many_try_and_four_of_five_close_it() -> None:
    breaker, tickets = half_open()
    assert call(breaker, 106.0, Outcome.OK) is not None
    for ticket in tickets[:3]:
        breaker.leave(106.5, ticket, Outcome.OK)
        assert call(breaker, 106.5, Outcome.OK) is not None, "a probe that went well makes no place for another"
    breaker.leave(106.5, tickets[3], Outcome.TIMEOUT)
    assert breaker.state == "half_open"
    breaker.leave(106.5, tickets[4], Outcome.BUSINESS)
    assert breaker.state == "closed"
    assert breaker.inflight == 0


def test_it_opens_again_as_soon_as_it_cannot_close_any_more() -> None:
    breaker, tickets = half_open()
    breaker.leave(106.5, tickets[0], Outcome.TIMEOUT)
    assert breaker.state == "half_open"
    breaker.leave(106.5, tickets[1], Outcome.OVERLOAD)
    assert breaker.state == "open"
    generation = breaker.generation
    for ticket in tickets[2:]:
        breaker.leave(106.6, ticket, Outcome.OK)
    assert (breaker.state, breaker.generation, breaker.inflight) == ("open", generation, 0), (
        "late answers count for nothing"
    )


def test_probes_that_never_report_end_at_their_deadline_and_count_as_failed() -> None:
    breaker, _ = half_open()
    assert call(breaker, 108.9, Outcome.OK) is not None
    refusal = call(breaker, 109.1, Outcome.OK)
    assert refusal is not None
    assert breaker.state == "open"
    assert call(breaker, 109.1 + refusal.retry_after, Outcome.OK) is None
    assert breaker.state == "half_open"


def test_a_probe_that_was_given_up_leaves_its_place_to_another() -> None:
    breaker, tickets = half_open()
    breaker.leave(106.1, tickets[0], Outcome.CANCELLED)
    assert call(breaker, 106.2, Outcome.OK) is None


def test_answers_from_before_it_opened_do_not_open_it_again() -> None:
    breaker = made(min_calls=4, jitter=0, probes=1)
    old = [Ticket(99.0, 200.0) for _ in range(50)]
    for ticket in old:
        breaker.enter(99.0, ticket)
    for _ in range(4):
        call(breaker, 100.0, Outcome.UNAVAILABLE)
    assert breaker.state == "open"
    call(breaker, 105.0, Outcome.OK)
    assert breaker.state == "closed"
    for ticket in old:
        breaker.leave(105.1, ticket, Outcome.INTERNAL)
    assert breaker.state == "closed"
    assert breaker.window.calls == 0


def test_each_change_has_a_number_and_a_reason() -> None:
    breaker = opened(jitter=0, probes=1)
    assert (breaker.generation, breaker.why) == (1, "4 of 4 calls failed")
    call(breaker, 105.0, Outcome.OK)
    assert (breaker.generation, breaker.why) == (3, "1 calls that tried it went well")


def test_off_it_lets_everything_through_and_never_opens() -> None:
    breaker = made(mode="off", min_calls=1, consecutive=1, concurrency=1)
    tickets = [Ticket(100.0, 103.0) for _ in range(5)]
    assert all(breaker.enter(100.0, ticket) is None and breaker.reserve(100.0, ticket) is None for ticket in tickets)
    for ticket in tickets:
        breaker.leave(100.0, ticket, Outcome.INTERNAL)
    assert (breaker.state, breaker.inflight) == ("closed", 0)


def test_by_hand_it_is_open_or_closed_whatever_happens() -> None:
    held = made(force="open")
    assert call(held, 100.0, Outcome.OK) is not None
    shut = made(force="closed", min_calls=1, consecutive=1)
    for _ in range(50):
        assert call(shut, 100.0, Outcome.INTERNAL) is None
    assert shut.state == "closed"
    breaker = opened()
    breaker.configure(msgspec.structs.replace(breaker.settings, force="closed"))
    assert call(breaker, 100.1, Outcome.OK) is None


def test_in_shadow_it_counts_and_refuses_nothing() -> None:
    breaker = opened(mode="shadow", jitter=0)
    for _ in range(10):
        assert call(breaker, 101.0, Outcome.OK) is None
    assert (breaker.state, breaker.would_refuse) == ("open", 20), "once at the door and once at the probe"
    for _ in range(5):
        assert call(breaker, 105.5, Outcome.OK) is None
    assert breaker.state == "closed"


def test_another_threshold_keeps_what_was_counted() -> None:
    breaker = made(min_calls=20)
    for _ in range(10):
        call(breaker, 100.0, Outcome.INTERNAL)
    breaker.configure(BreakerRule(min_calls=11))
    call(breaker, 100.0, Outcome.INTERNAL)
    assert breaker.state == "open"


def test_fewer_probes_while_it_tries_do_not_wedge_it() -> None:
    breaker, tickets = half_open()
    breaker.leave(106.1, tickets[0], Outcome.OK)
    breaker.leave(106.1, tickets[1], Outcome.TIMEOUT)
    for ticket in tickets[2:]:
        breaker.leave(106.1, ticket, Outcome.CANCELLED)
    breaker.configure(msgspec.structs.replace(breaker.settings, probes=2, close_rate=1.0))
    refusal = call(breaker, 106.2, Outcome.OK)
    assert breaker.state == "open"
    assert refusal is not None


SETTINGS = st.builds(
    BreakerRule,
    window=st.integers(1, 20),
    min_calls=st.integers(1, 10),
    failure_rate=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    slow_rate=st.sampled_from([0.0, 0.5, 1.0]),
    slow_seconds=st.sampled_from([0.1, 1.0]),
    consecutive=st.sampled_from([0, 3]),
    concurrency=st.sampled_from([0, 2]),
    refused_rate=st.sampled_from([0.0, 0.5]),
    probes=st.integers(1, 5),
    close_rate=st.sampled_from([0.01, 0.5, 0.8, 1.0]),
    jitter=st.sampled_from([0.0, 0.5]),
    mode=st.sampled_from(["enforce", "enforce", "shadow"]),
)
STEPS = st.lists(
    st.tuples(
        # a later rule refuses; a call that never reports; one that ends; time passes; thresholds change
        st.sampled_from(["call", "call", "refused_later", "end", "end", "lost", "configure"]),
        st.floats(0, 3),
        st.sampled_from(list(Outcome)),
        st.integers(0, 30),
    ),
    max_size=120,
)


@given(SETTINGS, SETTINGS, STEPS)
def test_under_any_order_of_events_it_opens_for_a_reason_and_is_never_wedged(
    settings: BreakerRule, other: BreakerRule, steps: list[tuple[str, float, Outcome, int]]
) -> None:
    other = msgspec.structs.replace(other, window=settings.window)
    breaker, now = Breaker("r", settings, random.Random(7)), 1000.0
    open_calls: list[Ticket] = []
    lost = 0
    for what, passed, outcome, which in steps:
        now += passed
        before = breaker.state
        calls, asked = breaker.window.calls, breaker.window.calls + breaker.window.refused
        if what in {"call", "refused_later"}:
            ticket = Ticket(now, now + 3)
            if breaker.enter(now, ticket) is None:
                if what == "refused_later" or breaker.reserve(now, ticket) is not None:
                    breaker.leave(now, ticket, Outcome.CANCELLED)
                else:
                    open_calls.append(ticket)
        elif what == "end" and open_calls:
            breaker.leave(now, open_calls.pop(which % len(open_calls)), outcome)
        elif what == "lost" and open_calls:
            open_calls.pop(which % len(open_calls))  # against the contract, and yet no reason to stand still for ever
            lost += 1
        elif what == "configure":
            breaker.configure(other)
        assert breaker.inflight == len(open_calls) + lost
        if before == "closed" and breaker.state == "open" and not breaker.settings.consecutive:
            assert max(calls, asked) + 1 >= breaker.settings.min_calls
    _comes_back(breaker, now, len(open_calls) + lost)


def _comes_back(breaker: Breaker, now: float, under_way: int) -> None:
    """From wherever it is, good calls close it within the longest wait and the longest lease."""
    breaker.configure(msgspec.structs.replace(breaker.settings, concurrency=0, slow_rate=0.0))
    end = now + 1.5 * breaker.settings.longest_wait + LEASE + 10
    while now < end and breaker.state != "closed":
        now += 0.5
        call(breaker, now, Outcome.OK)
    assert breaker.state == "closed"
    assert call(breaker, now, Outcome.OK) is None
    assert breaker.inflight == under_way
    assert math.isfinite(breaker.retry_after(now))


def test_a_stream_that_tries_it_counts_at_its_first_item_and_not_when_its_lease_ends() -> None:
    breaker = opened(probes=2, close_rate=0.5, wait=1.0, jitter=0.0, slow_seconds=1.0)
    probes = [Ticket(102.0, 105.0) for _ in range(2)]
    for one in probes:
        assert breaker.enter(102.0, one) is None
        assert breaker.reserve(102.0, one) is None
    assert breaker.state == "half_open"
    for one in probes:
        breaker.answered(102.5, one)
    assert breaker.state == "closed"
    assert call(breaker, 1000.0, Outcome.OK) is None
    for one in probes:
        breaker.leave(1000.0, one, Outcome.OK)
    assert (breaker.state, breaker.inflight) == ("closed", 0)


def test_a_stream_whose_first_item_comes_late_is_no_probe_that_went_well() -> None:
    breaker = opened(probes=1, wait=1.0, jitter=0.0, slow_seconds=1.0)
    probe = Ticket(102.0, 105.0)
    assert breaker.enter(102.0, probe) is None
    assert breaker.reserve(102.0, probe) is None
    breaker.answered(103.5, probe)
    assert breaker.state == "open"
