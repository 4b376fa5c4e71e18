"""A new node takes more and more of its weight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors, wire
from qiantang.rpc.balance.slow_start import SlowStart
from sdk.tests.rpc.balance.fleet import equals, fleet


@pytest.mark.parametrize(
    ("age", "aggression", "weight"),
    [(0, 1.0, 10), (1, 1.0, 10), (6, 1.0, 10), (30, 1.0, 50), (59, 1.0, 100 * 59 / 60), (60, 1.0, 100), (15, 2.0, 50)],
)
def test_the_weight_follows_envoys_formula(age: float, aggression: float, weight: float) -> None:
    (endpoint,) = equals(1)
    assert SlowStart(aggression=aggression).weight(endpoint, age) == pytest.approx(weight)


def test_a_short_window_begins_with_its_first_second() -> None:
    (endpoint,) = equals(1)
    assert SlowStart(window=4).weight(endpoint, 0.0) == 25.0


@given(
    ages=st.lists(st.floats(-10, 7200), min_size=2, max_size=20),
    window=st.floats(0, 3600),
    aggression=st.floats(0.1, 10),
    least=st.floats(0.1, 100),
    said=st.integers(0, 10_000),
)
def test_it_only_grows_and_never_passes_what_the_node_weighs(
    ages: list[float], window: float, aggression: float, least: float, said: int
) -> None:
    (endpoint,) = fleet({"a": said})
    slow = SlowStart(window=window, aggression=aggression, least_percent=least)
    found = [slow.weight(endpoint, age) for age in sorted(ages)]
    assert found == sorted(found)
    assert said * least / 100 <= found[0] * (1 + 1e-9)
    assert found[-1] <= said


def test_a_changed_weight_makes_a_new_tuple_and_none_keeps_the_old() -> None:
    endpoints, slow = equals(3), SlowStart()
    warming = slow.apply(endpoints, 30.0)
    assert warming is not endpoints
    assert warming == endpoints
    assert [one.weight for one in warming] == [50.0] * 3
    done = slow.apply(warming, 60.0)
    assert slow.apply(done, 1000.0) is done


def test_a_window_of_nothing_takes_all_at_once() -> None:
    endpoints = equals(1)
    assert SlowStart(window=0).apply(endpoints, 0.0) is endpoints


def test_bounds_are_checked() -> None:
    for wrong in ({"window": -1}, {"aggression": 0}, {"least_percent": 0}, {"windows": 1}):
        with pytest.raises(errors.InvalidRequestError):
            wire.convert(wrong, SlowStart)
