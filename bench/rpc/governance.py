"""What each piece of governance costs a call, in CPU time of one core: `python -m bench.rpc.governance`.

The best of seven rounds, less the loop and the ticket that every call has anyway. The last line is one JSON object.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

from qiantang.rpc.governance.access import Access
from qiantang.rpc.governance.adaptive import Adaptive
from qiantang.rpc.governance.breaker import Breaker
from qiantang.rpc.governance.concurrency import Gradient
from qiantang.rpc.governance.faults import Faults
from qiantang.rpc.governance.hedge import Hedge
from qiantang.rpc.governance.histogram import Histogram
from qiantang.rpc.governance.hot import HotParameter
from qiantang.rpc.governance.limits import Pacing, Semaphore, TokenBucket, WarmUp
from qiantang.rpc.governance.outlier import Outliers
from qiantang.rpc.governance.retry import Budget, Failure, Retries
from qiantang.rpc.governance.shedding import Load, Shedder
from qiantang.rpc.governance.verdict import Outcome, Ticket
from qiantang.rpc.governance.votes import Votes
from qiantang.rpc.model import rules

CALLS = 200_000
ROUNDS = 7
STEP = 1e-5
Loop = Callable[[], None]


def each(step: Callable[[float, Ticket], object]) -> Loop:
    """Call a step for each of many calls. It costs one more call, which is taken off with the loop."""

    def loop() -> None:
        now = 1000.0
        for _ in range(CALLS):
            now += STEP
            step(now, Ticket(now, now + 3))

    return loop


def pair(piece: Any) -> Loop:
    """Enter and leave a piece."""

    def loop() -> None:
        now, enter, leave, outcome = 1000.0, piece.enter, piece.leave, Outcome.OK
        for _ in range(CALLS):
            now += STEP
            ticket = Ticket(now, now + 3)
            enter(now, ticket)
            leave(now, ticket, outcome)

    return loop


def bare() -> None:
    now = 1000.0
    for _ in range(CALLS):
        now += STEP
        Ticket(now, now + 3)


def measure(loop: Loop) -> float:
    """Give the nanoseconds of one round of the loop."""
    found: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        loop()
        found.append((time.process_time_ns() - began) / CALLS)
    return min(found)


def opened(chance: random.Random) -> Breaker:
    breaker = Breaker("r", rules.BreakerRule(consecutive=1, wait=86400, longest_wait=86400), chance)
    ticket = Ticket(999.0, 1002.0)
    breaker.enter(999.0, ticket)
    breaker.leave(999.0, ticket, Outcome.INTERNAL)
    return breaker


def pairs(chance: random.Random) -> dict[str, Loop]:
    quiet, hot = Load(), Load()
    for _ in range(50):
        hot.observe(5, 1)
    return {
        "breaker": pair(Breaker("r", rules.BreakerRule(), chance)),
        "adaptive": pair(Adaptive("r", rules.AdaptiveRule(), chance)),
        "semaphore": pair(Semaphore("r", rules.ConcurrencyRule(10))),
        "token bucket": pair(TokenBucket("r", rules.RateRule(1e6, 100))),
        "token bucket, refusing": pair(TokenBucket("r", rules.RateRule(0.01))),
        "warm-up": pair(WarmUp("r", rules.RateRule(1e6, 100, 10))),
        "pacing": pair(Pacing("r", rules.RateRule(1e6, pace=1))),
        "gradient": pair(Gradient("r", rules.GradientRule())),
        "shedding": pair(Shedder("r", rules.SheddingRule(), quiet)),
        "shedding, overloaded": pair(Shedder("r", rules.SheddingRule(), hot)),
    }


def steps(chance: random.Random) -> dict[str, Loop]:
    """What has no pair. A lambda around it is part of the figure, some 40 ns."""
    shut, budget = opened(chance), Budget(rules.RetryRule())
    hot = HotParameter("r", rules.HotRule("a", 1e6, 1000))
    values = iter([f"user-{int(chance.paretovariate(1)) % 100_000}" for _ in range(CALLS)] * ROUNDS)
    fault = rules.FaultRule(until=1e9, delay=1, delay_share=0.1, abort_share=0.1)
    faults, access = Faults("r", [fault], chance, 0.0), Access("r", ["shop"], ["bank"], ["shop/cart"])
    histogram, votes, nodes = Histogram(), Votes(rules.VotesRule()), Outliers(rules.OutlierRule(), chance)
    nodes.follow([f"n{number}" for number in range(20)])
    hedge, retries = Hedge("r", rules.HedgeRule(), budget), Retries("r", rules.RetryRule(), chance)
    failure = Failure(Outcome.TIMEOUT)
    return {
        "breaker, open": each(shut.enter),
        "hot value": each(lambda now, _: hot.enter(now, next(values))),
        "faults": each(faults.enter),
        "access": each(lambda now, _: access.enter("shop", "cart")),
        "histogram": each(lambda now, _: histogram.record(0.0123)),
        "votes": each(lambda now, _: votes.is_out("n1")),
        "outliers": each(lambda now, _: nodes.is_out("n1") or nodes.leave(now, "n1", Outcome.OK)),
        "budget": each(lambda now, _: budget.deposit(now)),
        "hedge": each(lambda now, ticket: (hedge.delay(now), hedge.leave(now + 0.01, ticket, Outcome.OK))),
        "retry, after a failure": each(lambda now, ticket: retries.decide(now, ticket, 1, failure, is_idempotent=True)),
    }


def main() -> None:
    chance = random.Random(1)
    idle = measure(bare)
    found = {name: round(measure(loop) - idle) for name, loop in (pairs(chance) | steps(chance)).items()}
    for name, cost in found.items():
        print(f"{name:26}{cost:6} ns")
    print(json.dumps({"nanoseconds": found}))


if __name__ == "__main__":
    main()
