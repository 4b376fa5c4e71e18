"""Receiver: gives what a broker delivers, and between that what waits for another attempt, which the broker cannot keep.

What is to come later is parked. In an ordered subscription its key waits with it: what comes of that key goes behind it, and other
keys go on. Once the parking has it, the broker is told that it is done; a parking in memory keeps the broker waiting instead.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from qiantang.kernel import observe
from qiantang.messaging.client.assisting.keeping import Keeping
from qiantang.messaging.model import Subscription, Taken
from qiantang.messaging.port import HoldingReceiver, Parked, Parking, Settle, Waiting

log = observe.BoundedLog(logging.getLogger(__name__))

MOST: Final = 1000
"""So many messages may wait here, of queues whose parking was not found yet; then fetching stops."""
MOST_DUE: Final = 100
AGAIN_SECONDS: Final = 1.0


class AssistedReceiver:
    """See the module. `now` gives seconds since 1970."""

    def __init__(
        self,
        inner: HoldingReceiver,
        parking: Parking,
        subscription: Subscription,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._inner = inner
        self._parking = parking
        self._name = f"{subscription.group} of {subscription.topic}"
        self._keeping = Keeping(self._name, inner, parking, self._uncount)
        self._ordered = subscription.order == "key"
        self._now = now
        self._held: dict[str, int] = {}
        self._owned: dict[str, int] = {}
        self._keys: dict[str, Counter[str]] = {}
        self._given: dict[str, Counter[str]] = {}
        self._lent: dict[str, Counter[str]] = {}
        """By key what was parked, is given, and not settled yet."""
        self._come: list[Taken] = []
        self._rests = False
        self._fetching: asyncio.Task[list[Taken]] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._again = 0.0
        self._paused = False

    # -- the port ----------------------------------------------------------------------------------------

    async def fetch(self, count: int, size: int, wait: float) -> list[Taken]:
        ends = time.monotonic() + wait
        while True:
            self._keeping.kept.clear()
            taken = self._take(count)
            left = ends - time.monotonic()
            if taken or left <= 0:
                return taken
            await self._wait(count, size, left)

    async def settle(self, settles: Sequence[Settle]) -> None:
        broker: list[Settle] = []
        for one in settles:
            if not self._holds(one.taken):
                continue  # whoever holds its queue now has it
            if isinstance(one.taken.handle, Parked):
                self._settle_parked(one)
                continue
            if self._ordered and one.taken.frame.key:
                _count(self._given[one.taken.queue], one.taken.frame.key, -1)
            if one.what != "done" and (waiting := self._waiting(one)) is not None:
                self._park(waiting)
            else:
                broker.append(one)
        if self._come:
            self._keeping.kept.set()  # what waited for these to be settled
        await self._inner.settle(broker)

    async def pause(self) -> None:
        self._paused = True
        await self._inner.pause()

    async def resume(self) -> None:
        self._paused = False
        self._keeping.kept.set()
        await self._inner.resume()

    async def close(self) -> None:
        running = {one for one in (self._fetching, self._asking) if one is not None}
        for one in running:
            one.cancel()
        if running:
            await asyncio.wait(running)
        await self._keeping.close()
        await self._inner.close()

    # -- fetching ----------------------------------------------------------------------------------------

    def _take(self, count: int) -> list[Taken]:
        """Take of what has come; what cannot be given yet stays."""
        self._look()
        self._ask()
        if self._paused:
            return []
        found: list[Taken] = []
        left: list[Taken] = []
        lending: set[tuple[str, str]] = set()
        held, owned = self._held, self._owned
        self._rests = False
        for one in self._come:
            if held.get(one.queue) != one.hold:
                continue  # it is another's
            if owned.get(one.queue) != one.hold:
                left.append(one)  # it is not known yet what waits there
            elif len(found) == count or (self._ordered and self._must_wait(one)):
                left.append(one)
                self._rests = True
            elif self._ordered and isinstance(one.handle, Parked) and not self._may_lend(one, lending):
                left.append(one)
            elif not self._ordered or not self._is_behind(one):
                found.append(one)
        self._come = left
        return found

    def _may_lend(self, one: Taken, lending: set[tuple[str, str]]) -> bool:
        """Say whether a message that was parked may be given, and note that it is: of a key no more than one fetch took at a time.

        Should any of these come back, those behind them are here still.
        """
        key = one.handle.key
        if not key:
            return True
        if self._lent[one.queue][key] and (one.queue, key) not in lending:
            return False
        lending.add((one.queue, key))
        self._lent[one.queue][key] += 1
        return True

    def _is_behind(self, one: Taken) -> bool:
        """Park it where its key waits, and say so; else note that it is given."""
        if isinstance(one.handle, Parked) or not one.frame.key:
            return False
        if self._waits(one):
            self._park(self._behind(one))
            return True
        _count(self._given[one.queue], one.frame.key, 1)
        return False

    async def _wait(self, count: int, size: int, left: float) -> None:
        """Wait until something comes, falls due, or is kept, or the time is over."""
        kept = asyncio.ensure_future(self._keeping.kept.wait())
        awaited: set[asyncio.Future[Any]] = {kept}
        if self._fetching is None and not self._is_full:
            self._fetching = asyncio.create_task(self._inner.fetch(count, size, left))
        if self._fetching is not None:
            awaited.add(self._fetching)
        if self._asking is None:
            left = max(0.0, min(left, self._asks_at - self._now()))
        try:
            await asyncio.wait(awaited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            kept.cancel()
        if self._fetching is not None and self._fetching.done():
            fetched, self._fetching = self._fetching, None
            self._come += fetched.result()

    @property
    def _is_full(self) -> bool:
        return self._paused or self._rests or len(self._come) >= MOST or self._parking.is_full or self._keeping.is_full

    # -- what is held ------------------------------------------------------------------------------------

    def _holds(self, one: Taken) -> bool:
        return self._owned.get(one.queue) == one.hold

    def _waits(self, one: Taken) -> bool:
        return self._ordered and one.frame.key in self._keys[one.queue]

    def _must_wait(self, one: Taken) -> bool:
        """Whether it would be parked before one of its key that was given and comes back, which is before it."""
        return self._waits(one) and not isinstance(one.handle, Parked) and self._given[one.queue][one.frame.key] > 0

    def _look(self) -> None:
        """See what is held, and forget what is another's."""
        self._held = dict(self._inner.holds)
        for queue in [one for one, hold in self._owned.items() if self._held.get(one) != hold]:
            for some in (self._owned, self._keys, self._given, self._lent):
                del some[queue]
            self._parking.forget(queue)
            self._keeping.forget(queue)

    @property
    def _asks_at(self) -> float:
        """When the parking is to be asked for something."""
        if len(self._owned) < len(self._held):
            return self._again
        return max(self._again, self._parking.next_due) if len(self._come) < MOST else math.inf

    def _ask(self) -> None:
        """Ask the parking beside all else: while it gives no answer, others go on."""
        if self._asking is None and self._asks_at <= self._now():
            self._asking = asyncio.create_task(self._asked(), name=f"asking the parking of {self._name}")

    async def _asked(self) -> None:
        """One thing at a time is asked: so nothing that is put meanwhile, or was for an earlier hold, goes unseen."""
        try:
            async with self._keeping.turn:
                await self._own({queue: hold for queue, hold in self._held.items() if queue not in self._owned})
                if not self._paused and self._parking.next_due <= self._now():
                    found = await self._parking.due(MOST_DUE)
                    self._come += found
                    self._look_again()
            log.recovered(self._name, "what is to be tried again is found again")
        except Exception as error:
            self._again = self._now() + AGAIN_SECONDS
            log.failure(self._name, "what is to be tried again cannot be found yet", error=error)
        finally:
            self._asking = None
            self._keeping.kept.set()

    async def _own(self, new: Mapping[str, int]) -> None:
        """Take over the parkings of queues that are new here."""
        if not new:
            return
        waiting = await self._parking.own(new)
        for queue, hold in new.items():
            self._owned[queue] = hold
            self._keys[queue] = Counter(waiting.get(queue, {}))
            self._given[queue] = Counter()
            self._lent[queue] = Counter()
        self._look()

    def _look_again(self) -> None:
        """Forget once more what was lost while the parking was asked: it gave of that, which is not to count."""
        self._look()
        for queue in {one.queue for one in self._come if isinstance(one.handle, Parked)} - self._owned.keys():
            self._parking.forget(queue)

    # -- parking -----------------------------------------------------------------------------------------

    def _waiting(self, one: Settle) -> Waiting | None:
        """Say how a message of the broker has to wait; None where it has not."""
        if one.what == "later":
            return self._later(one)
        return self._behind(one.taken) if one.what == "back" and self._waits(one.taken) else None

    def _later(self, one: Settle) -> Waiting:
        taken = one.taken
        key = taken.frame.key if self._ordered else ""
        return Waiting(taken=taken, key=key, due=self._now() + one.after, attempt=taken.attempt + 1)

    def _behind(self, taken: Taken) -> Waiting:
        return Waiting(taken=taken, key=taken.frame.key, attempt=taken.attempt)

    def _park(self, waiting: Waiting) -> None:
        if waiting.key:
            self._keys[waiting.taken.queue][waiting.key] += 1
        self._keeping.put(waiting)

    def _settle_parked(self, one: Settle) -> None:
        handle: Parked = one.taken.handle
        if handle.key:
            _count(self._lent[one.taken.queue], handle.key, -1)
            if one.what == "done":
                self._less(one.taken.queue, handle.key)
            else:
                self._give_back(one.taken.queue, handle.key)
        self._keeping.tell(one, self._later(one) if one.what == "later" else None)

    def _give_back(self, queue: str, key: str) -> None:
        """Give the parking back what it gave of a key and nobody has fetched: it must not overtake what was not done."""
        behind = [
            one for one in self._come if isinstance(one.handle, Parked) and (one.queue, one.handle.key) == (queue, key)
        ]
        if behind:
            gone = {id(one) for one in behind}
            self._come = [one for one in self._come if id(one) not in gone]
            for one in behind:
                self._keeping.tell(Settle(taken=one, what="back"))

    def _uncount(self, waiting: Waiting) -> None:
        if self._holds(waiting.taken):
            self._less(waiting.taken.queue, waiting.key)

    def _less(self, queue: str, key: str) -> None:
        """Count one message less that waits of a key."""
        if key:
            _count(self._keys[queue], key, -1)


def _count(counts: Counter[str], key: str, change: int) -> None:
    counts[key] += change
    if counts[key] <= 0:
        del counts[key]
