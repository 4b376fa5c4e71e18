"""Databases for the audit tests: SQLite always, the real ones where they are installed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang_server.kernel import storage
from qiantang_server.kernel.audit import store
from server.tests import databases

TABLES = [store.heads, store.records]


async def opened(url: str, folder: Path) -> AsyncIterator[storage.Database]:
    settings = storage.StorageSettings(url=url, pool_size=4)
    async with databases.opened(url, folder / "test.db", TABLES, settings=settings) as database:
        yield database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[storage.Database]:
    async for database in opened("", tmp_path):
        yield database


@pytest.fixture(params=databases.KINDS)
async def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[storage.Database]:
    url = databases.address(request)
    async for database in opened(url, tmp_path):
        yield database
