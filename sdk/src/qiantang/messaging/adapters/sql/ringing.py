"""Ringing: processes tell each other over PostgreSQL's LISTEN and NOTIFY that something was sent.

It only wakes: what is missed while the connection is away is found by looking, as on other databases. So it is told after the
commit, on a connection of its own, and what is sent within a few milliseconds is told once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from typing import Any, Final

from qiantang.kernel import observe
from qiantang.kernel.backoff import Backoff
from qiantang.messaging.adapters.sql import waking
from qiantang.messaging.adapters.sql.database import Database

log = observe.BoundedLog(logging.getLogger(__name__))

CHANNEL: Final = "qiantang_messages"
GATHER_SECONDS: Final = 0.005
AGAIN_FIRST, AGAIN_LONGEST = 0.2, 10.0
ASK_SECONDS: Final = 30.0
"""How often the connection is tried while nothing is told: one that was cut without a word is made anew."""
ANSWER_SECONDS: Final = 10.0
_own: set[int] = set()
"""The connections of this process: what it sends it knows already."""
_TELL: Final = "SELECT pg_notify($1, topic) FROM unnest($2::text[]) AS topic"


class Bell:
    """One process's, for one database. Of one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._topics: set[str] = set()
        self._rung = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen, and to tell."""
        self._task = asyncio.create_task(self._run(), name="bell of a database")

    async def close(self) -> None:
        """End it."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def ring(self, topics: Collection[str]) -> None:
        """Tell other processes, soon, that something was sent to topics."""
        self._topics.update(topics)
        self._rung.set()

    # -- inside ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        backoff = Backoff(AGAIN_FIRST, AGAIN_LONGEST, spread=0)
        while True:
            try:
                async with self._database.connect() as connection:
                    try:
                        driver: Any = (await connection.get_raw_connection()).driver_connection
                        await self._listen(driver)
                        log.recovered(self._database.name, "processes tell each other of messages again")
                        backoff.reset()
                        await self._tell(driver)
                    finally:
                        await connection.invalidate()  # it listens: nobody else is to have it
            except Exception as error:  # whatever it is: those who look find what was not told
                log.failure(self._database.name, "processes do not tell each other of messages", error=error)
            await asyncio.sleep(backoff.next())

    async def _listen(self, driver: Any) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            # nothing of this is to be kept: nobody waits for the disk
            await driver.execute("SET synchronous_commit TO off")
            await driver.add_listener(CHANNEL, self._heard)
        _own.add(driver.get_server_pid())
        driver.add_termination_listener(self._ended)

    async def _tell(self, driver: Any) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._rung.wait()
            if driver.is_closed():
                return
            self._rung.clear()
            topics, self._topics = self._topics, set()
            async with asyncio.timeout(ANSWER_SECONDS):
                await driver.execute(_TELL, CHANNEL, list(topics))
            await asyncio.sleep(GATHER_SECONDS)

    def _ended(self, driver: Any) -> None:
        _own.discard(driver.get_server_pid())
        self._rung.set()

    def _heard(self, _driver: Any, sender: int, _channel: str, topic: str) -> None:
        if sender not in _own:
            waking.wake(self._database.name, topic)
