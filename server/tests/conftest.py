"""What the server's tests share: a database of each kind with every table in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang_server.kernel import storage
from server.tests import databases


@pytest.fixture(params=databases.KINDS)
async def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[storage.Database]:
    """A fresh database with every table that has been imported, once per kind of database."""
    async with databases.opened(databases.address(request), tmp_path / "test.sqlite3") as database:
        yield database
