"""Telling: changes of a registry are announced to other servers, many as one, and are not taken for releases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang.kernel import resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.coordination.adapters.database import DatabaseCoordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings
from qiantang_server.registry.service.listings import Seat
from qiantang_server.registry.service.telling import Telling, key_of, place_of
from qiantang_server.registry.store.tables import Place
from server.tests.app.plane import opened
from server.tests.registry.town import ORDER, STOCK, Town, taken

PLACE = Place("acme", "dev")


@pytest.fixture
async def coordination(any_database: storage.Database) -> AsyncIterator[DatabaseCoordination]:
    async with DatabaseCoordination(any_database, CoordinationSettings()) as made:
        yield made


def test_a_registry_has_a_key_like_a_bundle_and_nothing_else_has_it() -> None:
    assert place_of(key_of(PLACE)) == PLACE
    assert place_of("acme/dev/registry/registry:config") is None


async def test_many_changes_are_told_as_one(any_database: storage.Database, coordination: DatabaseCoordination) -> None:
    town = Town(any_database)
    telling = Telling(coordination, town.listings)
    for revision in (3, 9, 5):
        telling.moved(PLACE, revision)
    task = asyncio.create_task(telling.tell())
    heard: list[int] = []
    async with asyncio.timeout(60):
        async for key, position in coordination.watch():
            if key == key_of(PLACE):
                heard.append(position.revision)
                break
    assert heard == [9]
    task.cancel()


async def test_what_another_server_tells_reaches_who_follows_here(
    any_database: storage.Database, coordination: DatabaseCoordination
) -> None:
    here, there = Town(any_database), Town(any_database)
    async with DatabaseCoordination(any_database, CoordinationSettings()) as of_there:
        telling = Telling(of_there, there.listings)
        there.ground.moved.append(telling.moved)
        loops = [asyncio.create_task(loop) for loop in (telling.tell(), Telling(coordination, here.listings).hear())]
        seat = Seat(STOCK, ["order"])
        await here.listings.add(seat, 0)
        await taken(seat)
        await there.register(ORDER, await there.session(ORDER), "a")
        ((_name, nodes),) = await taken(seat)
        assert [one.name for one in nodes] == ["a"]
        for loop in loops:
            loop.cancel()
        here.listings.remove(seat)


async def test_watch_takes_no_announcement_for_a_release_that_no_capability_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as plane:
        kernel = plane.running.kernel
        hinted: list[str] = []
        heard = asyncio.Event()

        def hint(bundle: resource.Bundle, _position: resource.Position) -> None:
            hinted.append(str(bundle))
            heard.set()

        monkeypatch.setattr(kernel.watch.heads, "hint", hint)
        position = resource.Position(epoch=1, revision=1)
        await kernel.coordination.announce(key_of(PLACE), position)
        await kernel.coordination.announce("acme/dev/trade/order:config", position)
        async with asyncio.timeout(60):
            await heard.wait()
        assert hinted == ["acme/dev/trade/order:config"]
