"""Live resources: build, probe, swap, drain; on failure keep the old and say so."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from qiantang.config import LiveResource, NotBuiltError
from qiantang.config.testing import FakeConfig
from qiantang.kernel import errors, runtime


class Connection:
    """Notes what is done to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.probed = False
        self.closed = 0
        self.users = 0

    def ping(self) -> bool:
        self.probed = True
        return "dead" not in self.url

    def close(self) -> None:
        self.closed += 1


class Broker:
    """Makes connections, on demand badly."""

    def __init__(self) -> None:
        self.made: list[Connection] = []

    def connect(self, url: str) -> Connection:
        if "refused" in url:
            raise ConnectionRefusedError(url)
        connection = Connection(url)
        self.made.append(connection)
        return connection

    async def connect_later(self, url: str) -> Connection:
        await asyncio.sleep(0.001)
        return self.connect(url)


def wait_for(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.002)


def follow(config: FakeConfig, broker: Broker, **options: Any) -> LiveResource[Connection]:
    options.setdefault("key", "url")
    return LiveResource(config, broker.connect, Connection.ping, Connection.close, **options)


def test_a_new_one_takes_the_place_of_the_old_one_which_is_drained() -> None:
    config, broker = FakeConfig({"url": "one"}), Broker()
    with follow(config, broker) as live:
        with live.use() as connection:
            assert (connection.url, connection.probed) == ("one", True)
        assert config.set({"url": "two"}) == []
        with live.use() as connection:
            assert connection.url == "two"
        wait_for(lambda: broker.made[0].closed)
        assert config.set({"other": 1}) == []
        assert len(broker.made) == 2
    assert [one.closed for one in broker.made] == [1, 1]


def test_the_old_one_is_not_drained_while_it_is_used() -> None:
    config, broker = FakeConfig({"url": "one"}), Broker()
    with follow(config, broker) as live:
        with live.use() as old:
            config.set({"url": "two"})
            with live.use() as new:
                assert (old.url, new.url) == ("one", "two")
            time.sleep(0.05)
            assert old.closed == 0
        wait_for(lambda: old.closed)


def test_a_user_that_stays_too_long_loses_it(caplog: pytest.LogCaptureFixture) -> None:
    config, broker = FakeConfig({"url": "one"}), Broker()
    with follow(config, broker, drain_timeout=0.05) as live:
        with live.use() as old:
            config.set({"url": "two"})
            wait_for(lambda: old.closed)
        time.sleep(0.02)
        assert old.closed == 1
    assert "still in use" in caplog.text


@pytest.mark.parametrize("url", ["refused", "dead"])
def test_what_cannot_be_built_or_does_not_work_leaves_the_old_one_in_use_and_is_told(url: str) -> None:
    config, broker = FakeConfig({"url": "one"}), Broker()
    with follow(config, broker) as live:
        (failure,) = config.set({"url": url})
        assert "connect" in failure.callback
        with live.use() as connection:
            assert (connection.url, connection.closed) == ("one", 0)
        if url == "dead":
            wait_for(lambda: broker.made[1].closed)
        assert len(config.set({"other": 1})) == 1  # tried again at the next release, in vain
        assert config.set({"url": "two"}) == []
        with live.use() as connection:
            assert connection.url == "two"


def test_the_first_one_has_to_be_built() -> None:
    config, broker = FakeConfig({"url": "refused"}), Broker()
    live = follow(config, broker)
    with pytest.raises(ConnectionRefusedError):
        live.open()
    with pytest.raises(NotBuiltError, match="is not open"), live.use():
        pass
    assert not config.hears
    config.set({"url": "one"})
    with live, live.use() as connection:
        assert connection.url == "one"
    with pytest.raises(NotBuiltError), live.use():
        pass


def test_a_factory_that_takes_too_long_is_given_up_and_what_it_makes_late_is_drained() -> None:
    config, go, made = FakeConfig({"url": "one"}), threading.Event(), []

    def connect(url: str) -> Connection:
        if url == "slow":
            assert go.wait(10)
        made.append(Connection(url))
        return made[-1]

    with LiveResource(config, connect, None, Connection.close, key="url", build_timeout=0.2) as live:
        (failure,) = config.set({"url": "slow"})
        assert "did not end within" in failure.error
        go.set()
        wait_for(lambda: len(made) == 2 and made[1].closed)
        with live.use() as connection:
            assert (connection.url, connection.closed) == ("one", 0)


