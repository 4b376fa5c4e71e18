"""Storms: what calls do to services that fail, and how they come back, in virtual time, by the rules that calls go through."""

from __future__ import annotations

import asyncio
import heapq
import json
import random
from collections.abc import Generator
from typing import Any, Protocol

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.balance.endpoint import Endpoint
from qiantang.rpc.balance.matching import Consumer
from qiantang.rpc.client.going import Going
from qiantang.rpc.client.governing import Governor
from qiantang.rpc.governance.breaker import LEASE
from qiantang.rpc.model.context import CallContext
from qiantang.rpc.model.definition import definition_of, method, service
from qiantang.rpc.wire import headers

Steps = Generator[float, None, None]
LATENCY = 0.005


@service("test.Layer")
class Layer(Protocol):
    """What each calls of the next."""

    @method(idempotent=True, timeout=3.0)
    async def work(self) -> None: ...


WORK = definition_of(Layer).methods["work"]
PLACES = {WORK.path: 0}


class Clock:
    """Time that passes where the test says so; everything that waits goes on in its order."""

    def __init__(self) -> None:
        self.now = 100.0
        self._waiting: list[tuple[float, int, Steps]] = []
        self._number = 0

    def begin(self, at: float, steps: Steps) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (at, self._number, steps))

    def run(self) -> None:
        while self._waiting:
            self.now, _, steps = heapq.heappop(self._waiting)
            try:
                pause = next(steps)
            except StopIteration:
                continue
            self.begin(self.now + pause, steps)


class Tier:
    """A program: it answers by calling the next one, or fails where there is none."""

    def __init__(self, clock: Clock, below: Tier | None, seed: int, rule: dict[str, Any]) -> None:
        self.clock = clock
        self.below = below
        self.asked = 0
        self.governor: Governor[Endpoint] = Governor(Consumer(), random.Random(seed))
        self.governor.rule({"r": json.dumps(rule).encode()})
        nodes = [Node(name=f"n{number}", addresses={}, services={"test.Layer": Provided()}) for number in range(3)]
        self.governor.follow(tuple(Endpoint(node, clock.now) for node in nodes), clock.now)

    def answer(self, above: CallContext) -> Steps:
        self.asked += 1
        if self.below is None:
            raise rpc_errors.ConnectionLostError("it fails")
        yield from self.call(self.below, above)

    def call(self, below: Tier, above: CallContext) -> Steps:
        """Do what `Caller.call` does, with time that is made."""
        clock = self.clock
        going = self.governor.begin(WORK, WORK.arguments(), above, clock.now)
        failure: BaseException | None = None
        try:
            pause = going.wait(clock.now)
            while True:
                yield pause
                try:
                    going.target(clock.now)
                    header = going.header(PLACES, above, clock.now)
                    deadline = clock.now + header.timeout / 1000
                    yield LATENCY
                    yield from _over_the_wire(below.answer(CallContext(deadline=deadline, attempt=header.attempt)))
                    return
                except errors.QiantangError as error:
                    pause = going.failed(error, clock.now)
        except BaseException as error:
            failure = error
            raise
        finally:
            going.end(clock.now, failure)


def _over_the_wire(steps: Steps) -> Steps:
    try:
        yield from steps
    except errors.QiantangError as error:
        raise headers.read_error(headers.write_error(error)) from None


def _ends(steps: Steps) -> Steps:
    try:
        yield from steps
    except errors.QiantangError:
        return


QUIET = {
    "breaker": {"mode": "off"},
    "node_breaker": {"mode": "off"},
    "outlier": {"mode": "off"},
    "adaptive": {"mode": "off"},
}


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_retries_of_a_chain_do_not_multiply(layers: int) -> None:
    clock = Clock()
    tiers: list[Tier] = [Tier(clock, None, 0, QUIET)]
    for number in range(layers):
        tiers.append(Tier(clock, tiers[-1], number + 1, QUIET))
    calls, rate = 12_000, 100
    for number in range(calls):
        clock.begin(100.0 + number / rate, _ends(tiers[-1].call(tiers[-2], CallContext())))
    clock.run()
    asked = tiers[0].asked / calls
    assert asked <= 1.2 + 0.001, "retries are a fifth of the calls, however many layers there are"
    assert asked > 1.19, "and what the budget allows is used"
    assert [one.asked / calls for one in tiers[1:-1]] == [1.0] * (layers - 1), "only the lowest tries again"


RULES: list[dict[str, Any]] = [
    {},
    {"node_breaker": {"consecutive": 1, "probes": 1, "wait": 1, "longest_wait": 5}},
    {
        "breaker": {"min_calls": 1, "probes": 2, "wait": 1, "longest_wait": 5, "concurrency": 3},
        "retry": {"attempts": 5},
    },
    {
        "outlier": {"consecutive": 1, "ejection": 5, "longest_ejection": 10, "most": 1},
        "node_breaker": {"mode": "shadow"},
    },
    {"rate": {"per_second": 2, "burst": 2}, "concurrency": {"most": 2}, "gradient": {}},
    {"hedge": {"min_calls": 1, "most": 3}, "retry": {"budget": 1, "least": 100}, "adaptive": {"protect": 0}},
    {"breaker": {"force": "open"}},
    {"node_breaker": {"force": "closed"}, "timeout": {"seconds": 0.5}},
]
FAILURES: list[type[errors.QiantangError]] = [
    rpc_errors.NodeAwayError,
    rpc_errors.DeadlineError,
    rpc_errors.OverloadedError,
    rpc_errors.FailedError,
    errors.NotFoundError,
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["call", "call", "call", "end", "fail", "fail", "beside", "lost", "cancel", "rule", "sweep", "nodes"]
        ),
        st.floats(0, 2),
        st.integers(0, 1000),
    ),
    max_size=100,
)


