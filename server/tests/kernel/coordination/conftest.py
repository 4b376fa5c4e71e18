"""Databases with the coordination's tables, and coordinations that end with their test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from qiantang_server.kernel import storage
from qiantang_server.kernel.coordination import store
from qiantang_server.kernel.coordination.port import Coordination
from server.tests import databases

TABLES = [store.leases, store.announcements, store.servers]
OpenDatabase = Callable[[], Awaitable[storage.Database]]
Opened = Callable[[Coordination], Awaitable[Coordination]]


@pytest.fixture(params=databases.KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty database of each kind."""
    return databases.address(request) or f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
async def open_database(url: str, tmp_path: Path) -> AsyncIterator[OpenDatabase]:
    """Open the same database any number of times, as several processes would."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_() -> storage.Database:
            settings = storage.StorageSettings(url=url)
            return await stack.enter_async_context(storage.Database(settings, default_file=tmp_path / "none"))

        first = await open_()
        async with first.engine.begin() as connection:
            await connection.run_sync(storage.metadata.create_all, tables=TABLES)
        yield open_


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Open coordinations, and close at the end those that the test has not closed."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_(coordination: Coordination) -> Coordination:
            return await stack.enter_async_context(coordination)

        yield open_
