"""Limits of single values, and which values come most often."""

from __future__ import annotations

import random
from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance.hot import HotParameter, Top, key_of
from qiantang.rpc.model.rules import HotRule


def made(**settings: object) -> HotParameter:
    return HotParameter("h", HotRule(argument="req.user", **{"per_second": 1, "burst": 2, **settings}))  # type: ignore[arg-type]


def test_each_value_has_its_own_rate() -> None:
    hot = made()
    assert [hot.enter(1000.0, "a") is None for _ in range(3)] == [True, True, False]
    assert hot.enter(1000.0, "b") is None
    refusal = hot.enter(1000.0, "a")
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(1.0)
    assert "a" not in refusal.why.split(), "values are not told"
    assert hot.enter(1001.0, "a") is None


def test_the_clock_may_begin_at_nothing() -> None:
    hot = made(burst=3, per_second=0.1)
    assert [hot.enter(0.0, "a") is None for _ in range(4)] == [True, True, True, False]


def test_values_may_have_a_rate_of_their_own_or_none() -> None:
    hot = made(exceptions={"vip": 100.0, "bot": 0.0, "x" * 100: 0.0})
    assert hot.enter(1000.0, "bot") is not None
    assert hot.enter(1000.0, "x" * 100) is not None, "long ones too"
    hot.enter(1000.0, "vip")
    hot.enter(1000.0, "vip")
    refusal = hot.enter(1000.0, "vip")
    assert refusal is not None
    assert refusal.retry_after == pytest.approx(0.01)


def test_a_collection_passes_when_each_of_its_elements_does() -> None:
    hot = made(burst=1)
    hot.enter(1000.0, "a")
    assert hot.enter(1000.0, ["a", "b"]) is not None
    assert hot.enter(1000.0, "b") is None, "who is refused took nothing"
    assert hot.enter(1000.0, ("c", "c", "d")) is None, "one value counts once"
    assert hot.enter(1000.0, {"d"}) is not None


@given(st.lists(st.integers(0, 40), max_size=200), st.integers(1, 10))
def test_it_never_remembers_more_than_it_may(values: list[int], capacity: int) -> None:
    hot = made(capacity=capacity)
    for place, value in enumerate(values):
        hot.enter(1000.0 + place / 100, value)
        assert len(hot) <= capacity


def test_what_was_not_seen_for_longest_is_forgotten_first() -> None:
    hot = made(capacity=2, burst=1, per_second=0.001)
    hot.enter(1000.0, "a")
    hot.enter(1000.0, "b")
    hot.enter(1001.0, "c")
    assert hot.enter(1002.0, "b") is not None
    assert hot.enter(1002.0, "a") is None


@pytest.mark.parametrize("value", ["x" * 65, "é" * 40, {"k": "v" * 100}, b"z" * 100])
def test_long_values_are_kept_as_a_hash(value: object) -> None:
    key = key_of(value)
    assert key.startswith("#")
    assert len(key) == 33
    assert key == key_of(value)


@pytest.mark.parametrize(("value", "key"), [("x" * 64, "x" * 64), (7, "7"), (None, "None"), (True, "True")])
def test_short_values_are_kept_as_they_are(value: object, key: str) -> None:
    assert key_of(value) == key


def test_shadow_and_off() -> None:
    shadow = made(mode="shadow", exceptions={"bot": 0.0})
    assert all(shadow.enter(1000.0, "a") is None for _ in range(5))
    assert shadow.enter(1000.0, "bot") is None
    assert shadow.would_refuse == 4
    off = made(mode="off")
    assert all(off.enter(1000.0, "a") is None for _ in range(5))
    assert not off.top.most()


@given(st.lists(st.integers(0, 30), max_size=400), st.integers(1, 12))
def test_space_saving_keeps_its_promise(values: list[int], size: int) -> None:
    top, exact = Top(size), Counter(map(str, values))
    for value in values:
        top.count(str(value))
    found = dict(top.most(size))
    assert len(found) == min(size, len(exact))
    assert top.error() <= len(values) / size
    for key, count in found.items():
        assert exact[key] <= count <= exact[key] + top.error()
    for key, count in exact.items():
        assert key in found or count <= top.error()


def test_the_hottest_of_many_are_found() -> None:
    chance, top = random.Random(1), Top(100)
    for _ in range(50_000):
        top.count(str(int(chance.paretovariate(1.2))))
    assert [key for key, _ in top.most(5)] == ["1", "2", "3", "4", "5"]
