"""Databases with the sealing's table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang_server.kernel import storage
from qiantang_server.kernel.sealing import store

DATABASES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


@pytest.fixture(params=DATABASES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[storage.Database]:
    """An open database of each kind."""
    url = "" if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_url")
    async with storage.Database(storage.StorageSettings(url=url), default_file=tmp_path / "test.db") as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(storage.metadata.create_all, tables=[store.data_keys])
        yield database
