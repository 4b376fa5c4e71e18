"""Shedding: nothing without a sign of overload; with one, what is over the limit, the least important first."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance.shedding import Load, Shedder
from qiantang.rpc.governance.verdict import Outcome, Priority, Ticket
from qiantang.rpc.model.rules import SheddingRule


def made(**settings: object) -> tuple[Shedder, Load]:
    rule = SheddingRule(**settings)  # type: ignore[arg-type]
    load = Load()
    return Shedder("s", rule, load), load


def busy(load: Load) -> None:
    for _ in range(50):
        load.observe(0.2, 0.5)


def work(shedder: Shedder, start: float) -> None:
    """Ten seconds of 100 calls a second that take 100 ms each: ten under way."""
    under_way: list[Ticket] = []
    for place in range(1000):
        now = start + place / 100
        while under_way and under_way[0].begun + 0.1 <= now:
            shedder.leave(now, under_way.pop(0), Outcome.OK)
        ticket = Ticket(now, now + 3)
        assert shedder.enter(now, ticket) is None
        under_way.append(ticket)
    for ticket in under_way:
        shedder.leave(start + 10.05, ticket, Outcome.OK)


def test_without_a_sign_everything_runs() -> None:
    shedder, _ = made()
    assert all(shedder.enter(100.0, Ticket(100.0, 103.0)) is None for _ in range(10_000))
    assert shedder.inflight == 10_000


@pytest.mark.parametrize(("lag", "cpu"), [(0.2, 0.0), (0.0, 1.0)])
def test_a_late_loop_or_a_full_core_is_a_sign_for_a_second(lag: float, cpu: float) -> None:
    shedder, load = made()
    load.observe(lag, cpu / 3)
    assert not shedder.is_overloaded(100.0), "once is nothing"
    for _ in range(50):
        load.observe(lag, cpu)
    assert shedder.is_overloaded(100.0)
    for _ in range(50):
        load.observe(0.0, 0.0)
    assert shedder.is_overloaded(100.9)
    assert not shedder.is_overloaded(101.1)


def test_calls_that_wait_for_long_are_a_sign() -> None:
    shedder, load = made()
    for _ in range(50):
        load.waited(0.1, 1.0)
    assert not shedder.is_overloaded(100.0)
    for _ in range(50):
        load.waited(0.5, 1.0)
    load.observe(0.0, 0.0)
    assert load.queue == 0.5
    assert shedder.is_overloaded(100.0)
    for _ in range(10):
        load.observe(0.0, 0.0)
    assert not shedder.is_overloaded(101.5), "without new waits it fades"


@pytest.mark.parametrize(
    ("priority", "most"), [(Priority.BATCH, 10), (Priority.NORMAL, 13), (Priority.HIGH, 16), (Priority.CRITICAL, 20)]
)
def test_under_overload_each_priority_gets_its_part_of_what_got_done_lately(priority: Priority, most: int) -> None:
    shedder, load = made()
    work(shedder, 100.0)
    busy(load)
    taken = sum(shedder.enter(110.2, Ticket(110.2, 113.0, priority)) is None for _ in range(100))
    assert shedder.limit == pytest.approx(10, abs=2)
    assert taken == pytest.approx(most * shedder.limit / 10, abs=1)
    assert shedder.inflight == taken


def test_shadow_and_off() -> None:
    for mode, would in (("shadow", 99), ("off", 0)):
        shedder, load = made(mode=mode)
        busy(load)
        assert all(shedder.enter(100.0, Ticket(100.0, 103.0, 0)) is None for _ in range(100))
        assert shedder.would_refuse == would


@given(
    st.lists(st.tuples(st.sampled_from(["in", "out", "lag", "ok"]), st.floats(0, 3), st.integers(0, 3)), max_size=150)
)
def test_one_always_runs_and_who_is_more_important_is_never_refused_before_who_is_less(
    steps: list[tuple[str, float, int]],
) -> None:
    shedder, load = made()
    now, under_way = 100.0, []
    for what, passed, priority in steps:
        now += passed
        if what == "in":
            runs = len(under_way)
            ticket = Ticket(now, now + 3, priority)
            refusal = shedder.enter(now, ticket)
            if refusal is None:
                under_way.append(ticket)
            else:
                assert shedder.is_overloaded(now)
                assert runs >= 1
                for lower in range(priority):
                    assert shedder.enter(now, Ticket(now, now + 3, lower)) is not None
        elif what == "out" and under_way:
            shedder.leave(now, under_way.pop(), Outcome.OK)
        elif what in {"lag", "ok"}:
            load.observe(5.0 if what == "lag" else 0.0, 0.0)
        assert shedder.inflight == len(under_way)
        assert shedder.limit >= 1
