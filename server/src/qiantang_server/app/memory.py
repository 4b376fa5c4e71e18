"""Memory: what lives long is kept out of the way of the interpreter's collector, and looked through now and then.

An open stream is some thirty objects that the collector follows. Left to itself it walks through those of all streams whenever a
quarter has been added, in the middle of whatever the server does: 20 ms and more with a thousand streams. Set aside (`gc.freeze`)
they still go as soon as nobody refers to them; only rings of them stay until the next look through everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncGenerator

EVERY_SECONDS = 30.0
PAUSE_PER_LOOK = 1_000.0
"""A look takes a thousandth of the time at most, however many streams there are."""


@contextlib.asynccontextmanager
async def tended() -> AsyncGenerator[None]:
    """Set aside what there is, and look through everything now and then until the end."""
    gc.freeze()
    tending = asyncio.create_task(_tend(), name="memory")
    try:
        yield
    finally:
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)


def look() -> float:
    """Free all rings that nobody refers to, and set aside what is left. Gives the seconds it took."""
    began = time.perf_counter()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return time.perf_counter() - began


def pause_after(took: float) -> float:
    """Give the seconds until the next look, from those that the last one took."""
    return max(EVERY_SECONDS, took * PAUSE_PER_LOOK)


async def _tend() -> None:
    took = 0.0
    while True:
        await asyncio.sleep(pause_after(took))
        took = look()
