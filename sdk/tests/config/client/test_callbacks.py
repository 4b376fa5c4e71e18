"""Callbacks: apart from the network and each other, bounded in time, told of the latest, their failures known."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiantang.config import Event, Pinned
from qiantang.config.client import runner
from qiantang.config.testing import FakeConfig
from qiantang.kernel import errors, runtime


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.002)


def submit(config: FakeConfig, values: dict[str, Any]) -> None:
    """Publish without waiting for the callbacks, and wait for the swap."""
    revision = config.pin().revision
    runtime.submit(config._set(values, "application", ()))
    wait_for(lambda: config.pin().revision > revision)


def test_functions_of_every_arity() -> None:
    config = FakeConfig({"a": 1})
    heard: list[Any] = []

    @config.on_change("a")
    def nothing() -> None:
        heard.append("nothing")

    @config.on_change("a")
    def event(event: Event) -> None:
        heard.append(event["a"].after)

    @config.on_change("a")
    def both(before: Pinned, after: Pinned) -> None:
        heard.append((before.get("a"), after.get("a")))

    assert config.set({"a": 2}) == []
    assert sorted(heard, key=str) == [(1, 2), 2, "nothing"]


def test_listener_objects_and_closing_them() -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[int] = []

        def changed(self, event: Event) -> None:
            self.heard.append(event["a"].after)

    class LaterListener(Listener):
        async def changed(self, event: Event) -> None:  # type: ignore[override]
            self.heard.append(event["a"].after)

    config = FakeConfig({"a": 1})
    listeners = [Listener(), LaterListener()]
    subscriptions = [config.on_change("a", listener) for listener in listeners]
    config.set({"a": 2})
    for subscription in subscriptions:
        subscription.close()
        subscription.close()
    config.set({"a": 3})
    assert [listener.heard for listener in listeners] == [[2], [2]]


def test_plain_functions_run_on_workers_and_coroutines_of_blocking_programs_on_a_thread_of_their_own() -> None:
    config = FakeConfig({"a": 1})
    threads: dict[str, str] = {}

    @config.on_change("a")
    def plain() -> None:
        threads["plain"] = threading.current_thread().name

    @config.on_change("a")
    async def later() -> None:
        await asyncio.sleep(0)
        threads["later"] = threading.current_thread().name

    assert config.set({"a": 2}) == []
    assert threads == {"plain": "qiantang-callback", "later": "qiantang-coroutines"}


async def test_coroutines_run_on_the_applications_own_loop() -> None:
    config = await asyncio.to_thread(FakeConfig, {"a": 1})
    loops: list[object] = []

    @config.on_change("a")
    async def later() -> None:
        loops.append(asyncio.get_running_loop())

    assert await config.aset({"a": 2}) == []
    assert loops == [asyncio.get_running_loop()]
    with pytest.raises(RuntimeError, match="aset"):
        config.set({"a": 3})


def test_a_loop_that_was_closed_is_a_failure_that_says_so() -> None:
    config = FakeConfig({"a": 1})

    async def register() -> None:
        @config.on_change("a")
        async def later() -> None: ...

    asyncio.run(register())
    (failure,) = config.set({"a": 2})
    assert "register it again" in failure.error


@pytest.mark.parametrize(
    "error", [ValueError("bad"), KeyError("bad"), SystemExit("bad"), KeyboardInterrupt("bad"), StopIteration("bad")]
)
@pytest.mark.parametrize("is_coroutine", [False, True])
def test_what_a_callback_raises_is_reported_once_and_the_next_change_runs_it_again(
    error: BaseException, is_coroutine: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = FakeConfig({"a": 1})
    runs: list[int] = []

    def plain(event: Event) -> None:
        runs.append(event["a"].after)
        if event["a"].after == 2:
            raise error

    async def later(event: Event) -> None:
        plain(event)

    config.on_change("a", later if is_coroutine else plain)
    (failure,) = config.set({"a": 2})
    assert "bad" in failure.error or "StopIteration" in failure.error  # Python says less of it in a coroutine
    assert failure.callback.endswith("later" if is_coroutine else "plain")
    assert failure.revision == 2
    assert config.set({"other": 1}) == [failure]  # not made good by a change that is none of its business
    assert config.set({"a": 3}) == []
    assert runs == [2, 3]
    lines = [line for line in caplog.records if line.levelno >= logging.ERROR]
    assert [line.getMessage() for line in lines] == ["a callback failed on a change of the configuration"]
    assert "bad" in lines[0].trace  # type: ignore[attr-defined]


def test_a_coroutine_that_cancels_itself_is_a_failure() -> None:
    config = FakeConfig({"a": 1})

    @config.on_change("a")
    async def later() -> None:
        raise asyncio.CancelledError

    (failure,) = config.set({"a": 2})
    assert "CancelledError" in failure.error


def test_a_type_error_inside_is_not_taken_for_a_wrong_arity() -> None:
    config = FakeConfig({"a": 1})
    runs: list[Any] = []

    @config.on_change("a")
    def callback(event: Event) -> None:
        runs.append(event)
        raise TypeError("callback() takes 2 positional arguments but 1 was given")

    (failure,) = config.set({"a": 2})
    assert "takes 2 positional" in failure.error
    assert len(runs) == 1


def test_a_function_that_gives_a_coroutine_is_told_of() -> None:
    config = FakeConfig({"a": 1})

    async def later() -> None: ...

    config.on_change("a", lambda: later())  # noqa: PLW0108  # the mistake that is meant
    (failure,) = config.set({"a": 2})
    assert "give the coroutine function itself" in failure.error


def test_secrets_are_struck_out_of_what_a_callback_raises(caplog: pytest.LogCaptureFixture) -> None:
    config = FakeConfig({"password": "hunter22"}, secrets=["password"])

    @config.on_change("password")
    def connect(before: Pinned, after: Pinned) -> None:
        raise ConnectionError(f"not {before.get('password')} nor {after.get('password')}")

    (failure,) = config.set({"password": "hunter33"})
    assert failure.error == "ConnectionError: not ****** nor ******"
    assert "hunter" not in str([vars(line) for line in caplog.records if line.name.startswith("qiantang.config")])


def test_a_blocking_callback_is_given_up_and_delays_neither_others_nor_the_swap() -> None:
    config = FakeConfig({"a": 1, "b": 1})
    block, heard = threading.Event(), []

    @config.on_change("a", timeout=0.1)
    def blocking() -> None:
        block.wait(20)

    @config.on_change("*")
    def quick(event: Event) -> None:
        heard.append(event.revision)

    submit(config, {"a": 2})
    wait_for(lambda: heard == [2])
    submit(config, {"b": 2})
    wait_for(lambda: heard == [2, 3])
    (failure,) = config.set({"b": 3})
    assert "OverdueError: did not end within 0.1 seconds" in failure.error
    assert runtime.call(config.settled(), 1) == [failure]
    block.set()


def test_a_coroutine_that_overruns_is_cancelled() -> None:
    config = FakeConfig({"a": 1})
    cancelled = threading.Event()

    @config.on_change("a", timeout=0.05)
    async def later() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    (failure,) = config.set({"a": 2})
    assert "did not end within" in failure.error
    assert cancelled.wait(5)


def test_a_coroutine_that_blocks_the_shared_loop_is_left_alone_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "POLITE_SECONDS", 0.05)
    config = FakeConfig({"a": 1, "b": 1})
    block, heard = threading.Event(), threading.Event()

    @config.on_change("a", timeout=0.05)
    async def blocking() -> None:
        block.wait(20)

    @config.on_change("b", timeout=5)
    async def good() -> None:
        heard.set()

    assert len(config.set({"a": 2})) == 1
    wait_for(lambda: runner._loops._runtime is None)
    assert len(config.set({"b": 2})) == 1  # the first one's failure stands
    assert heard.is_set()
    block.set()


def test_while_one_runs_further_changes_become_one_call_over_all_of_them() -> None:
    config = FakeConfig({"a": 0, "b": 0})
    began, go, heard = threading.Event(), threading.Event(), []

    @config.on_change("*")
    def slow(event: Event) -> None:
        heard.append({key: (one.before, one.after) for key, one in event.changes.items()})
        began.set()
        assert go.wait(10)

    submit(config, {"a": 1})
    assert began.wait(5)
    for value in range(2, 6):
        submit(config, {"a": value})
    submit(config, {"b": 9})
    go.set()
    assert runtime.call(config.settled(), 10) == []
    assert heard == [{"a": (0, 1)}, {"a": (1, 5), "b": (0, 9)}]


def test_changes_that_undo_each_other_while_one_runs_are_not_told() -> None:
    config = FakeConfig({"a": 0})
    began, go, heard = threading.Event(), threading.Event(), []

    @config.on_change("a")
    def slow(event: Event) -> None:
        heard.append(event["a"].after)
        began.set()
        assert go.wait(10)

    submit(config, {"a": 1})
    assert began.wait(5)
    submit(config, {"a": 2})
    submit(config, {"a": 1})
    go.set()
    assert runtime.call(config.settled(), 10) == []
    assert heard == [1]


def test_what_overran_hears_of_the_latest_when_it_has_ended() -> None:
    config = FakeConfig({"a": 0})
    go, heard = threading.Event(), []

    @config.on_change("a", timeout=0.05)
    def slow(event: Event) -> None:
        heard.append(event["a"].after)
        assert go.wait(10)

    assert len(config.set({"a": 1})) == 1
    assert len(config.set({"a": 2})) == 1
    assert len(config.set({"a": 3})) == 1
    assert heard == [1]
    go.set()
    wait_for(lambda: config.failures == [])
    assert heard == [1, 3]


def test_many_blocking_callbacks_do_not_starve_the_others() -> None:
    config = FakeConfig({"a": 0, "b": 0})
    block, heard = threading.Event(), threading.Event()
    for _ in range(20):
        config.on_change("a", lambda: block.wait(20), timeout=0.1)
    config.on_change("b", heard.set)
    assert len(config.set({"a": 1})) == 20
    assert len(config.set({"b": 1})) == 20
    assert heard.is_set()
    block.set()
    values = itertools.count(2)
    wait_for(lambda: config.set({"a": next(values)}) == [])


@pytest.mark.parametrize("seconds", [0, -1, 51, float("nan"), float("inf")])
def test_a_time_limit_that_cannot_be_kept_is_refused(seconds: float) -> None:
    with pytest.raises(errors.MisconfiguredError, match="at most 50 s"):
        FakeConfig().on_change("*", print, timeout=seconds)


def test_what_was_registered_first_hears_no_change_from_the_first_state() -> None:
    config = FakeConfig({"a": 1})
    heard: list[Event] = []
    config.on_change("*", heard.append)
    assert runtime.call(config.settled(), 5) == []
    assert heard == []


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1), max_size=10))
def test_events_laid_over_each_other_give_the_latest_state(releases: list[dict[str, int]]) -> None:
    config = FakeConfig()
    known: dict[str, object] = {}

    @config.on_change("*")
    def follow(event: Event) -> None:
        for key, one in event.changes.items():
            assert known.get(key, "none") == (one.before if key in known else "none")
            known[key] = one.after

    for release in releases:
        runtime.submit(config._set(release, "application", ()))
    assert config.set({"end": 1}) == []
    expected: dict[str, int] = {"end": 1}
    for release in releases:
        expected |= release
    assert known == expected
