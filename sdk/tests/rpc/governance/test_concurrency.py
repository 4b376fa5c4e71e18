"""Gradient2 against a simulated provider: it finds what runs without a queue, and stays within its bounds."""

from __future__ import annotations

import heapq

import hypothesis.strategies as st
from hypothesis import given

from qiantang.rpc.governance.concurrency import Gradient
from qiantang.rpc.governance.verdict import Outcome, Ticket
from qiantang.rpc.model.rules import GradientRule


def simulate(
    gradient: Gradient, *, start: float, seconds: float, per_second: int, servers: int, service: float
) -> tuple[int, float]:
    """Calls at an even pace to so many servers with a queue before them; give how many passed, and the last latency."""
    free = [start] * servers
    ends: list[tuple[float, int, Ticket]] = []
    passed, latency = 0, 0.0
    for place in range(int(seconds * per_second)):
        now = start + place / per_second
        while ends and ends[0][0] <= now:
            ended, _, ticket = heapq.heappop(ends)
            gradient.leave(ended, ticket, Outcome.OK)
            latency = ended - ticket.begun
        ticket = Ticket(now, now + 30)
        if gradient.enter(now, ticket) is None:
            passed += 1
            begins = max(now, heapq.heappop(free))
            heapq.heappush(free, begins + service)
            heapq.heappush(ends, (begins + service, place, ticket))
    for ended, _, ticket in sorted(ends):
        gradient.leave(ended, ticket, Outcome.OK)
    return passed, latency


def test_it_grows_while_latency_is_as_usual_and_refuses_nothing_then() -> None:
    gradient = Gradient("g", GradientRule(start=20))
    simulate(gradient, start=100.0, seconds=20, per_second=900, servers=100, service=0.1)
    assert gradient.limit > 90
    assert gradient.inflight == 0
    passed, _ = simulate(gradient, start=130.0, seconds=10, per_second=900, servers=100, service=0.1)
    assert passed == 9000


def test_it_shrinks_when_calls_queue_and_keeps_latency_bounded() -> None:
    gradient = Gradient("g", GradientRule(start=50, tolerance=1.0))
    simulate(gradient, start=100.0, seconds=20, per_second=150, servers=20, service=0.1)
    passed, latency = simulate(gradient, start=130.0, seconds=40, per_second=400, servers=20, service=0.1)
    assert passed > 0.9 * 200 * 40, "the provider is kept busy"
    assert latency < 1.0, "without a limit it would wait twenty seconds"


def test_who_calls_little_changes_nothing() -> None:
    gradient = Gradient("g", GradientRule(start=20))
    simulate(gradient, start=100.0, seconds=60, per_second=10, servers=5, service=0.1)
    assert gradient.limit == 20


def test_new_bounds_hold_at_once_and_the_limit_stays_within_them() -> None:
    gradient = Gradient("g", GradientRule(start=20))
    gradient.configure(GradientRule(least=1, start=5, most=5))
    assert gradient.limit == 5
    assert [gradient.enter(1.0, Ticket(1.0, 2.0)) is None for _ in range(6)] == [True] * 5 + [False]
    gradient.configure(GradientRule(least=1, start=5, most=5, mode="shadow"))
    assert gradient.enter(1.0, Ticket(1.0, 2.0)) is None
    assert gradient.would_refuse == 1


@given(
    st.integers(1, 50),
    st.integers(0, 100),
    st.lists(st.tuples(st.booleans(), st.floats(0, 2), st.sampled_from(list(Outcome))), max_size=200),
)
def test_the_limit_stays_within_its_bounds_and_nothing_beyond_it_runs(
    least: int, more: int, steps: list[tuple[bool, float, Outcome]]
) -> None:
    settings = GradientRule(least=least, start=least, most=least + more)
    gradient, now = Gradient("g", settings), 100.0
    under_way: list[Ticket] = []
    for comes, passed, outcome in steps:
        now += passed
        if comes:
            ticket = Ticket(now, now + 3)
            before = int(gradient.limit)
            refusal = gradient.enter(now, ticket)
            assert (refusal is None) == (len(under_way) < before)
            under_way += [ticket] if refusal is None else []
        elif under_way:
            gradient.leave(now, under_way.pop(0), outcome)
        assert least <= gradient.limit <= least + more
        assert gradient.inflight == len(under_way)
