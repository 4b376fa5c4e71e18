"""Database: transactions that are whole, retried where another's sake asks for it, and errors of our own tree."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from qiantang.kernel import errors
from qiantang_server.kernel import storage
from server.tests.kernel.storage.conftest import thing, things, unique
from tests.servers import ports


async def numbers(database: storage.Database) -> dict[str, int]:
    async with database.reading() as session:
        return {row.name: row.number for row in await session.all(sa.select(things))}


async def test_what_raises_leaves_nothing_and_tells_nobody(database: storage.Database) -> None:
    told: list[str] = []

    async def work(session: storage.Session) -> None:
        await session.execute(sa.insert(things), [thing("a")])
        session.after_commit(lambda: told.append("a"))
        raise errors.RejectedError("a rule said no")

    with pytest.raises(errors.RejectedError):
        await database.write(work)
    assert (await numbers(database), told) == ({}, [])


async def test_a_commit_is_told_once_and_after_it_is_durable(database: storage.Database) -> None:
    told: list[str] = []

    async def work(session: storage.Session) -> str:
        await session.execute(sa.insert(things), [thing("a")])
        session.after_commit(lambda: told.append("first"))
        session.after_commit(lambda: told.append("second"))
        assert told == []
        return "done"

    assert (await database.write(work), told) == ("done", ["first", "second"])


async def test_writers_that_lock_each_other_out_all_get_through(database: storage.Database) -> None:
    async def seed(session: storage.Session) -> None:
        await session.execute(sa.insert(things), [thing("a"), thing("b")])

    await database.write(seed)
    attempts = 0
    told: list[str] = []

    async def raise_both(first: str, second: str) -> None:
        async def work(session: storage.Session) -> None:
            nonlocal attempts
            attempts += 1
            for name in (first, second):
                await session.execute(sa.update(things).where(things.c.name == name).values(number=things.c.number + 1))
                await asyncio.sleep(0.02)  # long enough for the other one to take the other row
            session.after_commit(lambda: told.append(first))

        await database.write(work)

    rounds = 3
    for _ in range(rounds):
        await asyncio.gather(raise_both("a", "b"), raise_both("b", "a"))
    assert await numbers(database) == {"a": 2 * rounds, "b": 2 * rounds}
    assert sorted(told) == ["a"] * rounds + ["b"] * rounds, "a rolled back attempt tells nobody"
    if database.dialect != "sqlite":
        assert attempts > 2 * rounds, "the two never met: the test proved nothing"


async def test_many_writers_lose_no_change(database: storage.Database) -> None:
    async def seed(session: storage.Session) -> None:
        await session.execute(sa.insert(things), [thing("a")])

    async def count_up(session: storage.Session) -> None:
        found = await session.first(sa.select(things).where(things.c.name == "a").with_for_update())
        assert found is not None
        await session.execute(sa.update(things).values(number=found.number + 1))

    await database.write(seed)
    await asyncio.gather(*(database.write(count_up) for _ in range(30)))
    assert await numbers(database) == {"a": 30}


async def test_a_reader_never_waits_for_a_writer_and_sees_only_what_is_committed(database: storage.Database) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def work(session: storage.Session) -> None:
        await session.execute(sa.insert(things), [thing("a")])
        inside.set()
        await go_on.wait()

    writing = asyncio.create_task(database.write(work))
    await inside.wait()
    async with asyncio.timeout(5):
        assert await numbers(database) == {}
    go_on.set()
    await writing
    assert await numbers(database) == {"a": 0}


async def test_a_cancelled_writer_leaves_nothing_and_frees_its_place(database: storage.Database) -> None:
    for _ in range(6):  # more than there are connections
        inside = asyncio.Event()

        async def work(session: storage.Session, inside: asyncio.Event = inside) -> None:
            await session.execute(sa.insert(things), [thing("a")])
            inside.set()
            await asyncio.Event().wait()

        writing = asyncio.create_task(database.write(work))
        await inside.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    async def free(session: storage.Session) -> None:
        await session.execute(sa.insert(things), [thing("b")])

    async with asyncio.timeout(5):
        await database.write(free)
    assert await numbers(database) == {"b": 0}


async def test_a_row_that_contradicts_another_is_a_conflict(database: storage.Database) -> None:
    async def work(session: storage.Session) -> None:
        await session.execute(sa.insert(unique), [{"name": "x"}])

    await database.write(work)
    with pytest.raises(errors.ConflictError):
        await database.write(work)


async def test_a_wrong_statement_is_logged_and_its_text_stays_inside(
    database: storage.Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(errors.InternalError) as caught:
        async with database.reading() as session:
            await session.all(sa.text("SELECT a FROM nowhere_at_all"))
    assert "nowhere_at_all" not in str(caught.value)
    assert any("nowhere_at_all" in str(record.__dict__.get("reason")) for record in caplog.records)


async def test_readers_cannot_write_on_sqlite(tmp_path: Path) -> None:
    async with storage.Database(storage.StorageSettings(), default_file=tmp_path / "x.sqlite3") as database:
        with pytest.raises(errors.QiantangError):
            async with database.reading() as session:
                await session.execute(sa.text("CREATE TABLE t (a INTEGER)"))


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
async def test_a_database_that_is_away_is_named_without_its_password(kind: str, tmp_path: Path) -> None:
    url = f"{kind}://ann:topsecret@127.0.0.1:{ports.take()}/x"
    database = storage.Database(storage.StorageSettings(url=url), default_file=tmp_path / "x")
    with pytest.raises(errors.UnavailableError) as caught:
        async with database:
            pass
    assert "topsecret" not in f"{caught.value} {database.address} {database!r}"
    assert "127.0.0.1" in str(caught.value)


async def test_an_unknown_kind_of_database_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(errors.MisconfiguredError, match="postgresql"):
        storage.Database(storage.StorageSettings(url="oracle://x/y"), default_file=tmp_path / "x")


async def test_a_file_that_cannot_be_opened_is_said_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/no/such/folder/x.sqlite3"
    with pytest.raises(errors.UnavailableError, match="unable to open"):
        async with storage.Database(storage.StorageSettings(url=url), default_file=tmp_path / "x"):
            pass


async def test_no_free_connection_within_the_time_is_said_as_such(tmp_path: Path) -> None:
    settings = storage.StorageSettings(pool_size=1, statement_timeout=timedelta(seconds=0.2))
    async with storage.Database(settings, default_file=tmp_path / "x.sqlite3") as database:
        async with database.reading():
            with pytest.raises(errors.UnavailableError):
                async with database.reading():
                    pass
