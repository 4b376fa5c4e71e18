"""Client-side throttling: nothing while all is accepted, nearly all when nothing is, and back again."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable

import hypothesis.strategies as st
from hypothesis import given

from qiantang.rpc.governance.adaptive import Adaptive
from qiantang.rpc.governance.verdict import Outcome, Ticket
from qiantang.rpc.model.rules import AdaptiveRule


def run(
    adaptive: Adaptive, start: float, seconds: float, per_second: int, answer: Callable[[int], tuple[Outcome, float]]
) -> int:
    """Call at an even pace; give how many were refused."""
    ends: list[tuple[float, int, Ticket, Outcome]] = []
    refused = 0
    for place in range(int(seconds * per_second)):
        now = start + place / per_second
        while ends and ends[0][0] <= now:
            ended, _, ticket, outcome = heapq.heappop(ends)
            adaptive.leave(ended, ticket, outcome)
        ticket = Ticket(now, now + 3)
        if adaptive.enter(now, ticket) is not None:
            refused += 1
            continue
        outcome, took = answer(place)
        heapq.heappush(ends, (now + took, place, ticket, outcome))
    return refused


def made(**settings: object) -> Adaptive:
    return Adaptive("a", AdaptiveRule(**settings), random.Random(3))  # type: ignore[arg-type]


def test_nothing_is_refused_while_all_is_accepted_however_it_begins() -> None:
    for took in (0.001, 0.3, 0.9):
        assert run(made(), 50.0, 40, 200, lambda _, took=took: (Outcome.OK, took)) == 0


def test_business_errors_are_accepted_and_calls_given_up_are_none() -> None:
    adaptive = made()
    assert run(adaptive, 50.0, 20, 100, lambda at: (Outcome.BUSINESS if at % 3 else Outcome.CANCELLED, 0.01)) == 0
    assert adaptive.window.calls < adaptive.window.began + 1


def capacity(per_second: int) -> Callable[[int], tuple[Outcome, float]]:
    """A provider that takes so many a second, called a hundred times a second, and refuses the rest."""
    taken: Counter[int] = Counter()

    def answer(place: int) -> tuple[Outcome, float]:
        second = place // 100
        taken[second] += 1
        return (Outcome.OK if taken[second] <= per_second else Outcome.OVERLOAD), 0.01

    return answer


def test_what_is_sent_is_k_times_what_is_accepted() -> None:
    assert run(made(), 50.0, 120, 100, capacity(55)) < 12_000 * 0.02
    refused = run(made(multiplier=1.1), 50.0, 120, 100, capacity(50))
    assert 0.40 < refused / 12_000 < 0.50, "1.1 times 50 of 100 are sent"


def test_when_nothing_is_accepted_nearly_all_is_refused_and_it_recovers_by_itself() -> None:
    adaptive = made()
    refused = run(adaptive, 50.0, 60, 100, lambda _: (Outcome.UNAVAILABLE, 0.0))
    assert refused > 6000 * 0.97
    run(adaptive, 110.0, 150, 100, lambda _: (Outcome.OK, 0.0))
    assert run(adaptive, 260.0, 30, 100, lambda _: (Outcome.OK, 0.0)) == 0


def test_a_provider_that_hangs_is_seen_before_the_first_call_times_out() -> None:
    assert run(made(), 50.0, 2.9, 100, lambda _: (Outcome.TIMEOUT, 3.0)) > 30


def test_in_shadow_and_off_nothing_is_refused() -> None:
    shadow = made(mode="shadow")
    assert run(shadow, 50.0, 20, 100, lambda _: (Outcome.INTERNAL, 0.0)) == 0
    assert shadow.would_refuse > 1000
    assert run(made(mode="off"), 50.0, 20, 100, lambda _: (Outcome.INTERNAL, 0.0)) == 0


@given(st.lists(st.sampled_from(list(Outcome)), max_size=60), st.integers(0, 5))
def test_the_first_calls_are_never_refused(outcomes: list[Outcome], seed: int) -> None:
    adaptive = Adaptive("a", AdaptiveRule(protect=10), random.Random(seed))
    for place, outcome in enumerate(outcomes):
        ticket = Ticket(50.0, 53.0)
        refusal = adaptive.enter(50.0, ticket)
        assert refusal is None or place >= 10
        if refusal is None:
            adaptive.leave(50.0, ticket, outcome)
