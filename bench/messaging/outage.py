"""Outage: what happens to who sends while Kafka is away, and how fast what was kept goes out once it is back.

First a whole minute of sending as fast as it goes with the broker dead: messages a second onto the disk, and what the process's
memory grows by. Then as many messages as ten seconds of draining should take, and the broker started again.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from bench.figures import Value, rounded
from qiantang.kernel import scope
from qiantang.messaging import Cluster, Estate, Message, MessageBus, OfflineStore, Resource, Topic
from tests.servers.kafka import Kafka

OUTAGE_SECONDS = 60.0
KEPT = 100_000
BATCH = 500
KEYS = 1000
SENDERS = 4
"""One alone would wait for the disk, and the disk for it."""
TEXT = "a line of an order with some text" * 31
PLACE = scope.Scope(tenant="bench", environment="bench", center="trade", application="order")
PAGE = 4096


def measure() -> dict[str, Value]:
    """Start Kafka, and have it go and come."""
    with Kafka() as server:
        return asyncio.run(_measure(server))


async def _measure(server: Kafka) -> dict[str, Value]:
    folder = Path(tempfile.mkdtemp(prefix="outage-"))
    try:
        spooled, seconds, grown = await _outage(server, folder / "long")
        drained = await _drain(server, folder / "short")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "spool_per_s": rounded(spooled / seconds),
        "outage_rss_mb": rounded(grown),
        "drain_per_s": rounded(drained),
        "outage_seconds": rounded(seconds),
    }


def _bus(server: Kafka, folder: Path) -> MessageBus:
    cluster = Cluster(name="main", adapter="kafka", resources=[Resource(name="one", url=f"kafka://{server.hosts}")])
    offline = OfflineStore(folder=str(folder), max_bytes=16 * 1024**3)
    return MessageBus(
        Estate(clusters=[cluster], topics=[Topic(name="orders", clusters=["main"])], offline=offline), PLACE
    )


async def _outage(server: Kafka, folder: Path) -> tuple[int, float, float]:
    """Give how many messages were kept, in how many seconds, and what memory grew by, in MB."""
    async with _bus(server, folder) as bus:
        await _send(bus, 20_000, "accepted")
        await asyncio.to_thread(server.kill)
        before = _memory()
        await _send(bus, BATCH, "spooled")  # the first finds out that the broker is away
        highest, kept, began = before, 0, time.monotonic()

        async def sender() -> None:
            nonlocal highest, kept
            while time.monotonic() - began < OUTAGE_SECONDS:
                await _send(bus, BATCH, "spooled")
                kept += BATCH
                highest = max(highest, _memory())

        await asyncio.gather(*(sender() for _ in range(SENDERS)))
        seconds = time.monotonic() - began
    await asyncio.to_thread(shutil.rmtree, folder)
    await asyncio.to_thread(server.start)
    return kept, seconds, highest - before


async def _drain(server: Kafka, folder: Path) -> float:
    """Give the messages a second from the moment at which the broker answers again."""
    async with _bus(server, folder) as bus:
        await _send(bus, BATCH, "accepted")
        bus.switch("main", "one", on=False)
        await _send(bus, KEPT, "spooled")
        await asyncio.to_thread(server.restart)
        began = time.monotonic()
        bus.switch("main", "one", on=True)
        while bus.spooled()["main/one"]:
            await asyncio.sleep(0.01)
        return KEPT / (time.monotonic() - began)


async def _send(bus: MessageBus, count: int, outcome: str) -> None:
    for start in range(0, count, BATCH):
        some = [Message(topic="orders", body=TEXT, key=f"k{number % KEYS}") for number in range(start, start + BATCH)]
        sent = await bus.send_many(some, deadline=60)
        wrong = {one.outcome for one in sent} - {outcome}
        if wrong:
            raise RuntimeError(f"messages were {wrong} that should be {outcome}: {sent[0].error}")


def _memory() -> float:
    """Give what this process has in memory, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6
