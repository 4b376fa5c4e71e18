"""What every algorithm promises, whatever the endpoints."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.kernel import errors
from qiantang.rpc.balance import picking
from qiantang.rpc.balance.picking.prepared import MOST_KEPT, Prepared
from sdk.tests.rpc.balance.fleet import chance, counted, equals, fleet

WEIGHTS = st.dictionaries(st.sampled_from("abcdefghijklmnop"), st.integers(0, 10_000), min_size=1)


def test_the_names_are_as_users_know_them() -> None:
    assert picking.NAMES == (
        "round_robin",
        "random",
        "weighted_round_robin",
        "weighted_random",
        "consistent_hash",
        "least_active",
        "peak_ewma",
    )
    assert picking.DEFAULT == "peak_ewma"
    assert [picking.make(name, chance()).name for name in picking.NAMES] == list(picking.NAMES)


def test_an_unknown_name_is_told_with_all_that_are_known() -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        picking.make("roundrobin", chance())
    assert "'roundrobin'" in caught.value.detail
    assert all(name in caught.value.detail for name in picking.NAMES)


@pytest.mark.parametrize("name", picking.NAMES)
@given(weights=WEIGHTS, seed=st.integers(0, 1000), key=st.text(max_size=5), busy=st.lists(st.integers(0, 20)))
def test_what_weighs_nothing_is_taken_only_where_nothing_weighs(
    name: str, weights: dict[str, int], seed: int, key: str, busy: list[int]
) -> None:
    endpoints, picker = fleet(weights), picking.make(name, chance(seed))
    for endpoint, inflight in zip(endpoints, busy, strict=False):
        endpoint.inflight = inflight
    may = {one for one, weight in weights.items() if weight} or set(weights)
    for now in range(30):
        found = picker.pick(endpoints, key, float(now))
        assert found in endpoints
        assert found.node.name in may
        assert picker.why(endpoints, found, float(now))


@pytest.mark.parametrize("name", picking.NAMES)
def test_nodes_come_and_go_and_little_is_kept_of_them(name: str) -> None:
    picker, endpoints = picking.make(name, chance()), equals(6)
    for some in 2 * list(itertools.permutations(endpoints, 3)):
        assert picker.pick(some, "key", 0.0) in some
    prepared = [value for value in vars(picker).values() if isinstance(value, Prepared)]
    assert len(prepared) == 1
    assert len(vars(prepared[0])["_kept"]) <= MOST_KEPT


@pytest.mark.parametrize("name", picking.NAMES)
@given(weights=WEIGHTS, seed=st.integers(0, 1000), data=st.data())
def test_another_attempt_goes_to_another(name: str, weights: dict[str, int], seed: int, data: st.DataObject) -> None:
    endpoints, picker = fleet(weights), picking.make(name, chance(seed))
    tried = data.draw(st.sets(st.sampled_from(endpoints)))
    found = picking.pick_other(picker, endpoints, "key", 1.0, tried)
    may = {one for one in endpoints if one.weight} or set(endpoints)
    assert found in (may - tried or may)


@pytest.mark.parametrize("name", picking.NAMES)
def test_the_same_chance_gives_the_same_calls(name: str) -> None:
    first, second = (picking.make(name, chance(3)) for _ in range(2))
    endpoints = equals(12)
    assert [first.pick(endpoints, "", 0.0) for _ in range(50)] == [second.pick(endpoints, "", 0.0) for _ in range(50)]


@pytest.mark.parametrize("name", picking.NAMES)
def test_all_are_reached_where_nothing_tells_them_apart(name: str) -> None:
    assert len(counted(picking.make(name, chance()), equals(12), 2000)) == 12
