"""Peak EWMA in virtual time: the faster has more, the dead only what tries it, and what recovers comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.rpc.balance.picking.ewma import TRY_OF, PeakEwma, is_better
from sdk.tests.rpc.balance.fleet import Traffic, chance, counted, equals, surprise

FAST, SLOW, TIMEOUT = 0.01, 0.2, 3.0


def test_the_faster_has_more() -> None:
    traffic = Traffic(PeakEwma(chance()), equals(10), lambda name: (SLOW if name in {"n00", "n01"} else FAST, False))
    found = traffic.run(30, 200)
    slow = found["n00"] + found["n01"]
    assert slow < found.total() * 0.06, "a fifth of the nodes"
    assert min(found[f"n{number:02}"] for number in range(2, 10)) > found.total() / 10 * 0.6


@pytest.mark.parametrize("rate", [5, 50, 500])
def test_a_dead_node_gets_only_what_tries_it(rate: int) -> None:
    traffic = Traffic(PeakEwma(chance()), equals(5), lambda name: (TIMEOUT, True) if name == "n02" else (FAST, False))
    traffic.run(60, rate)
    found = traffic.run(60, rate)
    assert 0 < found["n02"] <= min(60, found.total() / TRY_OF) * 1.2


def test_a_slow_node_is_tried_once_a_second_however_many_calls_there_are() -> None:
    traffic = Traffic(PeakEwma(chance()), equals(5), lambda name: (SLOW if name == "n02" else FAST, False))
    traffic.run(10, 500)
    assert 30 <= traffic.run(60, 500)["n02"] <= 60


def test_a_node_that_was_slow_comes_back() -> None:
    slow = {"n01"}
    traffic = Traffic(PeakEwma(chance()), equals(4), lambda name: (1.0 if name in slow else FAST, False))
    before = traffic.run(30, 100)
    assert before["n01"] < before.total() * 0.05
    slow.clear()
    traffic.run(90, 100)
    after = traffic.run(30, 100)
    assert after["n01"] > after.total() * 0.15


def test_a_dead_node_that_lives_again_comes_back() -> None:
    dead = {"n01"}
    traffic = Traffic(PeakEwma(chance()), equals(4), lambda name: (TIMEOUT, True) if name in dead else (FAST, False))
    traffic.run(60, 100)
    assert not traffic.endpoints[1].is_healthy
    dead.clear()
    traffic.run(120, 100)
    assert traffic.endpoints[1].is_healthy
    after = traffic.run(30, 100)
    assert after["n01"] > after.total() * 0.15


def test_where_calls_are_few_the_worse_is_not_preferred() -> None:
    traffic = Traffic(PeakEwma(chance()), equals(2), lambda name: (SLOW if name == "n00" else FAST, False))
    found = traffic.run(400, 0.5)
    assert 0 < found["n00"] < found.total() * 0.25


def test_equals_are_taken_alike() -> None:
    found = counted(PeakEwma(chance()), equals(10), 20_000)
    assert surprise(found, {f"n{number:02}": 2000.0 for number in range(10)}) < 27.9


def test_a_lighter_one_has_less() -> None:
    endpoints = equals(2)
    endpoints[0].weight = 10.0
    found = Traffic(PeakEwma(chance()), endpoints, lambda _: (0.05, False)).run(30, 400)
    assert found["n00"] < found["n01"] * 0.3


def test_an_unknown_node_is_asked_one_call_at_a_time() -> None:
    endpoints, picker = equals(2), PeakEwma(chance())
    endpoints[0].begin(0.0)
    endpoints[0].end(FAST, 0.0, is_fault=False)
    assert picker.pick(endpoints, "", 0.0) is endpoints[1]
    endpoints[1].begin(0.0)
    assert [picker.pick(endpoints, "", 0.0) for _ in range(10)] == [endpoints[0]] * 10


def test_one_that_fails_is_not_taken_however_fast_it_is() -> None:
    endpoints = equals(10)
    endpoints[4].success = 0.4
    for endpoint in endpoints:
        endpoint.cost = 0.001 if endpoint is endpoints[4] else 1.0
    found = counted(PeakEwma(chance()), endpoints, 10_000)
    assert found["n04"] / 10_000 == pytest.approx(0.2**4, abs=0.001), "drawn four times in a row"


def test_of_many_unhealthy_one_is_taken_all_the_same() -> None:
    endpoints = equals(3)
    for endpoint in endpoints:
        endpoint.success = 0.0
    assert counted(PeakEwma(chance()), endpoints, 300).keys() == {"n00", "n01", "n02"}


@given(
    st.lists(
        st.tuples(st.floats(0.001, 10), st.floats(0, 1e5), st.integers(0, 50), st.integers(1, 100)),
        min_size=2,
        max_size=2,
    )
)
def test_who_is_better_is_who_has_the_lower_load(figures: list[tuple[float, float, int, int]]) -> None:
    one, other = equals(2)
    for endpoint, (cost, stamp, inflight, weight) in zip((one, other), figures, strict=True):
        endpoint.cost, endpoint.stamp, endpoint.inflight, endpoint.weight = cost, stamp, inflight, float(weight)
    now = max(one.stamp, other.stamp)
    mine, theirs = one.load(now), other.load(now)
    assert is_better(one, other) == (mine < theirs) or mine == pytest.approx(theirs)


def test_why_gives_both_loads_or_says_that_it_tries() -> None:
    endpoints, picker = equals(2), PeakEwma(chance())
    for endpoint, took in zip(endpoints, (FAST, SLOW), strict=True):
        endpoint.begin(0.0)
        endpoint.end(took, 0.0, is_fault=False)
    chosen = picker.pick(endpoints, "", 0.5)
    assert picker.why(endpoints, chosen, 0.5).endswith("of n01, which was drawn with it")
    for _ in range(TRY_OF):
        chosen = picker.pick(endpoints, "", 2.0)
        if chosen is endpoints[1]:
            break
    assert picker.why(endpoints, chosen, 2.0) == "tried, since it was not picked for 2.0 s; n00 is better"
    alone = endpoints[:1]
    assert picker.why(alone, picker.pick(alone, "", 2.0), 2.0) == "it is the only one"
