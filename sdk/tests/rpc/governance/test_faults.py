"""Faults on purpose: as often as said, for whom said, and not a moment longer."""

from __future__ import annotations

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance.faults import Faults
from qiantang.rpc.governance.verdict import Refusal, Ticket
from qiantang.rpc.model.rules import FaultRule

SINCE = 1_700_000_000.0
"""Wall clock at moment 0 of the monotonic one."""


def made(*rules: FaultRule) -> Faults:
    return Faults("f", rules, random.Random(6), SINCE)


def until(moment: float) -> float:
    return SINCE + moment


def test_shares_are_kept() -> None:
    faults = made(FaultRule(until=until(1000), delay=0.5, delay_share=0.3, abort_share=0.2))
    found = [faults.enter(100.0, Ticket(100.0, 103.0)) for _ in range(10_000)]
    aborted = sum(isinstance(one, Refusal) for one in found)
    delayed = sum(one == 0.5 for one in found)
    assert aborted / 10_000 == pytest.approx(0.2, abs=0.02)
    assert delayed / (10_000 - aborted) == pytest.approx(0.3, abs=0.02)
    assert (faults.aborted, faults.delayed) == (aborted, delayed)


def test_past_its_time_a_fault_does_nothing() -> None:
    faults = made(FaultRule(until=until(100), abort_share=1.0), FaultRule(until=until(200), delay=1.0, delay_share=1.0))
    assert isinstance(faults.enter(99.9, Ticket(99.9, 103.0)), Refusal)
    assert faults.enter(100.0, Ticket(100.0, 103.0)) == 1.0
    assert faults.enter(200.0, Ticket(200.0, 203.0)) == 0.0


def test_a_tag_says_whom_it_is_for() -> None:
    faults = made(FaultRule(until=until(1000), abort_share=1.0, tag="canary"))
    assert faults.enter(100.0, Ticket(100.0, 103.0)) == 0.0
    assert faults.enter(100.0, Ticket(100.0, 103.0), "blue") == 0.0
    refusal = faults.enter(100.0, Ticket(100.0, 103.0), "canary")
    assert isinstance(refusal, Refusal)
    assert refusal.kind == "fault"


def test_without_rules_nothing_happens() -> None:
    assert made().enter(0.0, Ticket(0.0, 3.0)) == 0.0


@given(st.lists(st.floats(0, 60), max_size=5), st.floats(0, 10))
def test_nobody_is_made_late_beyond_his_deadline(delays: list[float], span: float) -> None:
    faults = made(*(FaultRule(until=until(1000), delay=delay, delay_share=1.0) for delay in delays))
    wait = faults.enter(100.0, Ticket(100.0, 100.0 + span))
    assert wait == pytest.approx(min(sum(delays), span))
