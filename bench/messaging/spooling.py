"""Spooling: what the offline store itself takes and gives, of messages of 1 KB, durable, in batches of up to 500."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bench.figures import Value, rounded
from qiantang.messaging.client.spool import Spool
from qiantang.messaging.model import Frame

MESSAGES = 50_000
BATCH = 500
ROUNDS = 3
TEXT = {"mf-v": "2.0", "mf-id": "0" * 36, "mf-codec": "json", "mf-sent": "1764000000000", "region": "hz"}


def measure() -> dict[str, Value]:
    """Take the best of several rounds: what disturbs a round only adds to it.

    Appended by one sender that waits for each batch, and by eight at once; taken and done as a drainer does, from a cold start
    of the store, whose time is given as well.
    """
    rounds = [asyncio.run(_round()) for _ in range(ROUNDS)]
    append, crossed, opened, take = (min(one) for one in zip(*rounds, strict=True))
    return {
        "spool_append_per_s": rounded(MESSAGES / append),
        "spool_append_crossed_per_s": rounded(MESSAGES / crossed),
        "spool_open_per_s": rounded(2 * MESSAGES / opened),
        "spool_take_per_s": rounded(2 * MESSAGES / take),
    }


def _batch(start: int) -> list[Frame]:
    return [
        Frame(topic="orders", id=f"{number:036d}", body=b"x" * 1024, key=f"k{number % 1000}", tag="vip", text=TEXT)
        for number in range(start, start + BATCH)
    ]


async def _round() -> tuple[float, float, float, float]:
    # The working folder, since a system's folder for what is temporary may lie in memory.
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".spooling-") as folder:
        spool = Spool(Path(folder), "main/one")
        await spool.open()
        batches = [_batch(start) for start in range(0, MESSAGES, BATCH)]
        append = await _append(spool, batches)
        began = time.perf_counter()
        await asyncio.gather(*(_append(spool, batches[one::8]) for one in range(8)))
        crossed = time.perf_counter() - began
        await spool.close()
        again = Spool(Path(folder), "main/one")
        began = time.perf_counter()
        await again.open()
        opened = time.perf_counter() - began
        began = time.perf_counter()
        while records := await again.take(BATCH, 4 * 1024 * 1024):
            await again.done(len(records))
        take = time.perf_counter() - began
        assert again.pending == 0
        await again.close()
        return append, crossed, opened, take


async def _append(spool: Spool, batches: list[list[Frame]]) -> float:
    began = time.perf_counter()
    for batch in batches:
        await spool.append(batch)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(measure())
