"""Buses on a server: made as published, made anew with the next release, few at a time, closed when nobody needs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from qiantang.kernel import resource
from qiantang.messaging.testing import until
from qiantang_server.messaging.service import Buses
from qiantang_server.messaging.service.buses import USERS
from qiantang_server.messaging.service.failures import TooManyOpenError
from qiantang_server.messaging.settings import MessagingSettings
from server.tests.messaging.shop import API, PLACE, Shop, open_shop

BUNDLE = resource.Bundle(scope=PLACE, capability="messaging")
STOCK = resource.Bundle(scope=msgspec.structs.replace(PLACE, application="stock"), capability="messaging")
Make = Callable[..., Buses]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_shop(tmp_path) as made:
        (made.folder / "store.sqlite3").touch()
        (made.folder / "broker.sqlite3").touch()
        await made.publish(made.bodies())
        yield made


@pytest.fixture
async def make(shop: Shop) -> AsyncIterator[Make]:
    made: list[Buses] = []

    def buses(**settings: int | timedelta) -> Buses:
        whole = MessagingSettings(file_folders=str(shop.folder), **settings)  # type: ignore[arg-type]
        made.append(Buses(shop.plane.running.kernel.watch, whole))
        return made[-1]

    yield buses
    for one in made:
        await one.close()
        assert len(one) == 0


async def test_a_bus_is_used_again_until_another_release_is_published(shop: Shop, make: Make) -> None:
    buses = make()
    async with buses.of(BUNDLE) as first:
        assert {one.name for one in first.estate.topics} == {"orders", "raw"}
    async with buses.of(BUNDLE) as second:
        assert second is first
        await shop.publish({"topics/more": {"clusters": ["main"]}})
        async with buses.of(BUNDLE) as third:
            assert third is not first
            assert {one.name for one in third.estate.topics} == {"orders", "raw", "more"}
            assert first.bus.loop is not None, "it is used still"
    await until(lambda: first.bus.loop is None)
    assert third.bus.loop is not None


async def test_what_nobody_has_used_for_a_while_is_closed(make: Make) -> None:
    buses = make(idle=timedelta(milliseconds=50))
    task = asyncio.create_task(buses.close_idle())
    async with buses.of(BUNDLE) as used:
        await asyncio.sleep(0.3)
        assert used.bus.loop is not None
    await until(lambda: len(buses) == 0)
    assert used.bus.loop is None
    task.cancel()
    await asyncio.wait({task})


async def test_no_more_use_one_than_it_has_connections(make: Make) -> None:
    buses = make()
    async with AsyncExitStack() as stack:
        for _ in range(USERS):
            await stack.enter_async_context(buses.of(BUNDLE))
        with pytest.raises(TooManyOpenError):
            await stack.enter_async_context(buses.of(BUNDLE))
    async with buses.of(BUNDLE):
        pass


async def test_one_that_nobody_uses_makes_room_and_one_in_use_does_not(shop: Shop, make: Make) -> None:
    await shop.publish(shop.bodies(), API.replace("order", "stock"))
    buses = make(open_buses=1)
    async with buses.of(BUNDLE) as first:
        with pytest.raises(TooManyOpenError):
            await buses.of(STOCK).__aenter__()
        assert first.bus.loop is not None
    async with buses.of(STOCK) as second:
        await until(lambda: first.bus.loop is None)
        assert second.bus.loop is not None
    await until(lambda: len(buses) == 1)


async def test_a_gray_release_is_not_looked_at(shop: Shop, make: Make) -> None:
    await shop.ask("PUT", f"{API}/topics/gray", {"body": {"clusters": ["main"]}}, **{"If-Match": "*"})
    command = {"expected_revision": shop.revisions[API], "gray": {"percent": 100}}
    await shop.ask("POST", f"{API}/releases", command)
    async with make().of(BUNDLE) as found:
        assert {one.name for one in found.estate.topics} == {"orders", "raw"}
