"""Sessions: renewed together, over once nobody renews, and never because the control plane itself was away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from qiantang.kernel import errors
from qiantang.registry.errors import RegistryFullError, SessionOverError
from qiantang.registry.model import Vote, protocol
from qiantang_server.kernel import storage
from qiantang_server.registry.service.sessions import GAP_MS
from qiantang_server.registry.store import tables
from server.tests import databases
from server.tests.registry.town import EVIL, ORDER, STOCK, Town


@pytest.fixture
def town(any_database: storage.Database) -> Town:
    return Town(any_database)


async def test_a_session_is_told_how_often_to_renew(town: Town) -> None:
    opened = await town.sessions.open(ORDER)
    assert (opened.lease_seconds, opened.renew_seconds) == (15, 5)
    assert opened.session not in repr(opened)
    (row,) = await town.rows(tables.sessions)
    assert row.id != opened.session, "what a process is known by is not kept as it is"
    assert row.expires_at - row.opened_at == 15_000


async def test_renewals_of_all_are_written_in_one_transaction(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = [await town.session(caller) for caller in (ORDER, STOCK) for _ in range(20)]
    await town.run(sa.update(tables.sessions).values(expires_at=storage.now() + 60))
    callers = [ORDER] * 20 + [STOCK] * 20
    written = []
    write = town.database.write

    async def counted(work: object) -> object:
        written.append(work)
        return await write(work)  # type: ignore[arg-type]

    monkeypatch.setattr(town.database, "write", counted)
    renewing = [
        asyncio.create_task(town.sessions.renew(caller, one)) for caller, one in zip(callers, sessions, strict=True)
    ]
    await asyncio.sleep(0)
    await town.sessions.tick()
    await asyncio.gather(*renewing)
    assert len(written) == 1
    async with town.database.reading() as session:
        now = await session.now()
    assert all(row.expires_at > now + 10_000 for row in await town.rows(tables.sessions))


async def test_who_is_not_renewed_is_gone_with_all_that_is_of_it(town: Town) -> None:
    gone, there = await town.session(ORDER), await town.session(ORDER)
    await town.register(ORDER, gone, "a")
    await town.register(ORDER, there, "b")
    vote = Vote(service="s", node="n", voter="v", value="open")
    await town.nodes.vote(ORDER, protocol.Cast(session=gone, microservice="stock", vote=vote))
    await town.expire()
    await town.renew(ORDER, there)
    assert [row.name for row in await town.rows(tables.nodes)] == ["b"]
    assert await town.rows(tables.votes) == []
    with pytest.raises(SessionOverError):
        await town.renew(ORDER, gone)
    with pytest.raises(SessionOverError):
        await town.register(ORDER, gone, "a")
    with pytest.raises(SessionOverError):
        await town.nodes.vote(ORDER, protocol.Cast(session=gone, microservice="stock", vote=vote))


async def test_a_control_plane_that_was_away_gives_everybody_a_full_lease(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    await town.run(sa.update(tables.sessions).values(expires_at=1))
    await town.run(sa.update(tables.pulse).values(at=storage.now() - GAP_MS - 60_000))
    await town.sessions.tick()
    assert [row.name for row in await town.rows(tables.nodes)] == ["a"]
    (row,) = await town.rows(tables.sessions)
    (pulse,) = await town.rows(tables.pulse)
    assert row.expires_at - pulse.at == pytest.approx(15_000, abs=1_000)
    await town.expire()
    await town.sessions.tick()
    assert await town.rows(tables.nodes) == [], "and whoever does not use it is gone then"


async def test_a_server_that_opens_a_session_after_long_spares_the_others_too(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    await town.run(sa.update(tables.sessions).values(expires_at=1))
    await town.run(sa.update(tables.pulse).values(at=storage.now() - GAP_MS - 60_000))
    await town.session(STOCK)
    await town.sessions.tick()
    assert [row.name for row in await town.rows(tables.nodes)] == ["a"]


async def test_who_renews_before_a_server_has_looked_lives_on(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    await town.expire()
    await town.renew(ORDER, session)
    assert [row.name for row in await town.rows(tables.nodes)] == ["a"]


async def test_a_session_in_the_hands_of_another_is_none(town: Town) -> None:
    session = await town.session(ORDER)
    for caller in (STOCK, EVIL):
        with pytest.raises(SessionOverError):
            await town.renew(caller, session)
        with pytest.raises(SessionOverError):
            await town.register(caller, session, "a")
        await town.sessions.close(caller, session)
    await town.renew(ORDER, session)


async def test_what_is_closed_is_gone_at_once(town: Town) -> None:
    session = await town.session(ORDER)
    await town.register(ORDER, session, "a")
    await town.sessions.close(ORDER, session)
    await town.sessions.close(ORDER, session)
    assert await town.rows(tables.nodes) == await town.rows(tables.sessions) == []


async def test_an_application_has_so_many_and_no_more(any_database: storage.Database) -> None:
    town = Town(any_database, max_sessions_per_application=2)
    for _ in range(2):
        await town.session(ORDER)
    with pytest.raises(RegistryFullError, match="max_sessions_per_application"):
        await town.session(ORDER)
    await town.session(STOCK)


async def test_who_waits_is_told_when_the_database_is_away(tmp_path: Path) -> None:
    """A database that was taken away under an open server: a file that is none any more."""
    file = tmp_path / "gone.sqlite3"
    async with databases.opened("", file) as database:
        town = Town(database)
        session = await town.session(ORDER)
        await database.engine.dispose()
        file.rename(tmp_path / "elsewhere.sqlite3")
        file.mkdir()
        renewing = asyncio.create_task(town.sessions.renew(ORDER, session))
        await asyncio.sleep(0)
        with pytest.raises(errors.UnavailableError):
            await town.sessions.tick()
        with pytest.raises(errors.UnavailableError):
            await renewing
        file.rmdir()
        (tmp_path / "elsewhere.sqlite3").rename(file)
        await town.renew(ORDER, session)
