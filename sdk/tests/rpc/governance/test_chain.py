"""Pieces together, in every order: a call that one of them refuses leaves no trace in the others, and nothing is stuck."""

from __future__ import annotations

import heapq
import itertools
import random
from typing import Any

import pytest

from qiantang.rpc.governance.adaptive import Adaptive
from qiantang.rpc.governance.breaker import Breaker
from qiantang.rpc.governance.concurrency import Gradient
from qiantang.rpc.governance.limits import Semaphore, TokenBucket
from qiantang.rpc.governance.verdict import Outcome, Refusal, Ticket
from qiantang.rpc.model import rules


class Chain:
    """What a client does with its pieces: enter them in turn, unwind where one refuses, reserve last, leave all."""

    def __init__(self, pieces: list[Any], breaker: Breaker) -> None:
        self.pieces = pieces
        self.breaker = breaker

    def enter(self, now: float, ticket: Ticket) -> Refusal | None:
        for place, piece in enumerate(self.pieces):
            refusal = piece.enter(now, ticket)
            if refusal is not None:
                self.leave(now, ticket, Outcome.CANCELLED, place)
                return refusal
        refusal = self.breaker.reserve(now, ticket)
        if refusal is not None:
            self.leave(now, ticket, Outcome.CANCELLED)
        return refusal

    def leave(self, now: float, ticket: Ticket, outcome: Outcome, first: int | None = None) -> None:
        for piece in self.pieces[:first]:
            piece.leave(now, ticket, outcome)


def pieces(seed: int) -> list[Any]:
    chance = random.Random(seed)
    return [
        Breaker("b", rules.BreakerRule(), chance),
        TokenBucket("t", rules.RateRule(per_second=8, burst=2)),
        Semaphore("s", rules.ConcurrencyRule(3)),
        Gradient("g", rules.GradientRule()),
        Adaptive("a", rules.AdaptiveRule(), chance),
    ]


def run(chain: Chain, start: float, seconds: int, outcome: Outcome, seed: int) -> int:
    """Forty calls a second, of which the limits let a fifth through; some never report. Give how many passed."""
    chance, ends, passed = random.Random(seed), list[tuple[float, int, Ticket]](), 0
    for place in range(seconds * 40):
        now = start + place / 40
        while ends and ends[0][0] <= now:
            ended, _, ticket = heapq.heappop(ends)
            chain.leave(ended, ticket, outcome)
        ticket = Ticket(now, now + 2)
        if chain.enter(now, ticket) is None:
            passed += 1
            heapq.heappush(ends, (now + chance.uniform(0.01, 0.4), place, ticket))
    for ended, _, ticket in sorted(ends):
        chain.leave(max(ended, start + seconds), ticket, outcome)
    return passed


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
def test_in_whatever_order_it_opens_when_the_provider_is_away_and_closes_when_it_is_back(
    order: tuple[int, ...],
) -> None:
    made = pieces(sum(order[:2]))
    breaker, gradient, semaphore = made[0], made[3], made[2]
    chain = Chain([made[place] for place in order], breaker)
    assert run(chain, 100.0, 20, Outcome.OK, 1) > 140, "the rate, nearly"
    assert breaker.state == "closed"
    run(chain, 120.0, 30, Outcome.UNAVAILABLE, 2)
    assert breaker.generation > 0
    run(chain, 150.0, 180, Outcome.OK, 3)
    assert breaker.state == "closed"
    assert run(chain, 330.0, 20, Outcome.OK, 4) > 140
    assert breaker.inflight == gradient.inflight == semaphore.inflight == 0


@pytest.mark.parametrize("place", range(5))
def test_who_is_refused_leaves_no_trace(place: int) -> None:
    """A limit that lets nothing through stands at each place: what is before it has nothing under way, and learns nothing."""
    made = pieces(1)
    chain = Chain([*made[:place], Semaphore("none", rules.ConcurrencyRule(1)), *made[place:]], made[0])
    first = Ticket(100.0, 103.0)
    assert chain.enter(100.0, first) is None
    refused = sum(chain.enter(100.0 + number, Ticket(100.0 + number, 200.0)) is not None for number in range(1, 50))
    assert refused == 49
    chain.leave(150.0, first, Outcome.OK)
    breaker, _, semaphore, gradient, adaptive = made
    assert breaker.inflight == semaphore.inflight == gradient.inflight == 0
    assert breaker.window.failures == 0
    assert adaptive.window.began == adaptive.window.calls