class Crowd:
    """Calls under way of one caller, each with the attempts that it has beside its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.governor: Governor[Endpoint] = Governor(Consumer(), random.Random(3))
        nodes = [Node(name=f"n{number}", addresses={}, services={"test.Layer": Provided()}) for number in range(4)]
        self.endpoints = tuple(Endpoint(node, self.now) for node in nodes)
        self.governor.follow(self.endpoints, self.now)
        self.calls: list[tuple[Going[Endpoint], list[Going[Endpoint]]]] = []

    def step(self, what: str, which: int) -> None:
        getattr(self, f"_{what}")(which)

    def begin(self) -> Going[Endpoint] | None:
        try:
            going = self.governor.begin(WORK, WORK.arguments(), CallContext(), self.now)
        except errors.QiantangError:
            return None
        return self._send(going)

    def _send(self, going: Going[Endpoint]) -> Going[Endpoint] | None:
        try:
            going.wait(self.now)
            going.target(self.now)
        except errors.QiantangError as error:
            with pytest.raises(errors.QiantangError):
                going.failed(error, self.now)
            going.end(self.now, error)
            return None
        return going

    def _call(self, _: int) -> None:
        going = self.begin()
        if going is not None:
            self.calls.append((going, []))

    def _end(self, which: int) -> None:
        going = self._decided(which)
        if going is not None:
            going.end(self.now, None)

    def _fail(self, which: int) -> None:
        going = self._decided(which)
        if going is None:
            return
        error = FAILURES[which % len(FAILURES)]("a failure")
        try:
            self.now += going.failed(error, self.now)
        except errors.QiantangError as last:
            going.end(self.now, last)
            return
        if self._send(going) is not None:
            self.calls.append((going, []))

    def _beside(self, which: int) -> None:
        if self.calls:
            going, legs = self.calls[which % len(self.calls)]
            found = going.beside(legs, self.now)
            if found is not None:
                legs.append(found)

    def _lost(self, which: int) -> None:
        if self.calls:
            going, legs = self.calls[which % len(self.calls)]
            if legs:
                going.lost(legs.pop(which % len(legs)), FAILURES[which % len(FAILURES)]("a failure"), self.now)

    def _cancel(self, which: int) -> None:
        if self.calls:
            going, legs = self.calls.pop(which % len(self.calls))
            for leg in legs:
                leg.drop(self.now)
            going.end(self.now, asyncio.CancelledError())

    def _rule(self, which: int) -> None:
        assert self.governor.rule({f"r{which % 2}": json.dumps(RULES[which % len(RULES)]).encode()}).applied

    def _sweep(self, _: int) -> None:
        self.governor.sweep(self.now)

    def _nodes(self, which: int) -> None:
        self.governor.follow(self.endpoints[which % 3 :], self.now)

    def _decided(self, which: int) -> Going[Endpoint] | None:
        """Give a call with the attempt that decides it; the others are given up."""
        if not self.calls:
            return None
        going, legs = self.calls.pop(which % len(self.calls))
        if legs:
            going.take(legs.pop(which % len(legs)), self.now)
        for leg in legs:
            leg.drop(self.now)
        return going

    def under_way(self) -> list[int]:
        pieces = [piece for piece, _ in self.governor._states._held.values() if hasattr(piece, "inflight")]
        return [piece.inflight for piece in pieces] + [one.inflight for one in self.endpoints]


@given(STEPS)
def test_under_any_order_of_rules_and_events_nothing_stays_under_way_and_all_nodes_come_back(
    steps: list[tuple[str, float, int]],
) -> None:
    crowd = Crowd()
    for what, passed, which in steps:
        crowd.now += passed
        crowd.step(what, which)
    while crowd.calls:
        crowd.step("cancel", 0)
    assert not any(crowd.under_way())
    quick = {"wait": 1, "longest_wait": 5}
    rule = {"node_breaker": {"consecutive": 5, **quick}, "breaker": quick, "outlier": {"longest_ejection": 30}}
    for name in ("r0", "r1"):
        crowd.governor.rule({name: json.dumps(rule).encode()})
    crowd.governor.follow(crowd.endpoints, crowd.now)
    ends = crowd.now + LEASE + 60
    while crowd.now < ends:
        crowd.now += 1
        crowd.governor.sweep(crowd.now)
        answered(crowd)
    assert {answered(crowd) for _ in range(200)} == set(crowd.endpoints)
    assert not any(crowd.under_way())


def answered(crowd: Crowd) -> Endpoint | None:
    """Make a call that goes well; give where it went."""
    going = crowd.begin()
    if going is None:
        return None
    chosen = going.chosen
    crowd.now += 0.01
    going.end(crowd.now, None)
    return chosen
