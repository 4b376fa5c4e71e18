"""Pulse: the database's clock and the counter of changed rights, read at most every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from qiantang_server.identity.store import revisions
from qiantang_server.kernel import storage


def _steady() -> float:
    return time.monotonic()


class Pulse:
    """Tells the time and whether rights that were looked up before still stand.

    `millis` follows the database's clock without asking it each time. A right that was looked up at counter `n` stands
    as long as `stands` says so; other servers' changes are heard of within `interval` seconds, own ones at once.
    """

    def __init__(
        self,
        database: storage.Database,
        interval: float,
        *,
        clock: Callable[[], int] | None = None,
        steady: Callable[[], float] = _steady,
    ) -> None:
        self._database = database
        self._interval = interval
        self._clock = clock
        self._steady = steady
        self._read_at: float | None = None
        self._offset = 0
        self._changed: dict[str, int] = {}
        self._lock = asyncio.Lock()
        self.counter = -1
        self.generation = 0

    def millis(self) -> int:
        """Give the moment: milliseconds since 1970 UTC."""
        if self._clock is not None:
            return self._clock()
        return int(self._steady() * 1000) + self._offset

    async def beat(self) -> None:
        """Read the database if the last reading is too old.

        Raises:
            UnavailableError: the database is away: then nobody can say whether a right still stands.
        """
        # fresh as seen from the call: on a busy server a reading may take longer than it counts for those who come later,
        # and whoever waited for it would read once more, one after the other
        asked = self._steady()
        if self._is_fresh(asked):
            return
        async with self._lock:
            if not self._is_fresh(asked):
                await self._read()

    def stands(self, tenant: str, counter: int, generation: int) -> bool:
        """Say whether nothing changed for a tenant's people and applications since the counter stood there."""
        return generation == self.generation and self._changed.get(tenant or revisions.PLATFORM, 0) <= counter

    def expire(self) -> None:
        """Have the next beat read the database: rights were changed here."""
        self._read_at = None

    def _is_fresh(self, at: float) -> bool:
        return self._read_at is not None and at - self._read_at < self._interval

    async def _read(self) -> None:
        began = self._steady()
        async with self._database.reading() as session:
            clock, counter = await revisions.read(session)
            if counter < self.counter:  # the database is an older copy: nothing that was looked up counts
                self.generation += 1
                self._changed.clear()
            elif 0 <= self.counter < counter:
                self._changed.update(await revisions.changed_since(session, self.counter))
        self._offset = clock - int((began + self._steady()) / 2 * 1000)
        self.counter = counter
        self._read_at = began
