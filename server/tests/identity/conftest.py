"""Fixtures of the identity tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import qiantang_server.identity.store.tables  # noqa: F401  # the tables stand in the metadata
from qiantang_server.identity.service import Identity
from qiantang_server.identity.settings import IdentitySettings
from qiantang_server.kernel import storage
from server.tests import databases
from server.tests.identity.estate import DECLARED, Clock, Estate, PlainSealer


@asynccontextmanager
async def opened(url: str, folder: Path, made: Path | None = None) -> AsyncGenerator[storage.Database]:
    tables = [table for name, table in storage.metadata.tables.items() if name.startswith(("identity_", "audit_"))]
    async with databases.opened(url, folder / "test.db", tables, made=made) as database:
        yield database


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database in which the estate stands: most tests begin from a copy of it."""
    folder = tmp_path_factory.mktemp("estate")

    async def build() -> None:
        async with opened("", folder) as database, service(database, Clock()) as identity:
            await Estate(identity, Clock()).build()

    with ThreadPoolExecutor(1) as thread:  # a loop runs here already
        thread.submit(lambda: asyncio.run(build())).result()
    return folder / "test.db"


@pytest.fixture
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[storage.Database]:
    """An empty one; for those who ask for the estate one in which it stands."""
    made = request.getfixturevalue("built") if "estate" in request.fixturenames else None
    async with opened("", tmp_path, made) as database:
        yield database


@pytest.fixture(params=databases.KINDS)
async def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[storage.Database]:
    url = databases.address(request)
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
    return Estate(identity, clock)


@pytest.fixture
async def any_estate(any_database: storage.Database, clock: Clock) -> AsyncGenerator[Estate]:
    async with service(any_database, clock) as identity:
        estate = Estate(identity, clock)
        await estate.build()
        yield estate
