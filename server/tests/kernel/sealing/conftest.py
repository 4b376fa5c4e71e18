"""Databases with the sealing's table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qiantang_server.kernel import storage
from qiantang_server.kernel.sealing import store
from server.tests import databases


@pytest.fixture(params=databases.KINDS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[storage.Database]:
    """An open database of each kind."""
    url = databases.address(request)
    async with databases.opened(url, tmp_path / "test.db", [store.data_keys]) as database:
        yield database
