"""The registration: a node from start to end, and through outages of the registry."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from qiantang.kernel import errors
from qiantang.registry.adapters import memory
from qiantang.registry.adapters.file import FileRegistry
from qiantang.registry.client import Registration
from qiantang.registry.client import registration as module
from qiantang.registry.errors import RegistrationOverError, RegistryAwayError, RegistryReadOnlyError
from qiantang.registry.model import Change
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import Seen, fresh_name, node, until

NAME = "order"


@pytest.fixture
def address() -> str:
    return fresh_name("space")


@pytest.fixture
async def registry(address: str) -> AsyncIterator[memory.MemoryRegistry]:
    async with memory.make(RegistrySettings(address=address)) as made:
        yield made


@pytest.fixture
async def seen(registry: Registry) -> AsyncIterator[Seen]:
    made = Seen(registry, NAME)
    yield made
    await made.close()


async def test_a_node_starts_gets_ready_drains_and_is_gone(registry: Registry, seen: Seen) -> None:
    async with Registration(registry, NAME, node("a", state="starting"), notice=0.0) as registration:
        await seen.until(lambda last: [one.state for one in last.nodes] == ["starting"])
        await registration.ready()
        await seen.until(lambda last: [one.state for one in last.nodes] == ["ready"])
        await registration.change(Change(weight=5, tags={"lane": "blue"}))
        await seen.until(lambda last: last.nodes == (node("a", weight=5, tags={"lane": "blue"}),))
        await registration.drain()
        await seen.until(lambda last: [one.state for one in last.nodes] == ["draining"])
        assert registration.is_told
    await seen.until_names()


@pytest.mark.parametrize("notice", [0.0, 0.2])
async def test_a_node_that_drains_is_not_gone_before_its_goodbye_was_to_be_read(
    registry: Registry, seen: Seen, notice: float
) -> None:
    async with Registration(registry, NAME, node("a"), notice=notice) as registration:
        await registration.drain()
        told = time.monotonic()
    assert (time.monotonic() - told >= notice - 0.01) and (not notice or seen.last.nodes[0].state == "draining")
    await seen.until_names()


async def test_who_does_not_drain_leaves_at_once(registry: Registry, seen: Seen) -> None:
    async with Registration(registry, NAME, node("a"), notice=60):
        await seen.until_names("a")
    await seen.until_names()


async def test_there_is_no_way_back_from_draining(registry: Registry, seen: Seen) -> None:
    async with Registration(registry, NAME, node("a"), notice=0.0) as registration:
        await registration.drain()
        with pytest.raises(RegistrationOverError):
            await registration.ready()
        await registration.change(Change(weight=0))
        await seen.until(lambda last: [(one.state, one.weight) for one in last.nodes] == [("draining", 0)])


async def test_an_operator_takes_it_out_and_back(registry: Registry, seen: Seen) -> None:
    async with Registration(registry, NAME, node("a")) as registration:
        await registration.change(Change(state="offline"))
        await seen.until(lambda last: [one.state for one in last.nodes] == ["offline"])
        await registration.ready()
        await seen.until(lambda last: [one.state for one in last.nodes] == ["ready"])


async def test_it_starts_while_the_registry_is_away_and_is_there_once_it_is_back(
    registry: Registry, address: str, seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    space = memory.space_of(address)
    space.away = True
    async with Registration(registry, NAME, node("a", state="starting")) as registration:
        assert not registration.is_told
        await registration.ready()
        await registration.change(Change(weight=3))
        space.away = False
        await seen.until(lambda last: last.nodes == (node("a", weight=3),))
        await until(lambda: registration.is_told)
    assert caplog.text.count("not told") == 1
    assert not any(len(one.nodes) and one.nodes[0].state == "starting" for one in seen.snapshots)


async def test_it_leaves_while_the_registry_is_away(
    registry: Registry, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Registration(registry, NAME, node("a")):
        memory.space_of(address).away = True
    assert "could not say that it leaves" in caplog.text


async def test_a_registry_that_hangs_costs_the_deadline(
    registry: Any, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    real = registry.register

    async def hang(*_: object) -> None:
        monkeypatch.setattr(registry, "register", real)
        await Seen(registry, NAME).until(lambda _last: False)

    monkeypatch.setattr(registry, "register", hang)
    async with Registration(registry, NAME, node("a"), tell_within=0.05) as registration:
        assert not registration.is_told
        await seen.until_names("a")


async def test_a_registry_that_refuses_later_is_asked_on(
    registry: Any, monkeypatch: pytest.MonkeyPatch, seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    answers: list[Exception] = [RegistryAwayError("away"), errors.ForbiddenError("no"), ZeroDivisionError()]
    real = registry.register

    async def refuse(microservice: str, one: Any) -> None:
        if answers:
            raise answers.pop(0)
        await real(microservice, one)

    monkeypatch.setattr(registry, "register", refuse)
    async with Registration(registry, NAME, node("a")):
        await seen.until_names("a")
    assert "refuses a node" in caplog.text


async def test_a_name_that_another_process_took_over_is_left_to_it(
    registry: Registry, address: str, seen: Seen, caplog: pytest.LogCaptureFixture
) -> None:
    async with Registration(registry, NAME, node("a"), notice=0.0) as registration:
        async with memory.make(RegistrySettings(address=address)) as other:
            await other.register(NAME, node("a", weight=2))
            await registration.change(Change(weight=7))
            await registration.drain()
            await registry.register(NAME, node("b"))
            await seen.until(lambda last: len(last.nodes) == 2)
            assert (seen.last.nodes[0].weight, seen.last.nodes[0].state) == (2, "ready")
    assert "another process" in caplog.text


async def test_what_can_never_be_is_said_at_once(registry: Registry, tmp_path: Any) -> None:
    file = tmp_path / "nodes.json"
    file.write_text("{}")
    async with FileRegistry(RegistrySettings(adapter="file", address=str(file))) as static:
        with pytest.raises(RegistryReadOnlyError, match=r"nodes\.json"):
            async with Registration(static, NAME, node("a")):
                pytest.fail("it entered")
    with pytest.raises(errors.InvalidRequestError):
        Registration(registry, NAME, node("a/b"))
    async with Registration(registry, NAME, node("a")) as registration:
        with pytest.raises(errors.InvalidRequestError):
            await registration.change(Change(weight=-1))
        assert registration.node.weight == 100
