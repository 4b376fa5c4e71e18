"""Percentiles within ten percent, whatever was recorded."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from qiantang.rpc.governance.histogram import LONGEST, Histogram

LATENCIES = st.lists(st.floats(1e-5, 200.0), min_size=1, max_size=300)


def of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(LATENCIES, st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_percentile_is_within_ten_percent(values: list[float], share: float) -> None:
    exact = next(value for place, value in enumerate(sorted(values), 1) if place >= share * len(values))
    assert of(values).quantile(share) == pytest.approx(exact, rel=0.1, abs=1e-6)


@given(LATENCIES, LATENCIES)
def test_merging_is_recording_all_in_one(one: list[float], other: list[float]) -> None:
    merged = of(one)
    merged.add(of(other))
    assert merged.buckets() == of(one + other).buckets()
    assert merged.count == len(one) + len(other)


@given(LATENCIES)
def test_the_buckets_hold_what_was_recorded_below_their_bounds(values: list[float]) -> None:
    buckets = of(values).buckets()
    assert sum(count for _, count in buckets) == len(values)
    bounds = [bound for bound, _ in buckets]
    assert bounds == sorted(set(bounds))
    below = 0
    for bound, count in buckets:
        below += count
        assert below == sum(int(value * 1e6) / 1e6 < bound for value in values)


def test_the_extremes_are_counted_too() -> None:
    histogram = of([-1.0, 0.0, 1e-9, 1e9])
    assert histogram.count == 4
    assert histogram.quantile(1.0) == pytest.approx(LONGEST / 1e6, rel=0.1)
    assert histogram.quantile(0.5) == 0.0
    assert Histogram().quantile(0.5) == 0.0


def test_fading_halves_and_forgets_what_is_rare() -> None:
    histogram = of([0.001] * 100 + [5.0])
    histogram.fade()
    assert histogram.count == 50
    assert histogram.quantile(1.0) < 0.002
