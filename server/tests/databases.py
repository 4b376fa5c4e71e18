"""Databases: a fresh one with tables in it. The embedded one is a copy of a file that is made once: making the tables takes
longer than most tests do."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

import pytest
import sqlalchemy as sa

from qiantang_server.kernel import storage

KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


def address(request: pytest.FixtureRequest) -> str:
    """Give where a fresh empty database of the kind stands that a fixture was asked for; empty for the embedded one."""
    return "" if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_url")


@asynccontextmanager
async def opened(
    url: str,
    file: Path,
    tables: Iterable[sa.Table] | None = None,
    *,
    settings: storage.StorageSettings | None = None,
    made: Path | None = None,
) -> AsyncGenerator[storage.Database]:
    """Open a fresh database with these tables, with all that were imported if none are named; `made` is one to begin from."""
    wanted = list(storage.metadata.tables.values() if tables is None else tables)
    if not url:
        shutil.copyfile(made or _with_tables(frozenset(one.name for one in wanted)), file)
    async with storage.Database(settings or storage.StorageSettings(url=url), default_file=file) as database:
        if url:
            async with database.engine.begin() as connection:
                await connection.run_sync(storage.metadata.create_all, tables=wanted)
        yield database


@lru_cache(maxsize=32)
def _with_tables(names: frozenset[str]) -> Path:
    """Give a file with these tables, made at the first call of this process."""
    file = Path(tempfile.mkdtemp(prefix="qiantang-tables-")) / "tables.sqlite3"
    engine = sa.create_engine(f"sqlite:///{file}")
    storage.metadata.create_all(engine, tables=[storage.metadata.tables[name] for name in names])
    engine.dispose()
    return file