async def test_in_asyncio_everything_happens_on_the_applications_loop() -> None:
    config, broker = await asyncio.to_thread(FakeConfig, {"url": "one"}), Broker()
    loops: list[object] = []

    async def probe(connection: Connection) -> None:
        loops.append(asyncio.get_running_loop())

    async def drain(connection: Connection) -> None:
        loops.append(asyncio.get_running_loop())
        connection.close()

    async with LiveResource(config, broker.connect_later, probe, drain, key="url") as live:
        async with live.use() as connection:
            assert connection.url == "one"
        assert await config.aset({"url": "two"}) == []
        async with live.use() as connection:
            assert connection.url == "two"
    assert [one.closed for one in broker.made] == [1, 1]
    assert set(loops) == {asyncio.get_running_loop()}
    assert len(loops) == 4


class Settings(msgspec.Struct):
    url: str = "one"
    size: int = 1


def test_it_is_made_of_a_view_or_of_what_a_function_selects() -> None:
    config = FakeConfig()
    settings = config.bind(Settings, "db")
    built: list[Any] = []

    def build(value: Any) -> str:
        built.append(value)
        return "built"

    with (
        LiveResource(config, build, select=settings),
        LiveResource(config, build, select=lambda pinned: pinned[settings].size),
    ):
        config.set({"db.url": "two"})
        assert built == [Settings(), 1, Settings("two")]
        config.set({"other": 1})
        assert len(built) == 3
        config.set({"db.size": "2"})
        assert sorted(built[3:], key=str) == [2, Settings("two", 2)]


def test_a_factory_without_parameters_is_not_given_the_value() -> None:
    config = FakeConfig({"url": "one"})
    built: list[int] = []

    def build() -> int:
        built.append(config.pin().revision)
        return 1

    with LiveResource(config, build, key="url"):
        config.set({"url": "two"})
    assert built == [1, 2]


@pytest.mark.parametrize("options", [{}, {"key": "a", "select": len}, {"select": 7}])
def test_it_has_to_be_said_what_it_is_made_of(options: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="select"):
        LiveResource(FakeConfig(), print, **options)
    with pytest.raises(errors.MisconfiguredError):
        LiveResource(FakeConfig(), print, key="a", build_timeout=90)


def test_a_drain_that_fails_is_said_and_hurts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    config = FakeConfig({"url": "one"})

    def drain(connection: Connection) -> None:
        raise OSError("already gone")

    with LiveResource(config, Connection, None, drain, key="url") as live:
        assert config.set({"url": "two"}) == []
        with live.use() as connection:
            assert connection.url == "two"
    assert "could not be ended" in caplog.text
    assert all(line.levelno < logging.ERROR for line in caplog.records)


def test_users_on_many_threads_never_see_a_drained_one() -> None:
    config, broker = FakeConfig({"url": "0"}), Broker()
    seen_closed: list[str] = []
    over = threading.Event()

    def use(live: LiveResource[Connection], chance: random.Random) -> None:
        while not over.is_set():
            with live.use() as connection:
                time.sleep(chance.random() / 500)
                if connection.closed:
                    seen_closed.append(connection.url)

    with follow(config, broker) as live:
        users = [threading.Thread(target=use, args=(live, random.Random(seed))) for seed in range(4)]
        for user in users:
            user.start()
        for number in range(1, 40):
            url = "dead" if number % 5 == 0 else "refused" if number % 7 == 0 else str(number)
            failures = config.set({"url": url})
            assert len(failures) == (0 if url.isdecimal() else 1)
        over.set()
        for user in users:
            user.join(10)
    wait_for(lambda: all(one.closed for one in broker.made))
    assert seen_closed == []
    assert [one.closed for one in broker.made] == [1] * len(broker.made)


def test_opening_twice_builds_once_and_closing_twice_ends_once() -> None:
    config, broker = FakeConfig({"url": "one"}), Broker()
    live = follow(config, broker)
    live.open()
    live.open()
    live.close()
    live.close()
    assert [one.closed for one in broker.made] == [1]


def test_a_forked_child_builds_its_own_and_leaves_the_parents_alone() -> None:
    config, broker = FakeConfig({"url": "one"}), Broker()
    with follow(config, broker) as live:
        live.after_fork()  # what the runtime calls in a real child; that is tested with the App
        assert live.wanting
        with live.use() as connection:
            assert connection is broker.made[1]
        assert broker.made[0].closed == 0
    assert [one.closed for one in broker.made] == [0, 1]


def test_many_first_users_in_a_child_wait_for_the_same_building() -> None:
    config, broker = FakeConfig({"url": "one"}), Broker()

    async def use_all(live: LiveResource[Connection]) -> None:
        await asyncio.gather(*(live.rebuild() for _ in range(20)))

    with follow(config, broker) as live:
        live.after_fork()
        runtime.call(use_all(live), 10)
    assert len(broker.made) == 2
