"""Least active: exact for few, two by chance for many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.rpc.balance.picking.active import FEW, LeastActive
from sdk.tests.rpc.balance.fleet import chance, counted, equals, fleet, surprise


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 100)), min_size=1, max_size=FEW), st.integers(0, 99))
def test_of_few_it_is_the_least_for_its_weight(figures: list[tuple[int, int]], seed: int) -> None:
    endpoints = fleet({f"n{number}": weight for number, (_, weight) in enumerate(figures)})
    for endpoint, (inflight, _) in zip(endpoints, figures, strict=True):
        endpoint.inflight = inflight
    chosen = LeastActive(chance(seed)).pick(endpoints, "", 0.0)
    assert chosen.inflight / chosen.weight == min(inflight / weight for inflight, weight in figures)


def test_equals_are_taken_as_they_weigh() -> None:
    weights = {"a": 10, "b": 20, "c": 30, "d": 140}
    found = counted(LeastActive(chance()), fleet(weights), 20_000)
    assert surprise(found, {name: 100.0 * weight for name, weight in weights.items()}) < 16.3


def test_of_many_the_busiest_is_never_taken() -> None:
    endpoints, picker = equals(20), LeastActive(chance())
    endpoints[3].inflight = 1
    found = counted(picker, endpoints, 2000)
    assert endpoints[3].node.name not in found
    assert len(found) == 19


def test_of_many_equals_the_heavier_is_taken_more() -> None:
    light, heavy = ({f"{kind}{number}": weight for number in range(5)} for kind, weight in (("l", 10), ("h", 190)))
    found = counted(LeastActive(chance()), fleet(light | heavy), 5000)
    # both light: 2 of 9 draws; one of each: 5 of 9 draws, of which the light takes a twentieth
    assert sum(found[name] for name in light) / 5000 == pytest.approx(2 / 9 + 5 / 9 / 20, abs=0.02)


def test_calls_that_stay_open_are_spread_evenly() -> None:
    for count in (5, 40):
        endpoints, picker = equals(count), LeastActive(chance())
        for _ in range(count * 50):
            picker.pick(endpoints, "", 0.0).begin(0.0)
        assert max(one.inflight for one in endpoints) - min(one.inflight for one in endpoints) <= 6


def test_why_names_those_that_were_looked_at() -> None:
    endpoints, picker = equals(20), LeastActive(chance())
    chosen = picker.pick(endpoints, "", 0.0)
    assert "it and n" in picker.why(endpoints, chosen, 0.0)
    few = equals(2)
    assert picker.why(few, picker.pick(few, "", 0.0), 0.0).endswith("the fewest of all")
