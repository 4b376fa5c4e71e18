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
from typing import Final, NamedTuple, Protocol

from qiantang.kernel import errors, observe
from qiantang.kernel.backoff import Backoff
from qiantang.messaging.client import dead, retrying
from qiantang.messaging.client.counting import ConsumeCounts
from qiantang.messaging.client.lanes import Lanes
from qiantang.messaging.client.working import Failed, Result
from qiantang.messaging.model import Frame, Reply, Subscription, Taken
from qiantang.messaging.port import Capabilities, Feature, Receiver, SendOutcome, Settle

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
Answer = Callable[[Taken, Reply | Failed], Awaitable[None]]
Note = Callable[[Taken, Failed, bool], None]


class Worker(Protocol):
    """What handles messages."""

    async def one(self, taken: Taken) -> Result:
        """Handle a message; give what became of it."""
        ...

    async def do(self, taken: Sequence[Taken]) -> list[Result]:
        """Handle messages; give what became of each."""
        ...


async def _to_nobody(_taken: Taken, _result: Reply | Failed) -> None:
    """Nobody asked."""


def _nowhere(_taken: Taken, _result: Failed, _is_dead: bool) -> None:
    """Nobody writes failures down."""


class Ways(NamedTuple):
    """What a consumer does with its broker: `join` gives the receiver, and is asked again after a loss; `bury` sends a dead letter,
    `answer` what became of a request to who asked; `failed` has a failure written down.
    """

    join: Callable[[], Awaitable[Receiver]]
    bury: Bury
    answer: Answer = _to_nobody
    failed: Note = _nowhere


def _place(taken: Taken) -> tuple[str, int, str]:
    return taken.queue, taken.position, taken.frame.id


