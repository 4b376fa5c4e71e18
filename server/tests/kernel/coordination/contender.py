"""One process of several that contend for a lease on one SQLite file; prints each epoch with when it held it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from qiantang_server.kernel import storage
from qiantang_server.kernel.coordination.adapters.database import DatabaseCoordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings


async def main(file: str, rounds: int) -> None:
    async with (
        storage.Database(storage.StorageSettings(), default_file=Path(file)) as database,
        DatabaseCoordination(database, CoordinationSettings()) as coordination,
    ):
        held = 0
        while held < rounds:
            lease = await coordination.acquire("shared", f"process-{os.getpid()}", timedelta(seconds=60))
            if lease is None:
                await asyncio.sleep(0.002)
                continue
            began = time.monotonic_ns()
            await asyncio.sleep(0.001)
            print(lease.epoch, began, time.monotonic_ns(), flush=True)  # noqa: T201  # what the test reads
            await coordination.release(lease)
            held += 1


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
