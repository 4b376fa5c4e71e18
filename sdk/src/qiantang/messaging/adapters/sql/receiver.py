"""Receiver: one member of a group: what it reads of the logs of its queues, and what it settles.

What can be finished in the order of its log moves the offset. What cannot is noted in `mf_held`, in the transaction that moves
the offset past it: what is to be delivered or tried again later, and, in an ordered subscription, what waits behind a message of
its key that is tried again. Who lost a queue meanwhile changes nothing in it; its next owner begins at the offset, and knows of the
keys that wait. A transaction that fails leaves unknown what the database holds, so its queues are given up and acquired anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from qiantang.kernel import errors, observe
from qiantang.messaging.adapters.sql import broadcasting, holding, sweeping, waking
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.leases import Leases
from qiantang.messaging.adapters.sql.owned import Changes, Handle, OwnedLog, OwnedQueue
from qiantang.messaging.adapters.sql.statements import End, Move, Row, Span, Statements
from qiantang.messaging.errors import BusClosedError
from qiantang.messaging.model import Frame, Subscription, Taken
from qiantang.messaging.model.envelope import PRIORITY
from qiantang.messaging.port import Settle

log = observe.BoundedLog(logging.getLogger(__name__))

RENEW_SECONDS: Final = 2.5
LOOK_SECONDS: Final = 0.05
IDLE_SECONDS: Final = 0.25
AHEAD: Final = 500
AHEAD_BYTES: Final = 1024 * 1024
"""What is read at once, though less is asked for: what is left is given the next time, without asking the database."""
HELD_SECONDS: Final = 1.0
"""How often what is held is looked for without a reason to: a floor, should a clock be set back."""
SETTLE_SECONDS: Final = 0.01
"""How far apart offsets are written that nobody waits for."""
LOWEST_FIRST: Final = 8
"""Every so many looks the lowest priority comes first, so that it moves while higher ones never end."""

_headers = msgspec.msgpack.Decoder(tuple[dict[str, str], dict[str, bytes]])


class SqlReceiver:
    """See the module. Of a topic with `count` queues; of those that are `wanted` by number, where any are."""

    def __init__(
        self,
        database: Database,
        statements: Statements,
        subscription: Subscription,
        member: str,
        *,
        count: int,
        wanted: Collection[int] = (),
    ) -> None:
        self._database = database
        self._statements = statements
        self._topic, self._group = subscription.topic, broadcasting.name_of(subscription)
        self.make: Callable[[], Awaitable[None]] | None = None
        """Makes its group, where that is of this member alone and ends with it."""
        self._ordered = subscription.order == "key"
        self._tags = frozenset(subscription.tags)
        self._member = member
        self._own = {"topic": self._topic, "grp": self._group}
        self._leases = Leases(database, self._own, member, count, wanted)
        self._count = count
        self._back: list[Taken] = []
        self._looks = 0
        self._looked_held = 0.0
        self._wrote = 0.0
        self._ahead: deque[tuple[OwnedQueue, Row]] = deque()
        self._passed = False
        self._paused = False
        self._closed = False
        self._stale = False
        self._turn = asyncio.Lock()
        self._event = asyncio.Event()
        self._waiter = waking.listen(database.name, self._topic, self._event)
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take part."""
        await self._renew()
        self._keeper = asyncio.create_task(self._keep(), name=f"lease of {self._member}")

    # -- the port ----------------------------------------------------------------------------------------

    async def fetch(self, count: int, size: int, wait: float) -> list[Taken]:
        ends = time.monotonic() + wait
        look = LOOK_SECONDS
        while True:
            if self._closed:
                raise BusClosedError(f"the receiver of {self._group} is closed")
            self._event.clear()
            taken = [] if self._paused else await self._whole(count, size)
            left = ends - time.monotonic()
            if taken or left <= 0:
                return taken
            if self._passed and not self._paused:
                await asyncio.sleep(0)  # what stands behind it is next
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, look)):
                    await self._event.wait()
            look = min(IDLE_SECONDS, look * 1.5)

    async def settle(self, settles: Sequence[Settle]) -> None:
        if self._may_gather(settles):
            await asyncio.sleep(self._wrote + SETTLE_SECONDS - time.monotonic())  # what gathers meanwhile goes together
        async with self._turn:
            changes, queues = Changes(self._own), set[OwnedQueue]()
            for one in settles:
                queue: OwnedQueue = one.taken.handle.queue
                if not queue.lost:
                    queues.add(queue)
                    self._settle(one, changes)
            again = bool(changes or self._back)
            await self._write(queues, changes)
        if again:
            self._event.set()  # something may be taken that could not be before

    async def pause(self) -> None:
        self._paused = True

    async def resume(self) -> None:
        self._paused = False
        self._event.set()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        waking.leave(self._database.name, self._topic, self._waiter)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        async with self._turn:
            with contextlib.suppress(errors.QiantangError):  # then the lease ends by itself
                await self._leases.leave()
                if self.make is not None:
                    await self._database.write(
                        functools.partial(broadcasting.end, topic=self._topic, groups=[self._group])
                    )
        waking.wake(self._database.name, self._topic)

    async def _whole(self, count: int, size: int) -> list[Taken]:
        """Take to the end though the caller is cancelled meanwhile: what nobody waits for any more is put back."""
        taking = asyncio.ensure_future(self._take(count, size))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._put_back)
            raise

    def _put_back(self, taking: asyncio.Future[list[Taken]]) -> None:
        for one in [] if taking.cancelled() or taking.exception() is not None else taking.result():
            handle: Handle = one.handle
            handle.queue.out -= 1
            if handle.held:
                self._free(handle)
            else:
                self._back.append(one)

    # -- reading -----------------------------------------------------------------------------------------

    async def _take(self, count: int, size: int) -> list[Taken]:
        async with self._turn:
            if self._stale:
                await self._leases.renew()
                self._stale = False
            try:
                return await self._take_some(count, size)
            except BaseException:
                self._give_up(list(self._leases.queues.values()))
                raise

    async def _take_some(self, count: int, size: int) -> list[Taken]:
        readable = {number: queue for number, queue in self._leases.queues.items() if not queue.leaving}
        self._back = [one for one in self._back if not one.handle.queue.lost]
        taken, self._back = self._back[:count], self._back[count:]
        taken += await self._due(readable, count - len(taken))
        size -= sum(one.frame.size for one in taken)
        changes = Changes(self._own)
        changed: set[OwnedQueue] = set()
        if readable and not self._ahead and len(taken) < count:
            await self._read_ahead(readable, max(AHEAD, count - len(taken)), min(size, AHEAD_BYTES), changed)
        self._hand_out(count, size, taken, changes, changed)
        for one in taken:
            one.handle.queue.out += 1
        self._passed = bool(changed)
        if changed:
            await self._write(changed, changes)
        return await self._without_expired(taken)

    async def _read_ahead(
        self, readable: Mapping[int, OwnedQueue], count: int, size: int, changed: set[OwnedQueue]
    ) -> None:
        """Read what the logs have that is new; note the queues in which something is gone."""
        spans, rows = await self._statements.look(
            self._topic, list(readable), lambda ends: self._choose(readable, ends, count), size
        )
        found: dict[tuple[int, int], list[Row]] = defaultdict(list)
        for row in rows:
            found[row[0], row[1]].append(row)
        for span in spans:
            queue = readable[span.queue]
            one = queue.logs.setdefault(span.priority, OwnedLog.at(0, known=False))
            here = sorted(found[span.queue, span.priority], key=itemgetter(2))
            if len(here) < span.end - span.start:
                # what stood there was removed: everybody had finished it
                for position in set(range(span.start, span.end)).difference(row[2] for row in here):
                    one.mark.done(position)
                changed.add(queue)
            one.read = span.end
            self._ahead.extend((queue, row) for row in here)

    def _hand_out(self, count: int, size: int, taken: list[Taken], changes: Changes, changed: set[OwnedQueue]) -> None:
        """Take what was read ahead, or pass it over, or hold it; note the queues of which something was not taken."""
        while self._ahead and len(taken) < count and size > 0:
            queue, row = self._ahead.popleft()
            if queue.lost:
                continue
            if queue.leaving:
                queue.logs[row[1]].read = min(queue.logs[row[1]].read, row[2])  # should it stay after all
                continue
            handle = Handle(queue, row[1], row[2], row[5])
            if self._passes(handle, row, changes):
                changed.add(queue)
            else:
                taken.append(_taken(self._topic, row, handle))
                size -= taken[-1].frame.size

    async def _due(self, readable: Mapping[int, OwnedQueue], count: int) -> list[Taken]:
        """Give held messages whose time has come; of a key that waits only its first."""
        now = time.time() * 1000
        looks = abs(now - self._looked_held) >= HELD_SECONDS * 1000
        queues = [one for one in readable.values() if one.held and (looks or one.due <= now)]
        if count <= 0 or not queues:
            return []
        self._looked_held = now
        async with self._database.reading() as connection:
            rows = await holding.due(connection, self._own, queues, count)
        taken: list[Taken] = []
        for *row, number, attempt, waits in rows:
            queue = readable[row[0]]
            queue.working.add(number)
            handle = Handle(queue, row[1], row[2], row[5], attempt, number, bool(waits))
            taken.append(_taken(self._topic, row, handle))
        return taken

    def _choose(self, readable: Mapping[int, OwnedQueue], ends: Sequence[End], count: int) -> list[Span]:
        """Give what to read of the logs that have something to read.

        The highest priority comes first, but for every eighth look; queues of one priority take turns.
        """
        self._looks += 1
        sign = 1 if self._looks % LOWEST_FIRST == 0 else -1
        spans: list[Span] = []
        for number, priority, end, _ in sorted(
            ends, key=lambda one: (sign * one[1], (one[0] + self._looks) % self._count)
        ):
            known = readable[number].logs.get(priority)
            start = known.read if known else 0
            if count > 0 and end > start:
                spans.append(Span(number, priority, start, min(end, start + count)))
                count -= spans[-1].end - start
        return spans

    def _passes(self, handle: Handle, row: Row, changes: Changes) -> bool:
        """Pass a message of a log over, or move it to those that are held, and say so; else it is taken."""
        queue, priority, position, key = handle.queue, handle.priority, handle.position, handle.key
        tag, deliver_at, expires_at = row[4], row[6], row[7]
        if queue.moved and (priority, position) in queue.moved:
            queue.moved.discard((priority, position))
        elif (self._tags and tag not in self._tags) or (expires_at and expires_at <= time.time() * 1000):
            pass
        elif deliver_at and deliver_at > time.time() * 1000:
            changes.hold(handle, "", deliver_at, 1)
        elif self._ordered and key and key in queue.parked:
            changes.hold(handle, key, 0, 1)
        else:
            return False
        queue.logs[priority].mark.done(position)
        return True

    async def _without_expired(self, taken: list[Taken]) -> list[Taken]:
        """Finish what was held beyond its time, or was cancelled meanwhile."""
        now = time.time() * 1000
        expired = [one for one in taken if 0 < one.frame.expires_at <= now]
        if not expired:
            return taken
        changes = Changes(self._own)
        for one in expired:
            self._settle(Settle(taken=one), changes)
        await self._write({one.handle.queue for one in expired}, changes)
        gone = {id(one) for one in expired}
        return [one for one in taken if id(one) not in gone]

    # -- settling ----------------------------------------------------------------------------------------

    def _may_gather(self, settles: Sequence[Settle]) -> bool:
        """Say whether nobody waits for these offsets, and more of what is in hand may join them."""
        if len(settles) == sum(queue.out for queue in self._leases.queues.values()) and not self._ahead:
            return False
        return all(one.what == "done" and not one.taken.handle.held for one in settles)

    def _settle(self, one: Settle, changes: Changes) -> None:
        handle: Handle = one.taken.handle
        handle.queue.out -= 1
        if handle.held:
            self._settle_held(one, changes)
        else:
            self._settle_log(one, changes)

    def _settle_log(self, one: Settle, changes: Changes) -> None:
        handle: Handle = one.taken.handle
        queue, key = handle.queue, handle.key
        parked = key if self._ordered else ""
        if one.what == "back" and not (parked and parked in queue.parked):
            self._back.append(one.taken)
            return
        if one.what == "later":
            changes.hold(handle, parked, _after(one.after), handle.attempt + 1)
        elif one.what == "back":
            changes.hold(handle, parked, 0, handle.attempt)
        queue.logs[handle.priority].mark.done(handle.position)

    def _settle_held(self, one: Settle, changes: Changes) -> None:
        handle: Handle = one.taken.handle
        queue, key = handle.queue, handle.key if self._ordered else ""
        self._free(handle)
        if one.what == "later":
            again = {"number": handle.held, "due": _after(one.after), "attempt": handle.attempt + 1, "k": key}
            changes.again.append({"queue": queue.number, **again})
            if key and not handle.parked:
                queue.parked[key] += 1
        elif one.what == "done":
            changes.gone.append((queue.number, handle.held))
            queue.held -= 1
            if handle.parked:
                queue.unpark(handle.key)

    def _free(self, handle: Handle) -> None:
        """Have a held message, or what waits behind it, looked for again."""
        queue = handle.queue
        queue.working.discard(handle.held)
        queue.due = 0

    async def _write(self, queues: Collection[OwnedQueue], changes: Changes) -> None:
        """Write offsets and what is held, of the queues that are owned still."""
        logs = [
            (queue, priority, one)
            for queue in queues
            for priority, one in queue.logs.items()
            if one.mark.settled != one.written
        ]
        if logs or changes:
            await self._write_some(queues, logs, changes)

    async def _confirm(self) -> None:
        """Write once more, on the disk, what was written since the last time: a server that died may have forgotten it."""
        queues = list(self._leases.queues.values())
        logs = [
            (queue, priority, one)
            for queue in queues
            for priority, one in queue.logs.items()
            if one.mark.settled != one.sure
        ]
        if logs:
            await self._write_some(queues, logs, Changes(self._own), sure=True)

    async def _write_some(
        self,
        queues: Collection[OwnedQueue],
        logs: Sequence[tuple[OwnedQueue, int, OwnedLog]],
        changes: Changes,
        *,
        sure: bool = False,
    ) -> None:
        moves = [Move(queue.number, priority, one.mark.settled, one.known) for queue, priority, one in logs]
        epochs = {queue.number: queue.epoch for queue in queues}
        try:
            kept = await self._statements.settle(self._own, self._member, epochs, moves, changes, sure=sure)
        except BaseException:
            self._give_up(queues)
            raise
        self._wrote = time.monotonic()
        for (_, _, one), move in zip(logs, moves, strict=True):
            one.written, one.known = move.position, True
            if sure:
                one.sure = move.position
        for queue in queues:
            if queue.number not in kept:
                self._leases.lose(queue)

    def _give_up(self, queues: Collection[OwnedQueue]) -> None:
        """Forget what is known of queues: what the database holds is read again when they are acquired anew."""
        for queue in queues:
            self._leases.lose(queue)
        self._stale = True

    # -- the lease ---------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        swept = time.monotonic()
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self._renew()
                if time.monotonic() - swept >= sweeping.SWEEP_SECONDS:
                    swept = time.monotonic()
                    await self.sweep()
                log.recovered(self._member, "the lease of a consumer is renewed again")
            except Exception as error:
                log.failure(self._member, "the lease of a consumer cannot be renewed", error=error)

    async def sweep(self) -> None:
        """Remove what every group has finished, of the queues that this member owns."""
        logs = [(queue.number, one) for queue in self._leases.queues.values() for one in queue.logs]
        await sweeping.finished(self._database, self._topic, logs)

    async def _renew(self) -> None:
        async with self._turn:
            await self._leases.renew()
            if self.make is not None and not self._leases.queues:  # it is new, or was taken for dead meanwhile
                await self.make()
                await self._leases.renew()
            await self._confirm()


def _after(seconds: float) -> int:
    return int((time.time() + seconds) * 1000)


def _taken(topic: str, row: Row, handle: Handle) -> Taken:
    _, priority, position, id, tag, key, deliver_at, expires_at, headers, body = row
    text, binary = _headers.decode(headers)
    said = text.get(PRIORITY, "")
    frame = Frame(
        topic=topic,
        id=id,
        body=body if type(body) is bytes else bytes(body),
        tag=tag,
        key=key,
        priority=int(said) if said.isascii() and said.isdigit() else priority,
        deliver_at=deliver_at,
        expires_at=expires_at,
        text=text,
        binary=binary,
    )
    return Taken(
        frame=frame,
        handle=handle,
        queue=handle.queue.name,
        position=position,
        attempt=handle.attempt,
        hold=handle.queue.epoch,
    )
