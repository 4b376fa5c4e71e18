"""What the server's tests share: a database of each kind with every table in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang_server.kernel import storage

DATABASES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


def database_url(request: pytest.FixtureRequest, kind: str) -> str:
    """Give the address of a fresh empty database; empty for the embedded one."""
    if kind == "sqlite":
        return ""
    return request.getfixturevalue(f"{kind}_url")


@pytest.fixture(params=DATABASES)
async def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[storage.Database]:
    """A fresh database with every table that has been imported, once per kind of database."""
    settings = storage.StorageSettings(url=database_url(request, request.param))
    async with storage.Database(settings, default_file=tmp_path / "test.sqlite3") as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(storage.metadata.create_all)
        yield database
