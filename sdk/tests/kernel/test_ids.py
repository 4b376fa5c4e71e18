"""Identifiers: laid out as RFC 9562 says, in order of time, and alike neither between threads nor between parent and child."""

from __future__ import annotations

import multiprocessing
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import SimpleQueue

import pytest

from qiantang.kernel import ids


def test_an_id_is_a_uuid_of_version_7_of_now() -> None:
    before = time.time_ns() // 1_000_000
    found = uuid.UUID(ids.ordered_id())
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert before <= found.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_sort_by_their_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(10**18, 10**18 + 200 * 10**6, 10**6))
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    found = [ids.ordered_id() for _ in range(200)]
    assert found == sorted(found)


def test_no_two_are_alike_in_any_thread() -> None:
    with ThreadPoolExecutor(8) as pool:
        found = [one for some in pool.map(lambda _: [ids.ordered_id() for _ in range(500)], range(40)) for one in some]
    assert len({one[-15:] for one in found}) == 20_000, "by what was drawn, not by the time alone"


def test_a_forked_child_draws_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    fork = multiprocessing.get_context("fork")
    ids.ordered_id()  # some are drawn ahead
    told: SimpleQueue[list[str]] = fork.SimpleQueue()
    make: Callable[[], list[str]] = lambda: [ids.ordered_id() for _ in range(100)]  # noqa: E731
    child = fork.Process(target=lambda: told.put(make()))
    child.start()
    theirs = told.get()
    child.join(10)
    assert not set(theirs) & set(make())
