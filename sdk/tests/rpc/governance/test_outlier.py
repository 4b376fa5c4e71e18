"""Ejection of nodes: for a reason, within its caps, and never the last one."""

from __future__ import annotations

import random

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance.outlier import Outliers
from qiantang.rpc.governance.verdict import Outcome
from qiantang.rpc.model.rules import OutlierRule


def made(nodes: int, **settings: object) -> Outliers:
    found = Outliers(OutlierRule(**{"jitter": 0, **settings}), random.Random(5))  # type: ignore[arg-type]
    found.follow([f"n{number}" for number in range(nodes)])
    return found


def fail(outliers: Outliers, node: str, now: float, times: int = 5, **how: bool) -> None:
    for _ in range(times):
        outliers.leave(now, node, Outcome.UNAVAILABLE, **how)


@pytest.mark.parametrize("is_local", [False, True])
def test_five_faults_in_a_row_put_a_node_out_for_thirty_seconds(is_local: bool) -> None:
    outliers = made(4)
    outliers.sweep(100.0)
    fail(outliers, "n0", 100.0, 4, is_local=is_local)
    outliers.leave(100.0, "n0", Outcome.BUSINESS)
    fail(outliers, "n0", 100.0, 4, is_local=is_local)
    outliers.leave(100.0, "n0", Outcome.CANCELLED)
    assert not outliers.is_out("n0")
    fail(outliers, "n0", 100.0, 1, is_local=is_local)
    assert outliers.is_out("n0")
    outliers.sweep(129.9)
    assert outliers.is_out("n0")
    outliers.follow(["n0", "n1", "n2", "n3", "n4"])
    assert outliers.is_out("n0"), "another node changes nothing for it"
    outliers.sweep(130.0)
    assert not outliers.is_out("n0")
    fail(outliers, "n0", 130.0, 4, is_local=is_local)
    assert not outliers.is_out("n0"), "it begins anew"
    fail(outliers, "n0", 130.0, 1, is_local=is_local)
    assert outliers.is_out("n0")


def test_faults_on_the_way_and_faults_of_the_node_are_counted_apart() -> None:
    outliers = made(4)
    for _ in range(4):
        fail(outliers, "n0", 100.0, 1, is_local=True)
        fail(outliers, "n0", 100.0, 1)
    assert not outliers.is_out("n0")


def test_each_time_it_is_out_for_longer_up_to_the_cap_and_clean_intervals_forgive() -> None:
    outliers, now, spans = made(4, longest_ejection=100), 100.0, []
    for _ in range(5):
        fail(outliers, "n0", now)
        began = now
        while outliers.is_out("n0"):
            now += 1.0
            outliers.sweep(now)
        spans.append(now - began)
    assert spans == [30, 60, 90, 100, 100]
    for _ in range(10):
        now += 10
        outliers.leave(now, "n0", Outcome.OK)
        outliers.sweep(now)
    fail(outliers, "n0", now)
    outliers.sweep(now + 29)
    assert outliers.is_out("n0")
    outliers.sweep(now + 31)
    assert not outliers.is_out("n0")


def test_a_success_rate_far_below_that_of_the_others_puts_a_node_out() -> None:
    outliers = made(6, consecutive=0)
    outliers.sweep(100.0)
    for number in range(6):
        for place in range(100):
            bad = place % 100 < (40 if number == 0 else 2)
            outliers.leave(101.0, f"n{number}", Outcome.INTERNAL if bad else Outcome.OK)
    outliers.sweep(110.0)
    assert outliers.ejected() == {"n0"}


@pytest.mark.parametrize(("nodes", "calls"), [(4, 200), (6, 99)])
def test_too_few_nodes_or_calls_say_nothing(nodes: int, calls: int) -> None:
    outliers = made(nodes, consecutive=0, failure_share=0)
    outliers.sweep(100.0)
    for number in range(nodes):
        for _ in range(calls):
            outliers.leave(101.0, f"n{number}", Outcome.INTERNAL if number == 0 else Outcome.OK)
    outliers.sweep(110.0)
    assert not outliers.ejected()


def test_all_equally_bad_are_no_outliers() -> None:
    outliers = made(6, consecutive=0, failure_share=0)
    outliers.sweep(100.0)
    for number in range(6):
        for place in range(100):
            outliers.leave(101.0, f"n{number}", Outcome.INTERNAL if place % 2 else Outcome.OK)
    outliers.sweep(110.0)
    assert not outliers.ejected()


def test_a_node_that_fails_nearly_always_goes_though_there_are_few() -> None:
    outliers = made(3, consecutive=0)
    outliers.sweep(100.0)
    for place in range(50):
        outliers.leave(101.0, "n1", Outcome.OK if place % 10 == 0 else Outcome.TIMEOUT)
    outliers.sweep(110.0)
    assert outliers.ejected() == {"n1"}


def test_in_panic_nobody_is_out() -> None:
    outliers = made(10)
    fail(outliers, "n0", 100.0)
    outliers.sweep(100.0)
    assert outliers.is_out("n0")
    outliers.sweep(101.0, healthy=4)
    assert outliers.panic
    assert not outliers.is_out("n0")
    outliers.sweep(102.0, healthy=5)
    assert outliers.is_out("n0")


def test_when_the_well_nodes_go_the_one_whose_time_ends_first_comes_in_again() -> None:
    outliers = made(10, most=0.5)
    fail(outliers, "n0", 100.0)
    fail(outliers, "n1", 105.0)
    outliers.follow(["n0", "n1"])
    outliers.sweep(106.0)
    assert outliers.ejected() == {"n1"}
    outliers.follow(["n1"])
    assert not outliers.ejected()


def test_in_shadow_it_is_seen_and_stays() -> None:
    outliers = made(4, mode="shadow")
    fail(outliers, "n0", 100.0)
    assert outliers.ejected() == {"n0"}
    assert not outliers.is_out("n0")


EVENTS = st.lists(
    st.tuples(st.integers(0, 11), st.floats(0, 15), st.integers(0, 12), st.booleans(), st.integers(0, 12)), max_size=60
)


@given(st.integers(0, 12), st.sampled_from([0.0, 0.1, 0.3, 1.0]), EVENTS)
def test_never_more_than_its_share_is_out_and_never_the_last_node(
    nodes: int, most: float, events: list[tuple[int, float, int, bool, int]]
) -> None:
    outliers, now = made(nodes, most=most, panic=0), 100.0
    there = nodes
    for node, passed, times, is_local, left in events:
        now += passed
        fail(outliers, f"n{node}", now, times, is_local=is_local)
        if left < 3:
            there = left + nodes // 2
            outliers.follow([f"n{number}" for number in range(there)])
        elif left < 8:
            outliers.sweep(now)
        out = outliers.ejected()
        if there == nodes:
            assert len(out) <= max(1, int(most * nodes))
        assert there == 0 or sum(not outliers.is_out(f"n{number}") for number in range(there)) >= 1
