"""Consuming: one subscription on one broker: fetched in batches, worked on in lanes, settled together.

What is in hand is bounded. A message that fails waits as the policy says and comes again; in an ordered subscription its key waits
with it. What the policy gives up becomes a dead letter, and is settled only once the broker has that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from qiantang.kernel import errors, observe
from qiantang.messaging.client import dead, retrying
from qiantang.messaging.client.lanes import Lanes
from qiantang.messaging.client.working import Failed, Result, Work
from qiantang.messaging.model import Frame, Subscription, Taken
from qiantang.messaging.port import Broker, Feature, Receiver, SendOutcome, Settle

logger = logging.getLogger(__name__)
log = observe.BoundedLog(logger)

FETCH_SECONDS: Final = 5.0
FETCH_BYTES: Final = 8 * 1024 * 1024
FETCH_MOST: Final = 500
SETTLE_SECONDS: Final = 0.002
BURY_AGAIN_SECONDS: Final = 30.0
"""How long a message waits whose dead letter could not be sent."""
AGAIN_FIRST, AGAIN_LONGEST = 0.1, 5.0
_chance = random.Random()  # noqa: S311 -- spreads what would otherwise come together; nobody gains by guessing it

Bury = Callable[[Frame], Awaitable[SendOutcome]]


class _Held(NamedTuple):
    epoch: int
    taken: Taken


class Consumer:
    """One subscription on one broker. `bury` sends a dead letter; `join` gives the receiver, and is asked again after a loss."""

    def __init__(
        self,
        name: str,
        broker: Broker,
        subscription: Subscription,
        work: Work,
        *,
        join: Callable[[], Awaitable[Receiver]],
        bury: Bury,
        batch: int = 1,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.subscription = subscription
        self.concurrency = subscription.concurrency
        self.handled = 0
        self.failed = 0
        self._broker = broker
        self._work = work
        self._join = join
        self._bury = bury
        self._batch = batch
        self._now = now
        self._lanes: Lanes[_Held] = Lanes(ordered=subscription.order == "key")
        self._workers: set[asyncio.Task[None]] = set()
        self._working = 0
        self._employed = 0
        self._room = asyncio.Event()
        self._settles: dict[int, list[Settle]] = {}
        self._settler: asyncio.Task[None] | None = None
        self._receiver: Receiver | None = None
        self._fetcher: asyncio.Task[None] | None = None
        self._paused = False
        self._fetches = 0
        self._blocked: dict[tuple[str, int], int | None] = {}

    # -- its life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to fetch."""
        self._fetcher = asyncio.create_task(self._fetch(), name=f"fetch {self.name}")

    async def pause(self) -> None:
        """Take nothing new; what is in hand is worked on."""
        self._paused = True
        if self._receiver is not None:
            await self._receiver.pause()

    async def resume(self) -> None:
        """Take messages again."""
        self._paused = False
        if self._receiver is not None:
            await self._receiver.resume()

    async def close(self, budget: float) -> None:
        """Stop fetching, give back what was not begun, wait up to `budget` seconds for what was, settle, and leave the group.

        A handler that takes longer is cancelled; its message is delivered again.
        """
        if self._fetcher is not None:
            self._fetcher.cancel()
            await asyncio.wait({self._fetcher})
        for held in self._lanes.clear():
            self._settle(held, Settle(taken=held.taken, what="back"))
        if self._workers:
            _, late = await asyncio.wait(set(self._workers), timeout=budget)
            for task in late:
                task.cancel()
            if late:
                logger.warning("handlers did not end in time", extra={"consumer": self.name, "handlers": len(late)})
                await asyncio.wait(late, timeout=1.0)
        if self._settler is not None and not self._settler.done():
            await asyncio.wait({self._settler}, timeout=budget)
        if self._receiver is not None:
            with contextlib.suppress(errors.UnavailableError, TimeoutError):  # the broker finds out by itself
                async with asyncio.timeout(max(1.0, budget)):
                    await self._receiver.close()

    @property
    def joined(self) -> bool:
        """Whether it takes part in its group."""
        return self._receiver is not None

    @property
    def in_hand(self) -> int:
        """How many messages were fetched and are not finished."""
        return len(self._lanes) + self._working

    # -- fetching ----------------------------------------------------------------------------------------

    async def _fetch(self) -> None:
        pause = AGAIN_FIRST
        while True:
            try:
                await self._fetch_once()
                pause = AGAIN_FIRST
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.failure(self.name, "messages cannot be fetched", error=error)
                await asyncio.sleep(pause * (0.5 + _chance.random()))
                pause = min(AGAIN_LONGEST, pause * 2)

    async def _fetch_once(self) -> None:
        room = max(self.concurrency, self._batch) * 2 - self.in_hand
        if room <= 0:
            self._room.clear()
            await self._room.wait()
            return
        receiver = await self._joined()
        self._fetches += 1
        batch = await receiver.fetch(min(room, FETCH_MOST), FETCH_BYTES, FETCH_SECONDS)
        for taken in batch.taken:
            self._take(_Held(batch.epoch, taken))
        # what was fetched before the broker knew that a key waits has come and gone back by now
        self._blocked = {key: told for key, told in self._blocked.items() if told is None or told > self._fetches}
        self._employ()

    async def _joined(self) -> Receiver:
        if self._receiver is None:
            self._receiver = await self._join()
            log.recovered(self.name, "messages are fetched again")
            if self._paused:
                await self._receiver.pause()
        return self._receiver

    def _take(self, held: _Held) -> None:
        frame = held.taken.frame
        native = self._broker.capabilities.native
        tags = self.subscription.tags
        unwanted = tags and Feature.TAGS not in native and frame.tag not in tags
        expired = 0 < frame.expires_at <= self._now() * 1000 and Feature.EXPIRY not in native
        if unwanted or expired:
            self._settle(held, Settle(taken=held.taken))
        elif (frame.key, held.taken.hold) in self._blocked:
            self._settle(held, Settle(taken=held.taken, what="back"))
        else:
            self._lanes.put(frame.key, held)

    # -- working -----------------------------------------------------------------------------------------

    def _employ(self) -> None:
        """Have as many workers as there is work for, up to the concurrency."""
        wanted = min(self.concurrency, self._employed + -(-self._lanes.ready // self._batch))
        while self._employed < wanted:
            self._employed += 1
            task = asyncio.create_task(self._run(), name=f"work {self.name}")
            self._workers.add(task)
            task.add_done_callback(self._workers.discard)

    async def _run(self) -> None:
        try:
            while self._employed <= self.concurrency and (taken := self._next()):
                if len(taken) == 1:
                    await self._handle_one(*taken[0])
                else:
                    await self._handle(taken)
        finally:
            self._employed -= 1

    async def _handle_one(self, lane: str, held: _Held) -> None:
        self._working += 1
        try:
            await self._finish(lane, held, await self._work.one(held.taken))
        finally:
            self._working -= 1
            self._room.set()

    async def _handle(self, taken: list[tuple[str, _Held]]) -> None:
        held = [one for _, one in taken]
        self._working += len(held)
        try:
            results = await self._work.do([one.taken for one in held])
            for (lane, one), result in zip(taken, results, strict=True):
                await self._finish(lane, one, result)
        finally:
            self._working -= len(held)
            self._room.set()

    def _next(self) -> list[tuple[str, _Held]]:
        found: list[tuple[str, _Held]] = []
        while len(found) < self._batch and (one := self._lanes.take()) is not None:
            found.append(one)
        return found

    async def _finish(self, lane: str, held: _Held, result: Result) -> None:
        if result is None:
            self.handled += 1
            self._settle(held, Settle(taken=held.taken))
            self._go_on(lane)
            return
        self.failed += 1
        wait = self._wait(held.taken, result)
        if wait is None and await self._buried(held, result):
            self._settle(held, Settle(taken=held.taken))
            self._go_on(lane)
            return
        after = wait if wait is not None else BURY_AGAIN_SECONDS
        self._settle(held, Settle(taken=held.taken, what="later", after=after))
        if lane:
            self._block(lane, held.taken.hold)

    def _block(self, lane: str, hold: int) -> None:
        """Give back what is in hand of a key that waits, and what comes of it before the broker knows: nothing overtakes.

        What was taken under a newer hold begins anew, in its own order: that it waits has nothing to do with the failure.
        """
        self._blocked[lane, hold] = None
        for behind in self._lanes.failed(lane):
            if behind.taken.hold == hold:
                self._settle(behind, Settle(taken=behind.taken, what="back"))
            else:
                self._lanes.put(lane, behind)
        self._employ()

    def _go_on(self, lane: str) -> None:
        if lane:
            self._lanes.done(lane)
            self._employ()

    def _wait(self, taken: Taken, result: Failed) -> float | None:
        if result.final:
            return None
        planned = retrying.wait(self.subscription.retry, taken.attempt, _chance.random())
        return planned if planned is None or result.after is None else result.after

    async def _buried(self, held: _Held, result: Failed) -> bool:
        """Send the dead letter; say whether the broker has it."""
        frame = dead.letter(held.taken, self.subscription, held.taken.attempt, result.error, self._now())
        outcome = await self._bury(frame)
        if outcome.verdict != "accepted":
            log.failure(
                f"{self.name} dead",
                "a dead letter cannot be sent: its message will be tried again",
                error=outcome.error,
            )
        return outcome.verdict == "accepted"

    # -- settling ----------------------------------------------------------------------------------------

    def _settle(self, held: _Held, settle: Settle) -> None:
        self._settles.setdefault(held.epoch, []).append(settle)
        if self._settler is None or self._settler.done():
            self._settler = asyncio.create_task(self._settle_all(), name=f"settle {self.name}")

    async def _settle_all(self) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        while self._settles:
            waiting, self._settles = self._settles, {}
            blocked = [key for key, told in self._blocked.items() if told is None]
            for epoch, settles in waiting.items():
                await self._settle_some(epoch, settles)
            self._blocked.update(dict.fromkeys(blocked, self._fetches))

    async def _settle_some(self, epoch: int, settles: Sequence[Settle]) -> None:
        if self._receiver is None:
            return
        try:
            await self._receiver.settle(epoch, settles)
        except Exception as error:
            # they are delivered again: at least once is the promise
            log.failure(f"{self.name} settle", "messages cannot be settled and will come again", error=error)
