"""Fixtures of the identity tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import qiantang_server.identity.store.tables  # noqa: F401  # the tables stand in the metadata
from qiantang_server.identity.service import Identity
from qiantang_server.identity.settings import IdentitySettings
from qiantang_server.kernel import storage
from server.tests.identity.estate import DECLARED, Clock, Estate, PlainSealer


@asynccontextmanager
async def opened(url: str, folder: Path) -> AsyncGenerator[storage.Database]:
    async with storage.Database(storage.StorageSettings(url=url), default_file=folder / "test.db") as database:
        tables = [table for name, table in storage.metadata.tables.items() if name.startswith(("identity_", "audit_"))]
        async with database.engine.begin() as connection:
            await connection.run_sync(storage.metadata.create_all, tables=tables)
        yield database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[storage.Database]:
    async with opened("", tmp_path) as database:
        yield database


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
async def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[storage.Database]:
    url = "" if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_url")
    async with opened(url, tmp_path) as database:
        yield database


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def service(
    database: storage.Database, clock: Clock, settings: IdentitySettings | None = None
) -> AsyncGenerator[Identity]:
    async with Identity(database, PlainSealer(), DECLARED, settings or IdentitySettings(), clock=clock) as identity:
        yield identity


@pytest.fixture
async def identity(database: storage.Database, clock: Clock) -> AsyncGenerator[Identity]:
    async with service(database, clock) as identity:
        yield identity


@pytest.fixture
async def estate(identity: Identity, clock: Clock) -> Estate:
    estate = Estate(identity, clock)
    await estate.build()
    return estate


@pytest.fixture
async def any_estate(any_database: storage.Database, clock: Clock) -> AsyncGenerator[Estate]:
    async with service(any_database, clock) as identity:
        estate = Estate(identity, clock)
        await estate.build()
        yield estate
