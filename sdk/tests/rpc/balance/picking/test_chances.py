"""Chances are as they should be: chi-square under a fixed seed stays below what one in a thousand would pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiantang.rpc.balance.picking.chances import Random, WeightedRandom, Wheel
from sdk.tests.rpc.balance.fleet import chance, counted, equals, fleet, surprise

BOUND_9 = 27.9
BOUND_3 = 16.3


def test_random_takes_all_alike_whatever_they_weigh() -> None:
    weights = {f"n{number}": 1 + 50 * number for number in range(10)}
    found = counted(Random(chance()), fleet(weights), 20_000)
    assert surprise(found, dict.fromkeys(weights, 2000.0)) < BOUND_9


def test_weighted_random_takes_each_as_it_weighs() -> None:
    weights = {"a": 10, "b": 20, "c": 30, "d": 140}
    found = counted(WeightedRandom(chance()), fleet(weights), 20_000)
    assert surprise(found, {name: 100.0 * weight for name, weight in weights.items()}) < BOUND_3


def test_weights_are_read_again_from_a_new_tuple() -> None:
    picker, endpoints = WeightedRandom(chance()), equals(2)
    counted(picker, endpoints, 10)
    endpoints[0].weight = 0.0
    assert counted(picker, (*endpoints,), 100) == {"n01": 100}


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=20))
def test_the_whole_wheel_is_given_out(weights: list[int]) -> None:
    endpoints = fleet({f"n{number}": weight for number, weight in enumerate(weights)})
    wheel = Wheel(endpoints)
    assert wheel.at(0.0) is endpoints[0]
    assert wheel.at(1 - 2**-53) is endpoints[-1]
