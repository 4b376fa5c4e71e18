"""Spreading: a key keeps its queue, whatever comes and goes, unless it is the queue that goes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.messaging.model.spreading import queue_of_key


@given(st.text(max_size=40), st.integers(1, 1024), st.integers(1, 1024))
def test_only_the_keys_of_queues_that_go_move(key: str, some: int, others: int) -> None:
    many, few = max(some, others), min(some, others)
    found = queue_of_key(key, many)
    assert 0 <= found < many
    assert queue_of_key(key, few) == found or found >= few


@pytest.mark.parametrize("count", [2, 3, 4, 7, 16])
def test_keys_are_spread_evenly(count: int) -> None:
    found = Counter(queue_of_key(f"order-{number}", count) for number in range(count * 1000))
    assert len(found) == count
    assert max(found.values()) < 1200
    assert min(found.values()) > 800


def test_what_is_on_brokers_stays_where_it_is() -> None:
    assert [queue_of_key(key, 4) for key in ("", "a", "k1", "客户", "order-4711")] == GOLDEN


GOLDEN = [0, 1, 2, 3, 1]
