"""Several server processes on one SQLite file never hold a lease at the same time."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

import pytest

from qiantang_server.kernel import storage
from qiantang_server.kernel.coordination import store

ROUNDS = 25
PROCESSES = 3


@pytest.mark.process
async def test_processes_share_one_sqlite_file(tmp_path: Path) -> None:
    file = tmp_path / "shared.db"
    async with storage.Database(storage.StorageSettings(), default_file=file) as database:
        async with database.engine.begin() as connection:
            tables = [store.leases, store.announcements, store.servers]
            await connection.run_sync(storage.metadata.create_all, tables=tables)
    script = Path(__file__).with_name("contender.py")
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(script), str(file), str(ROUNDS), stdout=asyncio.subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    async with asyncio.timeout(60):
        outputs = [(await process.communicate())[0] for process in started]
    assert [process.returncode for process in started] == [0] * PROCESSES
    held = sorted(tuple(map(int, line.split())) for output in outputs for line in output.splitlines())
    assert len(held) == ROUNDS * PROCESSES
    assert [epoch for epoch, _, _ in held] == list(range(1, len(held) + 1))
    for (_, _, ended), (_, began, _) in itertools.pairwise(held):
        assert ended <= began, "two processes held it at once"
