"""The registry in memory: the conformance suite, and what is its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from qiantang.registry.adapters import memory
from qiantang.registry.errors import RegistryFullError
from qiantang.registry.model import Vote
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import OpenOne, Outage, RegistryConformance, Seen, fresh_name, node


class Away:
    def __init__(self, space: memory.Space) -> None:
        self._space = space

    async def begin(self) -> None:
        self._space.away = True

    async def end(self) -> None:
        self._space.away = False


@pytest.fixture
def address() -> str:
    return fresh_name("space")


@pytest.fixture
async def open_one(address: str) -> AsyncIterator[OpenOne]:
    opened: list[Registry] = []

    async def open_(tenant: str = "acme") -> Registry:
        registry = memory.make(RegistrySettings(address=address, tenant=tenant))
        opened.append(await registry.__aenter__())
        return opened[-1]

    yield open_
    for one in opened:
        await one.__aexit__(None, None, None)


@pytest.fixture
def outage(address: str) -> Outage:
    return Away(memory.space_of(address))


class TestConformance(RegistryConformance):
    pass


async def test_other_addresses_are_other_registries(open_one: OpenOne) -> None:
    here, name = await open_one(), fresh_name()
    await here.register(name, node("a"))
    async with memory.make(RegistrySettings(address=fresh_name("space"), tenant="acme")) as other:
        assert (await anext(other.watch(name))).nodes == ()


async def test_other_loops_and_threads_see_it(open_one: OpenOne, address: str) -> None:
    here, name = await open_one(), fresh_name()
    seen = Seen(here, name)

    async def live() -> None:
        async with memory.make(RegistrySettings(address=address, tenant="acme")) as there:
            await there.register(name, node("b"))
            await seen_there.wait()

    async def other_loop() -> None:
        nonlocal seen_there
        seen_there = asyncio.Event()
        loops.append(asyncio.get_running_loop())
        await live()

    seen_there: asyncio.Event
    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=lambda: asyncio.run(other_loop()))
    thread.start()
    await seen.until_names("b")
    loops[0].call_soon_threadsafe(seen_there.set)
    await seen.until_names()
    await asyncio.to_thread(thread.join)
    await seen.close()


async def test_it_takes_so_many_nodes_and_votes_and_no_more(open_one: OpenOne, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_NODES", 3)
    monkeypatch.setattr(memory, "MAX_VOTES", 2)
    here, name = await open_one(), fresh_name()
    for number in range(3):
        await here.register(name, node(f"n{number}"))
    with pytest.raises(RegistryFullError):
        await here.register(name, node("n3"))
    await here.register(name, node("n2", weight=1))
    for voter in ("a", "b"):
        await here.vote(name, Vote(service="s", node="n", voter=voter, value="open"))
    with pytest.raises(RegistryFullError):
        await here.vote(name, Vote(service="s", node="n", voter="c", value="open"))
