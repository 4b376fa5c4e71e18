"""Providers as processes that are restarted, killed, frozen and slow, under load, found over a real ZooKeeper."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from qiantang.registry.client import Directory
from qiantang.registry.testing import fresh_name, until
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name

from .house import House, registry

pytestmark = [pytest.mark.zookeeper, pytest.mark.process, pytest.mark.slow]

PROGRAM = Path(__file__).parent / "house.py"
WHO = by_name("acme/prod/shop/till")
CALLERS = 16


class Houses:
    """Providers of one microservice."""

    def __init__(self, hosts: str) -> None:
        self.hosts = hosts
        self.microservice = fresh_name("house")
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def start(self, *names: str) -> None:
        """Start some, and wait until they are ready."""
        for name in names:
            argv = [sys.executable, str(PROGRAM), self.hosts, self.microservice, name]
            self.processes[name] = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in names:
            out = self.processes[name].stdout
            assert out is not None
            assert out.readline() == "ready\n"

    def signal(self, name: str, number: int) -> None:
        self.processes[name].send_signal(number)

    def restart(self, name: str) -> None:
        """End one in order, and start it again once it has left."""
        self.signal(name, signal.SIGTERM)
        said, wrong = self.processes[name].communicate(timeout=60)
        assert said == "left\n", wrong
        self.start(name)

    def close(self) -> None:
        for one in self.processes.values():
            one.send_signal(signal.SIGCONT)
            one.kill()
            one.communicate()


@pytest.fixture
def houses(zookeeper_server: Any) -> Iterator[Houses]:
    made = Houses(zookeeper_server.hosts)
    yield made
    made.close()


class Load:
    """Callers that call on and on; `said` counts who answered, `failed` what went wrong and when."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False
        self.said: Counter[str] = Counter()
        self.failed: list[BaseException] = []
        self.longest = 0.0

    def begin(self, pause: float = 0.01) -> None:
        self._tasks = [asyncio.create_task(self._go_on(pause)) for _ in range(CALLERS)]

    async def end(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._tasks)

    async def _go_on(self, pause: float) -> None:
        while not self._stopped:
            began = time.monotonic()
            try:
                self.said[await self._house.answer(pause)] += 1
            except Exception as error:
                self.failed.append(error)
            self.longest = max(self.longest, time.monotonic() - began)

    async def until_answered_by(self, *names: str) -> None:
        """Wait until exactly these answer."""

        async def look() -> bool:
            self.said.clear()
            await asyncio.sleep(0.3)
            return set(self.said) == set(names)

        async with asyncio.timeout(60):
            while not await look():
                pass


@asynccontextmanager
async def calling(houses: Houses) -> AsyncGenerator[Load]:
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(registry(houses.hosts))
        directory = await stack.enter_async_context(Directory(found, houses.microservice))
        caller = await stack.enter_async_context(Caller(WHO))
        caller.follow(directory)
        await until(lambda: len(directory.snapshot.nodes) == len(houses.processes))
        load = Load(caller.client(House))
        load.begin()
        yield load
        await load.end()


async def test_all_are_restarted_one_after_the_other_and_no_call_fails(houses: Houses) -> None:
    await asyncio.to_thread(houses.start, "a", "b", "c")
    async with calling(houses) as load:
        await load.until_answered_by("a", "b", "c")
        for name in ("a", "b", "c"):
            await asyncio.to_thread(houses.restart, name)
            await load.until_answered_by("a", "b", "c")
    assert load.failed == []


async def test_half_of_them_are_killed_and_no_idempotent_call_fails(houses: Houses) -> None:
    await asyncio.to_thread(houses.start, "a", "b", "c", "d")
    async with calling(houses) as load:
        await load.until_answered_by("a", "b", "c", "d")
        houses.signal("a", signal.SIGKILL)
        houses.signal("b", signal.SIGKILL)
        await load.until_answered_by("c", "d")
        await asyncio.sleep(6)  # past their sessions: the registry has dropped them as well
    assert load.failed == []
    assert set(load.said) == {"c", "d"}


async def test_one_that_is_frozen_is_left_out_after_few_calls_and_comes_back(houses: Houses) -> None:
    await asyncio.to_thread(houses.start, "a", "b", "c")
    async with calling(houses) as load:
        await load.until_answered_by("a", "b", "c")
        houses.signal("a", signal.SIGSTOP)
        await load.until_answered_by("b", "c")
        failed = len(load.failed)
        assert failed <= 3 * CALLERS, "each caller finds out once or twice, by its deadline"
        houses.signal("a", signal.SIGCONT)
        await load.until_answered_by("a", "b", "c")
    assert all("deadline" in str(getattr(one, "code", "")) for one in load.failed), load.failed


async def test_the_registry_is_killed_and_calls_go_on(houses: Houses, zookeeper_factory: Any) -> None:
    server = await asyncio.to_thread(zookeeper_factory)
    houses.hosts = server.hosts
    await asyncio.to_thread(houses.start, "a", "b")
    async with calling(houses) as load:
        await load.until_answered_by("a", "b")
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(6)
        await load.until_answered_by("a", "b")
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(houses.start, "c")
        await load.until_answered_by("a", "b", "c")
    assert load.failed == []


async def test_who_blocks_the_loop_is_named_in_the_log(houses: Houses) -> None:
    await asyncio.to_thread(houses.start, "a")
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(registry(houses.hosts))
        directory = await stack.enter_async_context(Directory(found, houses.microservice))
        caller = await stack.enter_async_context(Caller(WHO))
        caller.follow(directory)
        assert await caller.client(House).block(1.0) == "a"
    process = houses.processes["a"]
    process.send_signal(signal.SIGTERM)
    _, said = await asyncio.to_thread(process.communicate)
    assert "a handler blocks the event loop" in said
    assert "house.py" in said
    assert "in block" in said
