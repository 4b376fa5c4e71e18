"""The static list in a file: both forms, changes, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qiantang.kernel import errors
from qiantang.registry.adapters import file as module
from qiantang.registry.adapters.file import FileRegistry
from qiantang.registry.errors import RegistryAwayError, RegistryReadOnlyError, UnknownDefinitionError
from qiantang.registry.model import Change, Definition, Vote
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import Seen, node, until

TOML = """
[[order.nodes]]
name = "a"
addresses = { csf1 = "127.0.0.1:9000" }

[[order.nodes]]
name = "b"
addresses = { csf1 = "127.0.0.1:9000" }
weight = 7
cluster = "east"
tags = { lane = "blue" }

[order.definitions."order.Orders"]
methods = { get = { timeout = 0.8 } }
"""
JSON = """{"order": {"nodes": [
    {"name": "a", "addresses": {"csf1": "127.0.0.1:9000"}},
    {"name": "b", "addresses": {"csf1": "127.0.0.1:9000"}, "weight": 7, "cluster": "east", "tags": {"lane": "blue"}}],
  "definitions": {"order.Orders": {"methods": {"get": {"timeout": 0.8}}}}}}"""
NODES = (node("a"), node("b", weight=7, cluster="east", tags={"lane": "blue"}))


def registry(path: Path) -> FileRegistry:
    quick = timedelta(milliseconds=20)
    return FileRegistry(RegistrySettings(adapter="file", address=str(path), poll=quick))


def replace(path: Path, text: str) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    fresh.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "nodes.toml"
    made.write_text(TOML)
    return made


@pytest.mark.parametrize(("name", "text"), [("nodes.toml", TOML), ("nodes.json", JSON)])
async def test_it_gives_what_the_file_says(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    async with registry(tmp_path / name) as here:
        first = await anext(here.watch("order"))
        assert (first.nodes, first.is_stale, here.health.ready) == (NODES, False, True)
        assert (await anext(here.watch("billing"))).nodes == ()
        definition = Definition.of("order.Orders", {"methods": {"get": {"timeout": 0.8}}})
        assert await here.definitions("order") == await here.definitions("order", "order.Orders") == (definition,)
        with pytest.raises(UnknownDefinitionError):
            await here.definitions("order", "order.Nothing")
        assert await here.votes("order") == ()


async def test_a_change_is_told(path: Path) -> None:
    async with registry(path) as here:
        seen = Seen(here, "order")
        await seen.until_names("a", "b")
        replace(path, TOML.replace('"a"', '"c"'))
        await seen.until_names("b", "c")
        with path.open("a") as opened:  # in place
            opened.write('\n[[order.nodes]]\nname = "d"\naddresses = {}\n')
        await seen.until_names("b", "c", "d")
        await seen.close()


async def test_a_file_that_is_not_changed_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    real = module._parsed
    monkeypatch.setattr(module, "_parsed", lambda data, path: parsed.append(1) or real(data, path))
    async with registry(path) as here:
        seen = Seen(here, "order")
        await seen.until_names("a", "b")
        mark = here._mark
        os.utime(path, ns=(1, 1))
        await until(lambda: here._mark != mark)
        assert len(parsed) == 2
        await seen.close()
        assert len(seen.snapshots) == 1


@pytest.mark.parametrize("trouble", ["gone", "no toml", "no node", "too large"])
async def test_a_change_that_cannot_be_read_leaves_what_was_known(
    path: Path, trouble: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with registry(path) as here:
        seen = Seen(here, "order")
        await seen.until_names("a", "b")
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 2000)
        if trouble == "gone":
            await asyncio.to_thread(path.unlink)
        else:
            broken = {"no toml": "[[", "no node": TOML + "weigth = 1", "too large": "#" * 2001}
            replace(path, broken[trouble].replace("[order.definitions", "[[order.nodes]]\n[order.definitions"))
        last = await seen.until(lambda last: last.is_stale)
        assert last.nodes == NODES
        assert not here.health.ready
        assert str(path) in here.health.reason
        first = await anext(here.watch("order"))
        assert (first.nodes, first.is_stale) == (NODES, True)
        replace(path, TOML)
        await seen.until(lambda last: not last.is_stale)
        assert here.health.ready
        await seen.close()
    assert caplog.text.count("is not read") == 1


async def test_a_file_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "nodes.toml"
    async with registry(path) as here:
        seen = Seen(here, "order")
        first = await seen.until(lambda _last: True)
        assert (first.nodes, first.is_stale) == ((), True)
        with pytest.raises(RegistryAwayError, match=r"nodes\.toml"):
            await here.definitions("order")
        path.write_text(TOML)
        await seen.until_names("a", "b")
        await seen.close()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("nodes = 1", "no list of nodes"),
        ('[["UPPER".nodes]]', "no list of nodes"),
        ('[[order.nodes]]\nname = "a"\naddresses = {}\nweigth = 1', "weigth"),
        ('[[order.nodes]]\nname = "a/b"\naddresses = {}', "not a name"),
        ('[[order.nodes]]\nname = "a"\naddresses = {}\n' * 2, "one name"),
        ('[[order.nodes]]\nname = "a"\naddresses = {}\nweight = -1', "weight"),
        ('[order.definitions."1bad"]\nx = 1', "service"),
        ("[order]\nnode = []", "node"),
    ],
)
async def test_a_file_that_is_no_list_is_refused_at_the_start(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "nodes.toml"
    path.write_text(text)
    with pytest.raises(errors.MisconfiguredError, match=what):
        await registry(path).__aenter__()


async def test_nobody_writes(path: Path) -> None:
    async with registry(path) as here:
        calls: list[Callable[[], Any]] = [
            lambda: here.register("order", node("z")),
            lambda: here.update("order", "a", Change(weight=1)),
            lambda: here.deregister("order", "a"),
            lambda: here.publish("order", Definition.of("s", {})),
            lambda: here.vote("order", Vote(service="s", node="a", voter="v", value="open")),
        ]
        for call in calls:
            with pytest.raises(RegistryReadOnlyError, match="static list"):
                await call()
    assert await asyncio.to_thread(path.read_text) == TOML


async def test_a_watch_ends_with_it(path: Path) -> None:
    async with registry(path) as here:
        seen = Seen(here, "order")
        await seen.until_names("a", "b")
    await until(lambda: seen.ended)


def test_no_path_is_refused() -> None:
    with pytest.raises(errors.MisconfiguredError, match=r"registry\.address"):
        FileRegistry(RegistrySettings(adapter="file"))


async def test_a_disk_that_hangs_holds_one_thread_and_is_called_away(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = timedelta(milliseconds=20)
    settings = RegistrySettings(adapter="file", address=str(path), poll=quick, operation_timeout=quick)
    hangs, calls = threading.Event(), list[int]()
    real = module._changed

    def hang(*args: Any) -> Any:
        calls.append(1)
        hangs.wait()
        return real(*args)

    async with FileRegistry(settings) as here:
        seen = Seen(here, "order")
        await seen.until_names("a", "b")
        monkeypatch.setattr(module, "_changed", hang)
        await seen.until(lambda last: last.is_stale)
        await asyncio.sleep(0.2)
        assert "no answer" in here.health.reason
        assert len(calls) == 1
        hangs.set()
        replace(path, TOML.replace('"a"', '"c"'))
        await seen.until_names("b", "c")
        await seen.close()
