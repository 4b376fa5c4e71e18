"""A table of the tests' own, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from qiantang_server.kernel import storage
from qiantang_server.kernel.storage.schema import BigId, Blob
from server.tests import databases

metadata = sa.MetaData()

things = sa.Table(
    "thing",
    metadata,
    storage.name_column("name", primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("text", storage.Text, nullable=False),
)
numbered = sa.Table("numbered", metadata, sa.Column("id", BigId, primary_key=True), sa.Column("blob", Blob))
unique = sa.Table(
    "unique_thing",
    metadata,
    sa.Column("id", BigId, primary_key=True),
    storage.name_column("name"),
    sa.UniqueConstraint("name"),
)


def thing(name: str, number: int = 0, text: str = "") -> dict[str, object]:
    return {"name": name, "number": number, "text": text}


@pytest.fixture(params=databases.KINDS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[storage.Database]:
    settings = storage.StorageSettings(url=databases.address(request), pool_size=4)
    async with storage.Database(settings, default_file=tmp_path / "own.sqlite3") as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield database
