"""The directory: protection and staleness as a caller meets them, over the registry in memory and with a clock of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang.kernel import errors
from qiantang.registry.adapters import memory
from qiantang.registry.client import Copies, Directory
from qiantang.registry.client import directory as module
from qiantang.registry.model import Change, Node, Snapshot
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import fresh_name, node, until

NAME = "order"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def address() -> str:
    return fresh_name("space")


@pytest.fixture
async def registry(address: str) -> AsyncIterator[memory.MemoryRegistry]:
    async with memory.make(RegistrySettings(address=address)) as made:
        yield made


async def provider(address: str, *names: str) -> Registry:
    made = await memory.make(RegistrySettings(address=address)).__aenter__()
    for name in names:
        await made.register(NAME, node(name))
    return made


def names(directory: Directory) -> str:
    return "".join(one.name for one in directory.snapshot.nodes)


async def test_providers_that_vanish_at_once_are_suspects_until_a_connection_fails(
    registry: Registry, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    providers = await provider(address, "a", "b", "c")
    async with Directory(registry, NAME) as directory:
        await until(lambda: names(directory) == "abc")
        before = directory.snapshot.revision
        await providers.__aexit__(None, None, None)
        await until(lambda: directory.suspects == frozenset("abc"))
        assert names(directory) == "abc"
        directory.suspect_failed("b")
        assert (names(directory), directory.snapshot.revision) == ("ac", before + 1)
        directory.suspect_failed("b")
        assert directory.snapshot.revision == before + 1
        await registry.register(NAME, node("d"))
        await until(lambda: names(directory) == "acd")
        for name in "abc":
            await registry.register(NAME, node(name))
        await until(lambda: not directory.suspects and names(directory) == "abcd")
    assert caplog.text.count("vanished at once") == 1


async def test_suspects_go_when_their_time_is_over(registry: Registry, address: str) -> None:
    clock, providers = Clock(), await provider(address, "a", "b")
    async with Directory(registry, NAME, keep=300, clock=clock) as directory:
        await until(lambda: names(directory) == "ab")
        await providers.__aexit__(None, None, None)
        await until(lambda: directory.suspects == frozenset("ab"))
        clock.now += 299
        directory._expire()
        assert names(directory) == "ab"
        clock.now += 1
        directory._expire()
        assert (names(directory), directory.suspects) == ("", frozenset())


async def test_the_time_of_suspects_passes_by_itself(registry: Registry, address: str) -> None:
    providers = await provider(address, "a")
    async with Directory(registry, NAME, keep=0.05) as directory:
        await until(lambda: names(directory) == "a")
        await providers.__aexit__(None, None, None)
        await until(lambda: names(directory) == "")


async def test_nodes_that_drained_go_at_once(registry: Registry, address: str) -> None:
    providers = await provider(address, "a")
    async with Directory(registry, NAME) as directory:
        await until(lambda: names(directory) == "a")
        await providers.update(NAME, "a", Change(state="draining"))
        await until(lambda: directory.snapshot.nodes[0].state == "draining")
        await providers.__aexit__(None, None, None)
        await until(lambda: names(directory) == "")


async def test_while_the_registry_is_away_what_is_known_stands_and_is_called_stale(
    registry: Registry, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    space = memory.space_of(address)
    await registry.register(NAME, node("a"))
    async with Directory(registry, NAME) as directory:
        await until(lambda: names(directory) == "a")
        told: list[Snapshot] = []
        directory.on_change(told.append)
        space.away = True
        await until(lambda: directory.snapshot.is_stale)
        assert names(directory) == "a"
        space.away = True
        space.away = False
        await until(lambda: not directory.snapshot.is_stale)
        assert [one.is_stale for one in told] == [True, False]
    assert caplog.text.count("the registry is away") == 1


async def test_waiting_for_a_change(registry: Registry) -> None:
    async with Directory(registry, NAME) as directory:
        revision = directory.snapshot.revision
        waiting = asyncio.create_task(directory.changed(revision))
        await registry.register(NAME, node("a"))
        changed = await waiting
        assert [one.name for one in changed.nodes] == ["a"]
        assert await directory.changed(revision) == changed, "what was missed is not waited for"


async def test_a_listener_that_fails_does_not_keep_others_from_hearing(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    async with Directory(registry, NAME) as directory:
        heard: list[Snapshot] = []
        directory.on_change(lambda one: {}[one.revision])
        end = directory.on_change(heard.append)
        await registry.register(NAME, node("a"))
        await until(lambda: len(heard) == 1)
        end()
        end()
        await registry.register(NAME, node("b"))
        await until(lambda: names(directory) == "ab")
        assert len(heard) == 1
    assert "listener" in caplog.text


async def test_a_start_without_the_registry_uses_the_copy_on_disk(
    registry: Registry, address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copies, space = Copies(tmp_path, "default", NAME), memory.space_of(address)
    await registry.register(NAME, node("a"))
    await registry.register(NAME, node("b"))
    async with Directory(registry, NAME, copies=copies) as directory:
        assert names(directory) == "ab"
        await until(lambda: copies.load() == (node("a"), node("b")))
    space.away = True
    async with Directory(registry, NAME, copies=copies) as directory:
        assert (names(directory), directory.snapshot.is_stale) == ("ab", True)
        await asyncio.to_thread(lambda: None)
        space.away = False
        await until(lambda: not directory.snapshot.is_stale)
        assert names(directory) == "ab"
    assert "kept on disk" in caplog.text


async def test_a_start_with_the_registry_does_not_use_the_copy(registry: Registry, tmp_path: Path) -> None:
    copies = Copies(tmp_path, "default", NAME)
    copies.save((node("old"),))
    await registry.register(NAME, node("a"))
    async with Directory(registry, NAME, copies=copies) as directory:
        assert (names(directory), directory.snapshot.is_stale) == ("a", False)


async def test_a_copy_outlives_a_registry_that_came_back_empty(
    registry: Registry, address: str, tmp_path: Path
) -> None:
    copies, space = Copies(tmp_path, "default", NAME), memory.space_of(address)
    copies.save((node("a"), node("b")))
    space.away = True
    async with Directory(registry, NAME, copies=copies) as directory:
        space.away = False
        await until(lambda: not directory.snapshot.is_stale)
        assert (names(directory), directory.suspects) == ("ab", frozenset("ab"))


async def test_neither_registry_nor_copy_is_an_empty_list_that_is_stale(registry: Registry, address: str) -> None:
    memory.space_of(address).away = True
    async with Directory(registry, NAME) as directory:
        assert directory.snapshot == Snapshot(is_stale=True)


async def test_after_its_end_what_was_known_is_readable(registry: Registry) -> None:
    await registry.register(NAME, node("a"))
    async with Directory(registry, NAME) as directory:
        assert names(directory) == "a"
    assert names(directory) == "a"


async def test_a_registry_that_was_closed_leaves_what_was_known(registry: Registry, address: str) -> None:
    other = await provider(address, "a")
    async with Directory(other, NAME) as directory:
        await until(lambda: names(directory) == "a")
        await other.__aexit__(None, None, None)
        await until(lambda: directory.snapshot.is_stale)
        assert names(directory) == "a"


@pytest.mark.parametrize("error", [errors.ForbiddenError("no entry"), ZeroDivisionError()])
async def test_a_watch_that_fails_is_begun_again_and_said_once(
    error: Exception, registry: memory.MemoryRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    await registry.register(NAME, node("a"))
    real, fails = registry.watch, [True]

    async def watch(microservice: str) -> AsyncIterator[Snapshot]:
        if fails:
            raise error
        async for snapshot in real(microservice):
            yield snapshot

    monkeypatch.setattr(registry, "watch", watch)
    async with Directory(registry, NAME, open_within=0.05) as directory:
        assert directory.snapshot.is_stale
        fails.clear()
        await until(lambda: names(directory) == "a" and not directory.snapshot.is_stale)
    assert caplog.text.count("is not watched") == 1


async def test_opening_that_is_given_up_leaves_nothing_running(
    registry: memory.MemoryRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_microservice: str) -> AsyncIterator[Snapshot]:
        await asyncio.Event().wait()
        yield Snapshot()

    monkeypatch.setattr(registry, "watch", nothing)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await Directory(registry, NAME).__aenter__()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("directory")]


async def test_a_registry_that_comes_back_while_the_copy_is_read_has_the_last_word(
    registry: Registry, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies, space, reading, goes_on = (
        Copies(tmp_path, "default", NAME),
        memory.space_of(address),
        threading.Event(),
        threading.Event(),
    )
    await registry.register(NAME, node("a"))
    copies.save((node("old"),))
    real = copies.load

    def slow() -> tuple[Node, ...]:
        reading.set()
        goes_on.wait()
        return real()

    monkeypatch.setattr(copies, "load", slow)
    space.away = True
    directory = Directory(registry, NAME, copies=copies)
    opening = asyncio.create_task(directory.__aenter__())
    await until(reading.is_set)
    space.away = False
    await until(lambda: names(directory) == "a")
    goes_on.set()
    await opening
    assert (names(directory), directory.snapshot.is_stale) == ("a", False)
    await directory.__aexit__(None, None, None)
