"""Keeping: brings to a parking what is to wait there, and what became of what it gave, in the background and until it has it.

The broker is told that a message is done only once the parking has it for good. While the parking is away nothing is lost and other
messages go on; so many may wait for it, then fetching stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from qiantang.kernel import observe
from qiantang.kernel.backoff import Backoff
from qiantang.messaging.model import Taken
from qiantang.messaging.port import HoldingReceiver, Parked, Parking, Settle, Waiting

log = observe.BoundedLog(logging.getLogger(__name__))

MOST: Final = 1000
AGAIN_FIRST, AGAIN_LONGEST = 0.1, 5.0
CLOSE_SECONDS: Final = 3.0
T = TypeVar("T")


class Keeping:
    """Of one receiver. `name` is for its log; `twice` is told of what was parked already and is not parked again."""

    def __init__(self, name: str, inner: HoldingReceiver, parking: Parking, twice: Callable[[Waiting], None]) -> None:
        self._name = name
        self._inner = inner
        self._parking = parking
        self._twice = twice
        self._waiting: list[Waiting] = []
        self._told: list[Settle] = []
        self._later: list[Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self.kept = asyncio.Event()
        self.turn = asyncio.Lock()

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be fetched until the parking has caught up."""
        return len(self._waiting) >= MOST

    def put(self, waiting: Waiting) -> None:
        """Have a message wait."""
        self._waiting.append(waiting)
        self._begin()

    def tell(self, settle: Settle, later: Waiting | None = None) -> None:
        """Say what became of a message that the parking gave; `later` where it is to wait again."""
        if later is None:
            self._told.append(settle)
        else:
            self._later.append(later)
        self._begin()

    def forget(self, queue: str) -> None:
        """Drop what belongs to a queue that is another's."""
        self._waiting = [one for one in self._waiting if one.taken.queue != queue]
        self._later = [one for one in self._later if one.taken.queue != queue]
        self._told = [one for one in self._told if one.taken.queue != queue]

    async def close(self) -> None:
        """Wait a little until the parking has everything; what it has not comes again from the broker."""
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=CLOSE_SECONDS)
            self._task.cancel()
            await asyncio.wait({self._task})

    # -- inside ------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"parking of {self._name}")

    async def _run(self) -> None:
        await asyncio.sleep(0)  # what is settled in the same turn goes together
        backoff = Backoff(AGAIN_FIRST, AGAIN_LONGEST, spread=0)
        while self._waiting or self._told or self._later:
            try:
                async with self.turn:
                    await self._tell()
                    await self._put()
                backoff.reset()
                log.recovered(self._name, "what is to be tried again is kept again")
                self.kept.set()
            except Exception as error:  # whatever the store says: what waits here is nowhere else
                log.failure(self._name, "what is to be tried again cannot be kept yet", error=error)
                await asyncio.sleep(backoff.next())

    async def _tell(self) -> None:
        told, later = list(self._told), list(self._later)
        if not told and not later:
            return
        done = [one.taken for one in told if one.what == "done"]
        back = [one.taken for one in told if one.what == "back"]
        await self._parking.settle(done, back, later)
        self._told = _without(self._told, told)
        self._later = _without(self._later, later)
        if not self._parking.durable:
            await self._settle_origins(done)

    async def _settle_origins(self, done: Sequence[Taken]) -> None:
        handles: list[Parked] = [one.handle for one in done]
        await self._inner.settle([Settle(taken=one.origin) for one in handles if one.origin is not None])

    async def _put(self) -> None:
        # a message that failed comes before those that were sent behind it
        waiting = sorted(self._waiting, key=lambda one: one.taken.position)
        if not waiting:
            return
        for one in await self._parking.put(waiting):
            self._twice(one)
        self._waiting = _without(self._waiting, waiting)
        if self._parking.durable:
            await self._inner.settle([Settle(taken=one.taken) for one in waiting])


def _without(some: list[T], gone: Sequence[T]) -> list[T]:
    known = {id(one) for one in gone}
    return [one for one in some if id(one) not in known]
