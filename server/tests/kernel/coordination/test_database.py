"""The database's adapter: the conformance suite on each database, and what only it has to promise."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from qiantang.kernel.resource import Position
from qiantang_server.kernel import storage
from qiantang_server.kernel.coordination import store
from qiantang_server.kernel.coordination.adapters.database import DatabaseCoordination
from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings
from qiantang_server.kernel.coordination.testing import (
    LONG,
    CoordinationConformance,
    OpenOne,
    fresh_key,
    fresh_name,
    until,
    until_true,
)

from .conftest import OpenDatabase, Opened

QUICK = CoordinationSettings(poll=timedelta(milliseconds=50))


@pytest.fixture
def open_one(open_database: OpenDatabase, opened: Opened) -> OpenOne:
    async def open_() -> Coordination:
        return await opened(DatabaseCoordination(await open_database(), QUICK))

    return open_


@pytest.fixture(autouse=True)
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qiantang_server.kernel.coordination.adapters.database.BEAT_SECONDS", 0.2)


class TestConformance(CoordinationConformance):
    pass


async def test_this_servers_clock_changes_nothing(open_one: OpenOne, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there, name = await open_one(), await open_one(), fresh_name()
    lease = await here.acquire(name, "a", LONG)
    assert lease is not None
    real, real_ns = time.time, time.time_ns
    for offset in (3600, -3600):
        monkeypatch.setattr(time, "time", lambda offset=offset: real() + offset)
        monkeypatch.setattr(time, "time_ns", lambda offset=offset: real_ns() + offset * 10**9)
        assert await there.acquire(name, "b", LONG) is None
        kept = await here.renew(lease, LONG)
        assert kept is not None
        assert abs(kept.expires - lease.expires) < 60_000


async def test_a_late_commit_is_heard(open_database: OpenDatabase, opened: Opened) -> None:
    """A row that is dated before polls which could not see it yet: its transaction was still open."""
    database = await open_database()
    there, key = await opened(DatabaseCoordination(database, QUICK)), fresh_key()
    watch = there.watch()
    await there.announce(other := fresh_key(), Position(epoch=1, revision=1))
    await until(watch, lambda change: change[0] == other)

    async def slow(session: storage.Session) -> None:
        at = await session.now() - 1500
        row = {"bundle": key, "epoch": 1, "revision": 7, "at": at}
        await session.execute(sa.insert(store.announcements).values(**row))

    await asyncio.sleep(0.2)
    await database.write(slow)
    assert await until(watch, lambda change: change[0] == key) == (key, Position(epoch=1, revision=7))


async def test_what_is_older_than_the_overlap_is_heard_at_the_resync(
    open_database: OpenDatabase, opened: Opened
) -> None:
    database = await open_database()
    settings = CoordinationSettings(poll=timedelta(milliseconds=20), resync=timedelta(milliseconds=300))
    there, key = await opened(DatabaseCoordination(database, settings)), fresh_key()
    watch = there.watch()
    await there.announce(other := fresh_key(), Position(epoch=1, revision=1))
    await until(watch, lambda change: change[0] == other)

    async def ancient(session: storage.Session) -> None:
        row = {"bundle": key, "epoch": 1, "revision": 7, "at": 1}
        await session.execute(sa.insert(store.announcements).values(**row))

    await database.write(ancient)
    assert await until(watch, lambda change: change[0] == key) == (key, Position(epoch=1, revision=7))


async def test_many_announcements_are_read_in_pages(
    open_database: OpenDatabase, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qiantang_server.kernel.coordination.adapters.database.PAGE", 7)
    database = await open_database()
    keys = {f"t/dev/c/app{number}:config" for number in range(50)}

    async def fill(session: storage.Session) -> None:
        at = await session.now()
        rows = [{"bundle": key, "epoch": 1, "revision": 1, "at": at} for key in keys]
        await session.execute(sa.insert(store.announcements), rows)

    await database.write(fill)
    for _ in range(2):
        there = await opened(DatabaseCoordination(database, QUICK))
        heard: set[str] = set()

        def all_heard(change: tuple[str, Position], heard: set[str] = heard) -> bool:
            heard.add(change[0])
            return heard == keys

        await until(there.watch(), all_heard)


async def test_epochs_survive_a_restart(open_one: OpenOne) -> None:
    here, name = await open_one(), fresh_name()
    first = await here.acquire(name, "a", LONG)
    assert first is not None
    await here.__aexit__(None, None, None)
    there = await open_one()
    assert await there.acquire(name, "b", LONG) is None
    await there.release(first)
    second = await there.acquire(name, "b", LONG)
    assert second is not None
    assert second.epoch > first.epoch


async def test_a_lost_server_is_missed(
    open_database: OpenDatabase, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qiantang_server.kernel.coordination.adapters.database.LIVE_MS", 1000)
    here = await opened(DatabaseCoordination(await open_database(), QUICK))
    dead = DatabaseCoordination(await open_database(), QUICK)  # never opened: it beats once, like one that was killed
    await dead.enlist("dead", "http://dead:1")
    watch = here.servers()
    await until(watch, lambda servers: "http://dead:1" in servers)
    await until(watch, lambda servers: "http://dead:1" not in servers)


@pytest.mark.postgresql
async def test_polls_go_on_after_the_database_was_away(
    postgresql_factory, tmp_path, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    server = await asyncio.to_thread(postgresql_factory)
    settings = storage.StorageSettings(url=server.create_database(), statement_timeout=timedelta(seconds=1))
    async with storage.Database(settings, default_file=tmp_path / "none") as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(storage.metadata.create_all, tables=[store.announcements, store.servers])
        here, key = await opened(DatabaseCoordination(database, QUICK)), fresh_key()
        watch = here.watch()
        await here.announce(key, Position(epoch=1, revision=1))
        await until(watch, lambda change: change[0] == key)
        await until_true(lambda: here.condition.ready)
        await asyncio.to_thread(server.kill)
        await until_true(lambda: not here.condition.ready)
        await asyncio.sleep(2.5)
        assert sum("not heard" in record.message for record in caplog.records) == 1
        await asyncio.to_thread(server.start)
        await until_true(lambda: here.condition.ready)
        async with storage.Database(settings, default_file=tmp_path / "none") as other:
            await other.write(lambda session: store.announce(session, key, Position(epoch=1, revision=2)))
        await until(watch, lambda change: change == (key, Position(epoch=1, revision=2)))
