"""A database of an older version comes to the newest with all its rows, on each kind of database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from qiantang.kernel import errors
from qiantang_server.kernel import storage
from qiantang_server.kernel.coordination import store as coordination_store  # what an adapter brings when it is loaded
from qiantang_server.kernel.storage import migrations
from tests.migrations.conftest import FOLDERS, contents, database, folders, schema_of, version
from tests.migrations.rows import PER_TABLE, rows
from tests.servers import ports

ROOT = Path(__file__).parents[2]


async def fill(target: storage.Database) -> dict[str, list[dict[str, Any]]]:
    """Put rows into every table and give what the database then holds."""

    await target.write(_filling(storage.metadata.sorted_tables))
    return await contents(target)


def _filling(tables: Iterable[sa.Table]) -> Callable[[storage.Session], Awaitable[None]]:
    async def work(session: storage.Session) -> None:
        for table in tables:
            await session.execute(sa.insert(table), rows(table))

    return work


def first_steps() -> str:
    """Name what a database of the first version is at."""
    scripts = migrations.script_directory(FOLDERS)
    return " ".join(sorted(scripts.get_bases()))


async def upgrade_to(target: storage.Database, where: list[Path], *steps: str) -> None:
    for step in steps:
        await migrations.upgrade(target, where, step)


async def test_every_row_of_the_first_version_is_kept_up_to_the_newest(url: str) -> None:
    async with database(url) as target:
        await upgrade_to(target, FOLDERS, *first_steps().split())
        tables = {name: table for name, table in (await schema_of(target)).tables.items() if name != "alembic_version"}
        await target.write(_filling(tables.values()))
        before = await contents(target)
        assert {len(found) for found in before.values()} == {PER_TABLE}
        await migrations.upgrade(target, FOLDERS)
        after = await contents(target)
    for name, found in before.items():
        kept = [{column: row[column] for column in found[0]} for row in after[name]]
        assert sorted(kept, key=repr) == found, name


async def test_later_steps_keep_all_that_was_there_and_are_run_once(url: str, tmp_path: Path) -> None:
    later = folders(tmp_path, "owners", "widening")
    async with database(url) as target:
        await migrations.upgrade(target, FOLDERS)
        before = await fill(target)
        done = await migrations.upgrade(target, later)
        assert [step.partition("_")[0] for step in done] == ["kernel", "kernel"]
        after = await contents(target)
        assert await migrations.upgrade(target, later) == []
        assert await contents(target) == after
    assert all(row["owner"] == "nobody" for row in after["bundle"])
    assert len(after["bundle_note"]) == PER_TABLE
    for row in after["bundle"]:
        del row["owner"]
    for row in after["draft"]:
        row["author"] = row.pop("written_by")
    del after["bundle_note"]
    assert {name: sorted((sorted(row.items()) for row in found), key=repr) for name, found in after.items()} == {
        name: sorted((sorted(row.items()) for row in found), key=repr) for name, found in before.items()
    }


async def test_the_steps_lead_to_exactly_the_tables_that_the_program_works_with(url: str) -> None:
    async with database(url) as target:
        await migrations.upgrade(target, FOLDERS)

        def differences(connection: sa.Connection) -> list[Any]:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return compare_metadata(context, storage.metadata)

        async with target.engine.connect() as connection:
            assert await connection.run_sync(differences) == []


async def test_made_by_steps_or_at_once_the_tables_take_the_same_rows(url: str) -> None:
    async with database(url) as target:
        await migrations.upgrade(target, FOLDERS)
        kept = await fill(target)
    for table in storage.metadata.sorted_tables:
        own = {column.name for column in table.columns}
        given = [{name: _plain(row[name]) for name in sorted(own)} for row in rows(table)]
        held = [{name: _plain(row[name]) for name in sorted(own)} for row in kept[table.name]]
        assert sorted(held, key=repr) == sorted(given, key=repr), table.name


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


async def test_texts_are_told_apart_by_code_point_whatever_the_database_was_made_with(url: str) -> None:
    leases = storage.metadata.tables["lease"]
    alike = ["order", "ORDER", "örder", "钱塘"]

    async def work(session: storage.Session) -> None:
        for number, name in enumerate(alike):
            await session.execute(sa.insert(leases), [{"name": name, "holder": "", "epoch": number, "expires": 0}])

    async with database(url) as target:
        await migrations.upgrade(target, FOLDERS)
        await target.write(work)
        async with target.reading() as session:
            found = {row.name: row.epoch for row in await session.all(sa.select(leases))}
            one = await session.all(sa.select(leases.c.epoch).where(leases.c.name == "order"))
    assert found == {name: number for number, name in enumerate(alike)}
    assert [row.epoch for row in one] == [0]


async def test_servers_that_start_together_take_turns(url: str, tmp_path: Path) -> None:
    later = folders(tmp_path, "slow", "owners")
    async with database(url):
        pass  # makes the file
    words = [sys.executable, "-m", "tests.migrations.upgrading", url, *map(str, later)]
    pipes: dict[str, Any] = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    servers = [await asyncio.create_subprocess_exec(*words, cwd=ROOT, **pipes) for _ in range(3)]
    for server in servers:
        assert server.stdout is not None
        assert await server.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(server.communicate(b"go\n") for server in servers))
    done = [json.loads(out) for out, _ in said]
    scripts = migrations.script_directory(later)
    assert sorted(map(len, done)) == [0, 0, len(list(scripts.walk_revisions()))], (
        "one runs all, the others find it done"
    )
    async with database(url) as target:
        assert (await contents(target))["once"] == [{"id": 1}]


async def test_a_failing_step_is_named_and_the_database_goes_on_as_it_was(url: str, tmp_path: Path) -> None:
    broken = folders(tmp_path, "owners", "broken")
    async with database(url) as target:
        await migrations.upgrade(target, FOLDERS)
        before, at = await fill(target), await version(target)
        with pytest.raises(migrations.MigrationFailedError) as caught:
            await migrations.upgrade(target, broken)
        failed = _last(broken)
        assert failed in str(caught.value)
        assert "no_such_table" in str(caught.value)
        after = await contents(target)
        if target.dialect == "mysql":
            assert await version(target) == (at - {_before(broken, 2)}) | {_before(broken, 1)}, "whole steps stay"
            assert _before(broken, 1) in str(caught.value)
            after = {name: after[name] for name in before}
            for row in after["bundle"]:
                del row["owner"]
        else:
            assert "nothing was changed" in str(caught.value)
            assert await version(target) == at
        assert after == before
        assert (await target.write(_writes)) == 1, "it serves on"


async def _writes(session: storage.Session) -> int:
    row = {"name": "still works", "holder": "", "epoch": 1, "expires": 0}
    return await session.execute(sa.insert(coordination_store.leases), [row])


async def test_a_mended_program_goes_on_from_where_the_broken_one_stopped(url: str, tmp_path: Path) -> None:
    async with database(url) as target:
        await migrations.upgrade(target, FOLDERS)
        before = await fill(target)
        with pytest.raises(migrations.MigrationFailedError):
            await migrations.upgrade(target, folders(tmp_path, "owners", "broken"))
        await migrations.upgrade(target, folders(tmp_path, "owners", "widening"))
        after = await contents(target)
    assert len(after["bundle_note"]) == PER_TABLE
    assert len(after["draft"]) == len(before["draft"])


async def test_a_database_of_a_newer_program_is_refused_and_left_alone(url: str, tmp_path: Path) -> None:
    newer = folders(tmp_path, "owners")
    async with database(url) as target:
        await migrations.upgrade(target, newer)
        before, at = await contents(target), await version(target)
        with pytest.raises(migrations.NewerDatabaseError) as caught:
            await migrations.upgrade(target, FOLDERS)
        assert _last(newer) in str(caught.value)
        assert "newer program" in str(caught.value)
        assert (await contents(target), await version(target)) == (before, at)
        assert await migrations.upgrade(target, newer) == [], "the newer one still starts"


def _last(where: list[Path]) -> str:
    return _before(where, 0)


def _before(where: list[Path], steps: int) -> str:
    scripts = migrations.script_directory(where)
    line = [script.revision for script in scripts.walk_revisions() if script.revision.startswith("kernel_")]
    return sorted(line)[-1 - steps]


def test_each_room_numbers_its_steps_in_one_line_of_its_own() -> None:
    scripts = migrations.script_directory(FOLDERS)
    assert len(scripts.get_heads()) == len(scripts.get_bases()) == len(FOLDERS)
    for script in scripts.walk_revisions():
        branch = script.revision.rpartition("_")[0]
        assert Path(script.path).stem.startswith(script.revision.rpartition("_")[2]), script.path
        assert script.down_revision is None or str(script.down_revision).startswith(f"{branch}_")


async def test_a_database_that_is_away_is_an_error_of_ours() -> None:
    target = database(f"postgresql://qt@127.0.0.1:{ports.take()}/x")
    with pytest.raises(errors.UnavailableError):
        async with target:
            await migrations.upgrade(target, FOLDERS)