class Consumer:
    """One subscription on the broker of a link, whose capabilities are known once it was joined."""

    def __init__(
        self,
        link: str,
        capabilities: Callable[[], Capabilities],
        subscription: Subscription,
        work: Worker,
        ways: Ways,
        *,
        batch: int = 1,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = f"{subscription.group} of {subscription.topic} at {link}"
        self.subscription = subscription
        self.concurrency = subscription.concurrency
        self.counts = ConsumeCounts(link, subscription)
        self._capabilities = capabilities
        self._work = work
        self._ways = ways
        self._takes_part = asyncio.Event()
        self._batch = batch
        self._now = now
        self._lanes: Lanes[Taken] = Lanes(ordered=subscription.order == "key")
        self._workers: set[asyncio.Task[None]] = set()
        self._working = 0
        self._employed = 0
        self._beginning = False
        self._room = asyncio.Event()
        self._settles: list[Settle] = []
        self._settler: asyncio.Task[None] | None = None
        self._receiver: Receiver | None = None
        self._fetcher: asyncio.Task[None] | None = None
        self._paused = False
        self._blocked: dict[tuple[str, int], tuple[str, int, str]] = {}
        """By key and hold, the message that failed and that the key waits for."""
        self._batches = 0
        self._settled = 0
        self._awaited = 0
        """The batch of settles with which the broker knows all of what waits."""
        self._told = asyncio.Event()

    # -- its life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to fetch."""
        self._fetcher = asyncio.create_task(self._fetch(), name=f"fetch {self.name}")

    async def take_part(self) -> None:
        """Begin to fetch, if that was not done, and wait until it takes part in its group."""
        if self._fetcher is None:
            self.start()
        await self._takes_part.wait()

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

    def resize(self, concurrency: int) -> None:
        """Work on so many messages at a time from now on; what is being worked on is ended as it was begun."""
        self.concurrency = concurrency
        self._room.set()
        self._employ()

    async def close(self, budget: float) -> None:
        """Stop fetching, give back what was not begun, wait up to `budget` seconds for what was, settle, and leave the group.

        A handler that takes longer is cancelled; its message is delivered again.
        """
        if self._fetcher is not None:
            self._fetcher.cancel()
            await asyncio.wait({self._fetcher})
        for taken in self._lanes.clear():
            self._settle(Settle(taken=taken, what="back"))
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
        backoff = Backoff(AGAIN_FIRST, AGAIN_LONGEST)
        while True:
            try:
                await self._fetch_once()
                backoff.reset()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.failure(self.name, "messages cannot be fetched", error=error)
                await asyncio.sleep(backoff.next())

    async def _fetch_once(self) -> None:
        await self._tell_what_waits()
        room = max(self.concurrency, self._batch) * 2 - self.in_hand
        if room <= 0:
            await self._wait_for_room()
            return
        receiver = await self._joined()
        self._take(await receiver.fetch(min(room, FETCH_MOST), FETCH_BYTES, FETCH_SECONDS))
        self._employ()

    async def _tell_what_waits(self) -> None:
        """Wait until the broker knows which keys wait, and has back what it gave of them before: what it gives then is in order."""
        while self._awaited > self._settled:
            self._told.clear()
            await self._told.wait()
        self._blocked.clear()

    async def _wait_for_room(self) -> None:
        """Wait until something is finished; leave the group where that takes too long, so that others take over."""
        self._room.clear()
        try:
            async with asyncio.timeout(self.subscription.leave_after or None):
                await self._room.wait()
        except TimeoutError:
            await self._leave()
            await self._room.wait()

    async def _leave(self) -> None:
        receiver, self._receiver = self._receiver, None
        self._takes_part.clear()
        if receiver is None:
            return
        logger.warning("a consumer takes nothing new and leaves its group", extra={"consumer": self.name})
        back = [Settle(taken=taken, what="back") for taken in self._lanes.clear()]
        with contextlib.suppress(errors.UnavailableError):  # then the broker finds out by itself
            await receiver.settle(back)
            await receiver.close()

    async def _joined(self) -> Receiver:
        if self._receiver is None:
            self._receiver = await self._ways.join()
            self._takes_part.set()
            log.recovered(self.name, "messages are fetched again")
            if self._paused:
                await self._receiver.pause()
        return self._receiver

    def _take(self, fetched: Sequence[Taken]) -> None:
        native = self._capabilities().native
        tags = self.subscription.tags if Feature.TAGS not in native else ()
        looks_at_time = Feature.EXPIRY not in native
        group = self.subscription.group
        for taken in fetched:
            frame = taken.frame
            behind = self._blocked and self._is_behind(taken)
            unwanted = (tags and frame.tag not in tags) or frame.text.get(dead.FOR, group) != group
            expired = looks_at_time and 0 < frame.expires_at <= self._now() * 1000
            if unwanted or expired:
                self._settle(Settle(taken=taken))
            elif behind:
                self._awaited = self._batches + 1
                self._settle(Settle(taken=taken, what="back"))
            else:
                self._lanes.put(frame.key, taken)

    def _is_behind(self, taken: Taken) -> bool:
        """Say whether it comes too early, behind a message of its key that failed and has not come again."""
        key = taken.frame.key, taken.hold
        failed = self._blocked.get(key)
        if failed is not None and failed == _place(taken):
            del self._blocked[key]  # it comes again, and what is behind it comes after it
            return False
        return failed is not None

    # -- working -----------------------------------------------------------------------------------------

    def _employ(self) -> None:
        """Have another worker where there is work for it, up to the concurrency.

        Each has the next one begin as it does itself: that one comes to something only once this one waits, so that handlers that
        wait for nothing are all called by one.
        """
        if self._beginning or not self._lanes.ready or self._employed >= self.concurrency:
            return
        self._beginning = True
        self._employed += 1
        task = asyncio.create_task(self._run(), name=f"work {self.name}")
        self._workers.add(task)
        task.add_done_callback(self._workers.discard)

    async def _run(self) -> None:
        self._beginning = False
        try:
            while self._employed <= self.concurrency and (taken := self._next()):
                self._employ()
                if len(taken) == 1:
                    await self._handle_one(*taken[0])
                else:
                    await self._handle(taken)
        finally:
            self._employed -= 1

    async def _handle_one(self, lane: str, taken: Taken) -> None:
        self._working += 1
        try:
            result = await self._work.one(taken)
            if result is None:
                self._done(lane, taken)
            else:
                await self._finish(lane, taken, result)
        finally:
            self._working -= 1
            self._room.set()

    async def _handle(self, taken: list[tuple[str, Taken]]) -> None:
        self._working += len(taken)
        try:
            results = await self._work.do([one for _, one in taken])
            for (lane, one), result in zip(taken, results, strict=True):
                await self._finish(lane, one, result)
        finally:
            self._working -= len(taken)
            self._room.set()

    def _next(self) -> list[tuple[str, Taken]]:
        found: list[tuple[str, Taken]] = []
        while len(found) < self._batch and (one := self._lanes.take()) is not None:
            found.append(one)
        return found

    async def _finish(self, lane: str, taken: Taken, result: Result) -> None:
        if not isinstance(result, Failed):
            if result is not None:
                await self._ways.answer(taken, result)
            self._done(lane, taken)
            return
        wait = self._wait(taken, result)
        if wait is None and await self._buried(taken, result):
            await self._ways.answer(taken, result)
            self._ways.failed(taken, result, True)
            self.counts.dead += 1
            self._settle(Settle(taken=taken))
            self._go_on(lane)
            return
        self._ways.failed(taken, result, False)
        self.counts.again += 1
        after = wait if wait is not None else BURY_AGAIN_SECONDS
        self._settle(Settle(taken=taken, what="later", after=after))
        if lane:
            self._block(lane, taken)

    def _done(self, lane: str, taken: Taken) -> None:
        self.counts.done += 1
        self._settle(Settle(taken=taken))
        self._go_on(lane)

    def _block(self, lane: str, failed: Taken) -> None:
        """Give back what is in hand of a key that waits, and what comes of it before the broker knows: nothing overtakes.

        What was taken under a newer hold begins anew, in its own order: that it waits has nothing to do with the failure.
        """
        self._blocked[lane, failed.hold] = _place(failed)
        self._awaited = self._batches + 1
        for behind in self._lanes.failed(lane):
            if behind.hold == failed.hold:
                self._settle(Settle(taken=behind, what="back"))
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

    async def _buried(self, taken: Taken, result: Failed) -> bool:
        """Send the dead letter; say whether the broker has it."""
        frame = dead.letter(taken, self.subscription, taken.attempt, result.error, self._now())
        outcome = await self._ways.bury(frame)
        if isinstance(
            outcome.error, errors.InvalidRequestError
        ):  # its broker may take the message, and not all that is said of it
            outcome = await self._ways.bury(dead.brief(frame))
        safe = outcome.verdict in ("accepted", "spooled")
        if not safe:
            log.failure(
                f"{self.name} dead",
                "a dead letter cannot be sent: its message will be tried again",
                error=outcome.error,
            )
        return safe

    # -- settling ----------------------------------------------------------------------------------------

    def _settle(self, settle: Settle) -> None:
        self._settles.append(settle)
        if self._settler is None or self._settler.done():
            self._settler = asyncio.create_task(self._settle_all(), name=f"settle {self.name}")

    async def _settle_all(self) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        while self._settles:
            settles, self._settles = self._settles, []
            self._batches += 1
            await self._settle_some(settles)
            self._settled = self._batches
            self._told.set()
            self.counts.tell(self.in_hand)

    async def _settle_some(self, settles: Sequence[Settle]) -> None:
        if self._receiver is None:
            return
        try:
            await self._receiver.settle(settles)
        except Exception as error:
            # they are delivered again: at least once is the promise
            log.failure(f"{self.name} settle", "messages cannot be settled and will come again", error=error)
