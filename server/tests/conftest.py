"""What the server's tests share: a database of each kind with every table in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang_server.kernel import storage
from server.tests import databases

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
    async with databases.opened(database_url(request, request.param), tmp_path / "test.sqlite3") as database:
        yield database
