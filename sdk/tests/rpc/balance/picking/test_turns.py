"""Turns: exact sequences, and what stays of them when nodes come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qiantang.rpc.balance.endpoint import Endpoint, Endpoints
from qiantang.rpc.balance.picking.turns import RoundRobin, WeightedRoundRobin
from sdk.tests.rpc.balance.fleet import chance, counted, equals, fleet


def sequence(picker: RoundRobin | WeightedRoundRobin, endpoints: Endpoints, calls: int) -> str:
    return "".join(picker.pick(endpoints, "", 0.0).node.name for _ in range(calls))


def test_the_weighted_sequence_is_that_of_nginx() -> None:
    picker, endpoints = WeightedRoundRobin(chance()), fleet({"a": 5, "b": 1, "c": 1})
    assert sequence(picker, endpoints, 14) == "aabacaa" * 2


def test_another_sequence_worked_out_by_hand() -> None:
    assert sequence(WeightedRoundRobin(chance()), fleet({"a": 4, "b": 2, "c": 1}), 14) == "abacaba" * 2


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 30), min_size=1))
def test_in_a_round_each_has_exactly_its_weight(weights: dict[str, int]) -> None:
    picker, endpoints = WeightedRoundRobin(chance()), fleet(weights)
    for _ in range(2):
        assert counted(picker, endpoints, sum(weights.values())) == weights


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 30), min_size=1))
def test_at_no_time_is_one_a_whole_turn_per_node_ahead_or_behind(weights: dict[str, int]) -> None:
    picker, endpoints, total = WeightedRoundRobin(chance()), fleet(weights), sum(weights.values())
    had = dict.fromkeys(weights, 0)
    for calls in range(1, 2 * total + 1):
        had[picker.pick(endpoints, "", 0.0).node.name] += 1
        assert all(abs(had[name] - calls * weight / total) <= len(weights) for name, weight in weights.items())


def test_a_new_tuple_of_the_same_goes_on_where_the_old_one_was() -> None:
    picker, endpoints = WeightedRoundRobin(chance()), fleet({"a": 5, "b": 1, "c": 1})
    assert "".join(sequence(picker, (*endpoints,), 1) for _ in range(14)) == "aabacaa" * 2


def test_a_great_weight_that_becomes_small_does_not_leave_the_others_turns_ahead() -> None:
    endpoints = fleet({"a": 10_000, "b": 1, "c": 1})
    picker = WeightedRoundRobin(chance())
    sequence(picker, endpoints, 5_000)
    endpoints[0].weight = 1.0
    after = sequence(picker, (*endpoints,), 12)
    assert min(after.count(name) for name in "abc") >= 3


def test_a_node_that_comes_is_not_flooded() -> None:
    a, b, c = fleet({"a": 3, "b": 3, "c": 3})
    picker = WeightedRoundRobin(chance())
    sequence(picker, (a, b), 101)
    assert sequence(picker, (a, b, c), 9).count("c") == 3


def test_round_robin_takes_each_in_turn_whatever_it_weighs() -> None:
    found = sequence(RoundRobin(chance()), fleet({"a": 5, "b": 1, "c": 1}), 9)
    assert found in {"abc" * 3, "bca" * 3, "cab" * 3}


def test_clients_do_not_all_begin_with_the_same() -> None:
    endpoints = equals(4)
    assert len({RoundRobin(chance(seed)).pick(endpoints, "", 0.0) for seed in range(50)}) == 4


def test_two_choices_of_routes_have_turns_of_their_own() -> None:
    picker, all_of_them = RoundRobin(chance()), equals(4)
    blue, green = all_of_them[:2], all_of_them[2:]
    found: list[Endpoint] = []
    for _ in range(20):
        found += [picker.pick(blue, "", 0.0), picker.pick(green, "", 0.0)]
    assert [found.count(one) for one in all_of_them] == [10] * 4


def test_round_robin_goes_on_after_the_last_when_one_leaves() -> None:
    picker, (a, b, c, d) = RoundRobin(chance()), fleet({"a": 1, "b": 1, "c": 1, "d": 1})
    while picker.pick((a, b, c, d), "", 0.0) is not b:
        pass
    assert picker.pick((a, b, d), "", 0.0) is d
