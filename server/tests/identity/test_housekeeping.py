"""Housekeeping, pulse, usage and migration: what runs by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from qiantang.identity import errors as identity_errors
from qiantang.kernel import errors
from qiantang_server.identity.capability import IDENTITY
from qiantang_server.identity.service.nonces import Nonces
from qiantang_server.identity.service.pulse import Pulse
from qiantang_server.identity.service.usage import Usage
from qiantang_server.identity.settings import IdentitySettings
from qiantang_server.identity.store import revisions, tables
from qiantang_server.kernel import access, audit, storage
from qiantang_server.kernel.storage import migrations
from server.tests.identity.conftest import service
from server.tests.identity.estate import DECLARED, ORDERS, ROOT, Clock, Estate, PlainSealer

DAY = 86_400_000


async def count(database: storage.Database, table: sa.Table) -> int:
    async with database.reading() as session:
        return int(await session.scalar(sa.select(sa.func.count()).select_from(table)))


async def test_what_has_ended_is_let_go(any_estate: Estate, any_database: storage.Database) -> None:
    estate = any_estate
    await estate.user("ann")
    await estate.cookie("ann")
    issued = await estate.credential()
    await estate.bearer(issued)
    with pytest.raises(identity_errors.BadSignInError):
        await estate.cookie("ann", password="wrong password", address="203.0.113.9")
    await estate.identity.housekeeping.expire()
    for table in (tables.sessions, tables.nonces, tables.throttles, tables.sources):
        assert await count(any_database, table) > 0
    estate.clock.pass_(hours=13)
    await estate.identity.housekeeping.expire()
    for table in (tables.sessions, tables.nonces, tables.throttles):
        assert await count(any_database, table) == 0
    assert await count(any_database, tables.sources) == 1
    assert await count(any_database, tables.credentials) == 1
    estate.clock.pass_(days=100)
    assert await estate.identity.housekeeping.expire() == 1
    assert await estate.identity.housekeeping.expire() == 0


async def test_every_chain_is_pruned_past_its_retention(
    database: storage.Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    async def prune(_database: storage.Database, chain: str, before: int) -> int:
        asked.append((chain, before))
        return 2

    monkeypatch.setattr(audit, "prune", prune)
    async with service(database, clock) as identity:
        await Estate(identity, clock).build()
        assert await identity.housekeeping.prune_audit() == 0, "kept for ever unless told otherwise"
    async with service(database, clock, IdentitySettings(audit_kept_days=30)) as identity:
        assert await identity.housekeeping.prune_audit() == 6
    assert asked == [(chain, clock() - 30 * DAY) for chain in ("*", "acme", "beta")]


async def test_the_pulse_hears_of_changes_and_tells_the_time(any_database: storage.Database) -> None:
    moment = [10.0]
    pulse = Pulse(any_database, 2.0, steady=lambda: moment[0])
    await pulse.beat()
    before = pulse.counter
    async with any_database.reading() as session:
        real = await session.now()
    assert abs(pulse.millis() - real) < 5000
    known = (pulse.counter, pulse.generation)

    async def work(session: storage.Session) -> None:
        await revisions.bump(session, "acme")

    await any_database.write(work)
    await pulse.beat()
    assert pulse.stands("acme", *known), "not asked again yet"
    moment[0] += 2.5
    assert abs(pulse.millis() - real - 2500) < 5000
    await pulse.beat()
    assert pulse.counter == before + 1
    assert not pulse.stands("acme", *known)
    assert pulse.stands("beta", *known)
    assert pulse.stands("", *known)


async def test_a_slow_pulse_is_read_once_for_all_who_wait_for_it(
    database: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [10.0]
    read = revisions.read
    readings: list[float] = []

    async def slow(session: storage.Session) -> tuple[int, int]:
        readings.append(moment[0])
        await asyncio.sleep(0.01)
        moment[0] += 5  # longer than a reading counts
        return await read(session)

    monkeypatch.setattr(revisions, "read", slow)
    pulse = Pulse(database, 2.0, steady=lambda: moment[0])
    await asyncio.gather(*(pulse.beat() for _ in range(20)))
    assert readings == [10.0]
    await pulse.beat()
    assert readings == [10.0, 15.0], "who comes later gets a later one"


async def test_changes_at_the_same_time_each_count(any_database: storage.Database) -> None:
    async def work(session: storage.Session) -> int:
        return await revisions.bump(session, "acme", "")

    values = await asyncio.gather(*(any_database.write(work) for _ in range(12)))
    assert sorted(values) == list(range(1, 13))


async def test_a_database_that_is_away_fails_closed(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    bearer = await estate.bearer(await estate.credential())
    await estate.who(bearer)

    def away() -> None:
        raise errors.UnavailableError("away")

    monkeypatch.setattr(estate.identity.ground.database, "reading", away)
    estate.identity.ground.pulse.expire()
    with pytest.raises(errors.UnavailableError):
        await estate.who(bearer)


async def test_nonces_fail_whole_when_the_database_is_away(
    database: storage.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_work: object) -> None:
        raise errors.UnavailableError("away")

    nonces = Nonces(database)
    with monkeypatch.context() as patch:
        patch.setattr(database, "write", away)
        results = await asyncio.gather(*(nonces.use(f"n{number}", 1) for number in range(5)), return_exceptions=True)
        assert all(isinstance(result, errors.UnavailableError) for result in results)
    assert await nonces.use("n1", 1)
    assert not await nonces.use("n1", 1)
    await nonces.close()


async def test_usage_is_kept_until_it_is_written(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    issued = await estate.credential()
    usage: Usage = estate.identity.usage
    usage.note("credential", issued.id, estate.clock())

    async def away(_work: object) -> None:
        raise errors.UnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(estate.identity.ground.database, "write", away)
        with pytest.raises(errors.UnavailableError):
            await usage.flush()
    await usage.flush()
    row = next(iter(await estate.identity.credentials.list_credentials(ORDERS)))
    assert row.last_used_at == estate.clock()


async def test_remembered_principals_are_bounded(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qiantang_server.identity.service.authentication._REMEMBERED", 5)
    issued = await estate.credential()
    for _ in range(9):
        await estate.who(await estate.bearer(issued))
    assert len(estate.identity.authentication._known) == 5


@pytest.mark.parametrize(
    "where",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
async def test_the_migration_makes_what_the_tables_say(
    where: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = "" if where == "sqlite" else request.getfixturevalue(f"{where}_url")
    assert IDENTITY.migrations is not None
    async with storage.Database(storage.StorageSettings(url=url), default_file=tmp_path / "test.db") as database:
        assert await migrations.upgrade(database, [IDENTITY.migrations]) == ["identity_0001"]
        assert await migrations.upgrade(database, [IDENTITY.migrations]) == []
        async with database.engine.connect() as connection:
            found = await connection.run_sync(differences)
    assert found == []


def differences(connection: sa.Connection) -> list[object]:
    def ours(thing: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return kind != "table" or str(name).startswith("identity_")

    context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
    return list(compare_metadata(context, storage.metadata))


async def test_a_sealed_key_of_another_place_is_no_key(database: storage.Database, clock: Clock) -> None:
    sealer = PlainSealer()
    await sealer.ready("*")
    row = {"id": "k" * 32, "sealed": sealer.seal("*", b"k" * 32, "identity/signing-key/other"), "created_at": clock()}

    async def work(session: storage.Session) -> None:
        await session.execute(sa.insert(tables.signing_keys).values(**row))

    await database.write(work)
    with pytest.raises(errors.QiantangError):
        async with service(database, clock):
            pass


def test_every_permission_has_a_meaning() -> None:
    assert all(meaning for meaning in IDENTITY.permissions.values())
    assert set(IDENTITY.permissions) <= set(DECLARED)
    assert ROOT.allows("identity.tenant:create", access.PLATFORM)
