"""Peers of the SQL adapter: pgqueuer and procrastinate, each as its documentation says for throughput.

Both are job queues: a row for each job, taken with `FOR UPDATE SKIP LOCKED`. Neither keeps order, groups or positions.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import msgspec
import procrastinate as peer_procrastinate
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from sqlalchemy.engine import make_url

POLL_SECONDS: Final = 0.002

PGQUEUER_BATCH: Final = 500
"""Jobs taken, and finished, with one statement: its default is 10, and more than this gains nothing here."""
PROCRASTINATE_CONCURRENCY: Final = 10
"""Jobs at a time, with a connection for each: it takes and finishes each with statements of its own; 3, 20 and 30 are slower."""


class Handled:
    """Counts what was handled, and says when it is so many."""

    def __init__(self) -> None:
        self._count = 0
        self._wanted = 0
        self._reached = asyncio.Event()

    def one(self) -> None:
        self._count += 1
        if self._count == self._wanted:
            self._reached.set()

    async def reach(self, count: int) -> None:
        """Wait for so many in all."""
        self._wanted = count
        if self._count < count:
            await self._reached.wait()
        self._reached.clear()


async def timed(
    send: Callable[[], Awaitable[None]],
    handled: Handled,
    settled: Callable[[], Awaitable[bool]],
    messages: int,
    batch: int,
) -> tuple[float, float]:
    """Send in batches, after one that does not count; give messages per second until all are sent, and until all are settled."""
    began = ended = 0.0
    for count, total in ((batch, batch), (messages, batch + messages)):
        began = time.perf_counter()
        for _ in range(0, count, batch):
            await send()
        ended = time.perf_counter()
        await handled.reach(total)
        while not await settled():
            await asyncio.sleep(POLL_SECONDS)
    return messages / (ended - began), messages / (time.perf_counter() - began)


async def pgqueuer(url: str, body: bytes, messages: int, batch: int) -> tuple[float, float]:
    """Lists to `enqueue`, its asyncpg pool, one `QueueManager` without limits, its tables durable (the default).

    Finished jobs leave its queue for its log in batches, as it does by itself. Its autovacuum settings are applied.
    """
    handled = Handled()
    async with asyncpg.create_pool(_plain(url), min_size=4, max_size=8) as pool:
        queuer = PgQueuer(AsyncpgPoolDriver(pool))
        queries: Any = queuer.qm.queries
        await queries.install()
        await queries.optimize_autovacuum()

        @queuer.entrypoint("orders")
        async def take(_job: Job) -> None:
            handled.one()

        async def send() -> None:
            await queries.enqueue(["orders"] * batch, [body] * batch, [0] * batch)

        async def settled() -> bool:
            return not await pool.fetchval("SELECT EXISTS (SELECT FROM pgqueuer)")

        running = asyncio.create_task(queuer.qm.run(batch_size=PGQUEUER_BATCH))
        await asyncio.sleep(0.5)  # until it listens
        found = await timed(send, handled, settled, messages, batch)
        queuer.qm.shutdown.set()
        await running
    return found


async def procrastinate(url: str, body: str, messages: int, batch: int) -> tuple[float, float]:
    """`batch_defer_async`, its psycopg connector with a fast JSON, a worker of many jobs at a time that deletes what succeeded."""
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    encoder = msgspec.json.Encoder()
    connector = peer_procrastinate.PsycopgConnector(
        conninfo=_plain(url),
        min_size=PROCRASTINATE_CONCURRENCY,
        max_size=PROCRASTINATE_CONCURRENCY + 4,
        json_dumps=encoder.encode,
        json_loads=msgspec.json.decode,
    )
    app = peer_procrastinate.App(connector=connector)
    handled = Handled()

    @app.task(name="orders", queue="orders")
    async def take(body: str) -> None:
        del body
        handled.one()

    async def send() -> None:
        await take.batch_defer_async(*({"body": body} for _ in range(batch)))

    async def settled() -> bool:
        found = await connector.execute_query_one_async("SELECT EXISTS (SELECT FROM procrastinate_jobs) AS waiting")
        return not found["waiting"]

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        worker = app.run_worker_async(
            queues=["orders"],
            concurrency=PROCRASTINATE_CONCURRENCY,
            delete_jobs="successful",
            install_signal_handlers=False,
        )
        running = asyncio.create_task(worker)
        await asyncio.sleep(0.5)  # until it listens
        found = await timed(send, handled, settled, messages, batch)
        running.cancel()
        await asyncio.wait({running})
    return found


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
