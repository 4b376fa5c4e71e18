"""The threads of plain functions: bounded, replaced when given up, ended when idle."""

from __future__ import annotations

import threading
import time

import pytest

from qiantang.config.client import workers as module
from qiantang.config.client.workers import Workers


def count(name: str = "qiantang-callback") -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_no_more_run_at_a_time_than_the_pool_is_wide_and_all_run() -> None:
    pool, lock = Workers(3), threading.Lock()
    running, most, done = 0, 0, []
    finished = threading.Semaphore(0)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1
            done.append(1)
        finished.release()

    for _ in range(60):
        pool.put(work)
    for _ in range(60):
        assert finished.acquire(timeout=10)
    assert most <= 3
    assert len(done) == 60


def test_a_job_given_up_while_it_runs_loses_its_place_to_another() -> None:
    pool, block, ran = Workers(1), threading.Event(), threading.Event()
    began = threading.Event()

    def stuck() -> None:
        began.set()
        block.wait(20)

    job = pool.put(stuck)
    assert began.wait(5)
    pool.put(ran.set)
    assert not ran.wait(0.05)
    pool.give_up(job)
    pool.give_up(job)
    assert ran.wait(5)
    block.set()


def test_a_job_given_up_before_it_runs_never_does() -> None:
    pool, block, ran = Workers(1), threading.Event(), []
    pool.put(lambda: block.wait(20))
    job = pool.put(lambda: ran.append("given up"))
    pool.give_up(job)
    after = threading.Event()
    pool.put(after.set)
    block.set()
    assert after.wait(5)
    assert ran == []


def test_giving_up_what_is_done_changes_nothing() -> None:
    pool, done = Workers(1), threading.Event()
    job = pool.put(done.set)
    assert done.wait(5)
    again = threading.Event()
    pool.put(again.set)
    assert again.wait(5)
    pool.give_up(job)
    last = threading.Event()
    pool.put(last.set)
    assert last.wait(5)


def test_idle_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.02)
    before = count()
    pool, done = Workers(2), threading.Event()
    pool.put(done.set)
    assert done.wait(5)
    ends = time.monotonic() + 10
    while count() > before:
        assert time.monotonic() < ends
        time.sleep(0.005)
    again = threading.Event()
    pool.put(again.set)
    assert again.wait(5)
