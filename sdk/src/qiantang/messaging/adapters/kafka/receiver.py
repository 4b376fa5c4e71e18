"""Receiver: one member of a group of Kafka's. Reading is the polling thread's; here is what the loop asks of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from qiantang.messaging.adapters.kafka.polling import Polling
from qiantang.messaging.adapters.sharing.receiver import WaitingReceiver
from qiantang.messaging.model import Taken
from qiantang.messaging.model.partitions import Partitions
from qiantang.messaging.port import Settle

END_SECONDS: Final = 10.0
Start = Callable[[Partitions, Callable[[], None]], Polling]


class KafkaReceiver(WaitingReceiver):
    """Of one event loop. `start` makes the thread that polls, again after it broke off."""

    def __init__(self, name: str, start: Start) -> None:
        super().__init__(name)
        self._start = start
        self._partitions = Partitions()
        self._loop = asyncio.get_running_loop()
        self._polling = start(self._partitions, self._wake)

    async def join(self) -> None:
        """Wait until the member has its first partitions, or hears that there are none for it; not for ever."""
        await self._until(lambda: self._polling.joined.is_set() or self._polling.ended.is_set())

    @property
    def holds(self) -> dict[str, int]:
        return self._partitions.holds

    async def settle(self, settles: Sequence[Settle]) -> None:
        self._partitions.done(one.taken for one in settles if one.what == "done")
        back = [one.taken for one in settles if one.what == "back"]
        if back:
            self._partitions.back(back)
            self._event.set()

    async def pause(self) -> None:
        await super().pause()
        self._polling.paused = True

    async def resume(self) -> None:
        self._polling.paused = False
        await super().resume()

    async def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._polling.end()
        await self._until(self._polling.ended.is_set)

    async def _until(self, true: Callable[[], bool]) -> None:
        """Wait for something that the thread does, which wakes the loop then; `END_SECONDS` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                while not true():
                    self._event.clear()
                    if not true():
                        await self._event.wait()

    def _wake(self) -> None:
        """From the thread that polls: have the loop look."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            self._loop.call_soon_threadsafe(self._event.set)

    def _take(self, count: int, size: int) -> list[Taken]:
        return self._partitions.fetch(count, size)

    async def _attend(self) -> None:
        """Raise what the thread broke off of, and begin anew with the next call."""
        await super()._attend()
        failure = self._polling.failure
        if failure is None:
            return
        if self._polling.ended.is_set():
            self._polling = self._start(self._partitions, self._wake)
            self._polling.paused = self._paused
        else:
            self._polling.end()
        raise failure
