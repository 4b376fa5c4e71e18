"""Databases of every kind, steps to migrate them by, and rows to be kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import qiantang_server.app.process  # every table stands in the metadata
import qiantang_server.kernel.coordination.adapters.database  # noqa: F401  # that of an adapter too
from qiantang_server.app.catalog import CAPABILITIES
from qiantang_server.kernel import storage
from qiantang_server.kernel.storage import migrations

FOLDERS = [migrations.KERNEL, *(room.migrations for room in CAPABILITIES if room.migrations)]
KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]
STEPS = Path(__file__).parent / "steps"


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database; MariaDB's is one as most are: latin1, and blind to case."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/migrated.sqlite3"
    elif request.param == "postgresql":
        yield request.getfixturevalue("postgresql_url")
    else:
        server = request.getfixturevalue("mariadb_server")
        made = server.create_database()
        server.execute(f"alter database `{made.rpartition('/')[2]}` character set latin1 collate latin1_swedish_ci")
        yield made
        server.drop_database(made)


def database(url: str, **settings: Any) -> storage.Database:
    return storage.Database(storage.StorageSettings(url=url, **settings), default_file=Path("/nonexistent"))


def folders(tmp_path: Path, *names: str, of: Sequence[Path] = FOLDERS) -> list[Path]:
    """Give the product's folders, the kernel's as a copy with these steps of the tests added after its last."""
    copy = tmp_path / f"kernel-{'-'.join(names)}"
    shutil.copytree(migrations.KERNEL, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    last = sorted(copy.glob("[0-9]*.py"))[-1].stem[:4]
    for name in names:
        text = (STEPS / f"{name}.txt").read_text().replace("BEFORE", f"kernel_{last}")
        last = f"{int(last) + 1:04}"
        (copy / f"{last}_{name}.py").write_text(text.replace("THIS", f"kernel_{last}"))
    return [copy if folder == migrations.KERNEL else folder for folder in of]


async def schema_of(database: storage.Database) -> sa.MetaData:
    """Read the tables that a database has."""
    found = sa.MetaData()
    async with database.reading() as session:
        await session.connection.run_sync(found.reflect)
    return found


async def contents(database: storage.Database) -> dict[str, list[dict[str, Any]]]:
    """Give every row of every table, in order of key; but for the version's."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in (await schema_of(database)).sorted_tables:
        if table.name == "alembic_version":
            continue
        async with database.reading() as session:
            rows = await session.all(sa.select(table))
        found[table.name] = sorted((dict(row._mapping) for row in rows), key=repr)
    return found


async def version(database: storage.Database) -> set[str]:
    """Give the steps that a database says it is at."""
    async with database.reading() as session:
        return {row[0] for row in await session.all(sa.text("SELECT version_num FROM alembic_version"))}
