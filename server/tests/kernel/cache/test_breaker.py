"""The breaker, against a model of what it promises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiantang_server.kernel.cache.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_probes_once() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=3, pause=1, longest_pause=4)
    for outcome in (False, False, True, False, False):
        ticket = breaker.enter()
        assert ticket is not None
        assert not (breaker.succeeded(ticket) if outcome else breaker.failed(ticket))
    ticket = breaker.enter()
    assert ticket is not None
    assert breaker.failed(ticket)
    assert breaker.is_open
    assert breaker.enter() is None
    clock.now += 1
    probe = breaker.enter()
    assert probe is not None
    assert breaker.enter() is None, "one probe at a time"
    assert not breaker.failed(probe), "it was open before"
    clock.now += 1.9
    assert breaker.enter() is None, "the pause doubles"
    clock.now += 0.1
    probe = breaker.enter()
    assert probe is not None
    assert breaker.succeeded(probe)
    assert not breaker.is_open


def test_the_pause_is_bounded_and_starts_short_again() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=1, pause=1, longest_pause=4)
    breaker.failed(breaker.enter() or 0)
    for pause in (1, 2, 4, 4, 4):
        clock.now += pause - 0.01
        assert breaker.enter() is None
        clock.now += 0.01
        probe = breaker.enter()
        assert probe is not None
        breaker.failed(probe)
    clock.now += 4
    breaker.succeeded(breaker.enter() or 0)
    breaker.failed(breaker.enter() or 0)
    clock.now += 1
    assert breaker.enter() is not None


def test_an_abandoned_probe_frees_its_place() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=1, pause=1)
    breaker.failed(breaker.enter() or 0)
    clock.now += 1
    probe = breaker.enter()
    assert probe is not None
    breaker.abandoned(probe)
    assert breaker.enter() is not None


def test_late_news_count_nothing() -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=1, pause=1)
    early, other = breaker.enter(), breaker.enter()
    assert early is not None
    assert other is not None
    breaker.failed(early)
    assert not breaker.succeeded(other), "it began before the outage: not a probe"
    assert breaker.is_open
    assert not breaker.failed(other)
    clock.now += 1
    assert breaker.enter() is not None


@given(st.lists(st.sampled_from(["enter", "succeed", "fail", "abandon", "wait"]), max_size=200))
def test_whatever_happens_it_never_stays_shut(steps: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(clock, failures=2, pause=1, longest_pause=3)
    tickets: list[int] = []
    for step in steps:
        if step == "enter":
            was_open = breaker.is_open
            ticket = breaker.enter()
            if ticket is not None:
                if was_open:
                    assert breaker.enter() is None, "a second probe"
                tickets.append(ticket)
        elif step == "wait":
            clock.now += 1.5
        elif tickets:
            ticket = tickets.pop()
            {"succeed": breaker.succeeded, "fail": breaker.failed, "abandon": breaker.abandoned}[step](ticket)
    for ticket in tickets:
        breaker.abandoned(ticket)
    clock.now += 3
    assert breaker.enter() is not None
