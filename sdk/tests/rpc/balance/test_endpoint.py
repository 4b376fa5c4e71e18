"""What a process remembers of a node: latency that jumps and decays, success, and when it began."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.rpc.balance.endpoint import PENALTY, TAU, Endpoint
from sdk.tests.rpc.balance.fleet import equals


def one() -> Endpoint:
    return equals(1)[0]


def answered(endpoint: Endpoint, took: float, now: float, *, is_fault: bool = False) -> None:
    endpoint.begin(now - took)
    endpoint.end(took, now, is_fault=is_fault)


def test_a_slow_answer_counts_at_once_and_a_fast_one_little_by_little() -> None:
    endpoint = one()
    answered(endpoint, 0.01, 1.0)
    answered(endpoint, 2.0, 3.0)
    assert endpoint.cost == 2.0
    answered(endpoint, 0.01, 3.0)
    assert endpoint.cost == 2.0, "no time has gone by"
    answered(endpoint, 0.01, 3.0 + TAU)
    assert endpoint.cost == pytest.approx(2.0 / 2.718281828 + 0.01 * (1 - 1 / 2.718281828))


def test_what_was_observed_decays_and_reading_it_changes_nothing() -> None:
    endpoint = one()
    answered(endpoint, 1.0, 1.0)
    assert endpoint.load(1.0 + TAU) == pytest.approx(1.0 / 2.718281828 / 100)
    assert (endpoint.cost, endpoint.stamp) == (1.0, 1.0)
    assert endpoint.load(1e9) == 0.0


def test_the_first_call_to_an_unknown_node_is_free_and_the_second_waits_for_it() -> None:
    endpoint = one()
    assert endpoint.load(0.0) == 0.0
    endpoint.begin(0.0)
    assert endpoint.load(0.0) == PENALTY + 1


def test_a_node_that_fails_is_not_healthy_until_it_answers_again() -> None:
    endpoint = one()
    for second in range(10):
        answered(endpoint, 0.1, 1.0 + second, is_fault=True)
    assert not endpoint.is_healthy
    for second in range(10):
        answered(endpoint, 0.1, 11.0 + second)
    assert endpoint.is_healthy


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-10, 100), st.booleans()), max_size=30))
def test_figures_stay_within_bounds_even_where_time_runs_back(calls: list[tuple[float, float, bool]]) -> None:
    endpoint = one()
    for took, now, is_fault in calls:
        answered(endpoint, took, now, is_fault=is_fault)
    assert 0.0 <= endpoint.success <= 1.0 + 1e-12
    assert 0.0 <= endpoint.cost <= max([took for took, _, _ in calls], default=0.0) * (1 + 1e-12)
    assert endpoint.inflight == 0


def test_a_node_that_started_again_begins_anew_whatever_its_clock_says() -> None:
    for started_at in (-1e9, 0.5, 1e12):
        endpoint = one()
        answered(endpoint, 1.0, 5.0, is_fault=True)
        endpoint.begin(6.0)
        endpoint.update(msgspec.structs.replace(endpoint.node, started_at=started_at), 7.0)
        assert (endpoint.first_seen, endpoint.cost, endpoint.success) == (7.0, 0.0, 1.0)
        assert endpoint.inflight == 1, "that call will end"


def test_what_is_said_of_a_node_changes_and_its_history_stays() -> None:
    endpoint = one()
    answered(endpoint, 1.0, 5.0)
    endpoint.update(msgspec.structs.replace(endpoint.node, weight=30, zone="b"), 7.0)
    assert (endpoint.weight, endpoint.node.zone, endpoint.first_seen, endpoint.cost) == (30.0, "b", 0.0, 1.0)


def test_a_node_that_becomes_ready_begins_then() -> None:
    endpoint = one()
    endpoint.update(msgspec.structs.replace(endpoint.node, state="starting"), 3.0)
    assert endpoint.first_seen == 0.0
    endpoint.update(msgspec.structs.replace(endpoint.node, state="ready"), 9.0)
    assert endpoint.first_seen == 9.0
