"""One server's start as far as its migrations, as a process of its own: writes the steps that it ran as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path

from qiantang_server.kernel import storage
from qiantang_server.kernel.storage import migrations


async def upgrade(url: str, folders: list[str]) -> None:
    # shorter than the slowest step: waiting for the turn is not waiting for a row
    settings = storage.StorageSettings(url=url, statement_timeout=timedelta(seconds=0.3))
    async with storage.Database(settings, default_file=Path("/nonexistent")) as database:
        sys.stdin.readline()
        sys.stdout.write(json.dumps(await migrations.upgrade(database, [Path(folder) for folder in folders])))


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    asyncio.run(upgrade(sys.argv[1], sys.argv[2:]))
