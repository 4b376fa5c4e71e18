"""Receiver: one member of a group: what it reads of the logs of its queues, and what it settles.

What can be finished in the order of its log moves the offset. What cannot is noted in `mf_held`, in the transaction that moves
the offset past it: what is to be delivered or tried again later, and, in an ordered subscription, what waits behind a message of
its key that is tried again. Who lost a queue meanwhile changes nothing in it; its next owner begins at the offset, and knows of the
keys that wait. A transaction that fails leaves unknown what the database holds, so its queues are given up and acquired anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.kernel import errors, observe
from qiantang.messaging.adapters.sql import tables, waking
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.leases import Leases
from qiantang.messaging.adapters.sql.owned import Changes, Handle, OwnedLog, OwnedQueue, Place
from qiantang.messaging.errors import BusClosedError
from qiantang.messaging.model import Frame, Subscription, Taken
from qiantang.messaging.model.envelope import PRIORITY
from qiantang.messaging.port import Batch, Settle

log = observe.BoundedLog(logging.getLogger(__name__))

RENEW_SECONDS: Final = 2.5
SWEEP_SECONDS: Final = 30.0
LOOK_SECONDS: Final = 0.05
IDLE_SECONDS: Final = 0.25
LOWEST_FIRST: Final = 8
"""Every so many looks the lowest priority comes first, so that it moves while higher ones never end."""

_headers = msgspec.msgpack.Decoder(tuple[dict[str, str], dict[str, bytes]])
_m, _h, _o, _l = tables.messages.c, tables.held.c, tables.offsets.c, tables.logs.c
_CONTENT = (_m.id, _m.tag, _m.k.label("message_k"), _m.deliver_at, _m.expires_at, _m.headers, _m.body)


class SqlReceiver:
    """See the module."""

    def __init__(
        self, database: Database, subscription: Subscription, member: str, queues: Collection[str], count: int
    ) -> None:
        self._database = database
        self._topic, self._group = subscription.topic, subscription.group
        self._ordered = subscription.order == "key"
        self._tags = frozenset(subscription.tags)
        self._member = member
        self._own = {"topic": self._topic, "grp": self._group}
        wanted = [number for number in range(count) if not queues or f"{number}" in queues]
        self._leases = Leases(database, self._own, member, wanted)
        self._count = count
        self._back: list[Taken] = []
        self._looks = 0
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

    async def fetch(self, count: int, size: int, wait: float) -> Batch:
        ends = time.monotonic() + wait
        look = LOOK_SECONDS
        while True:
            if self._closed:
                raise BusClosedError(f"the receiver of {self._group} is closed")
            self._event.clear()
            taken = [] if self._paused else await self._whole(count, size)
            left = ends - time.monotonic()
            if taken or left <= 0:
                return Batch(1, taken)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, look)):
                    await self._event.wait()
            look = min(IDLE_SECONDS, look * 1.5)

    async def settle(self, epoch: int, settles: Sequence[Settle]) -> None:
        del epoch  # each handle knows whether its queue was lost
        async with self._turn:
            by_queue: dict[OwnedQueue, list[Settle]] = {}
            for one in settles:
                by_queue.setdefault(one.taken.handle.place.queue, []).append(one)
            failures: list[errors.QiantangError] = []
            for queue, some in by_queue.items():
                if queue.lost:
                    continue
                try:
                    await self._settle(queue, some)
                except errors.QiantangError as error:
                    failures.append(error)  # that queue is acquired anew; the others have nothing to do with it
        self._event.set()
        if failures:
            raise failures[0]

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
            handle.place.queue.out -= 1
            if handle.held:
                handle.place.queue.working.discard(handle.held)
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
        self._back = [one for one in self._back if not one.handle.place.queue.lost]
        taken, self._back = self._back[:count], self._back[count:]
        changes, changed = Changes(self._own), set[OwnedQueue]()
        if readable:
            async with self._database.reading() as connection:
                taken += await self._due(connection, readable, count - len(taken))
                for queue, priority, tail in await self._waiting(connection, readable):
                    if len(taken) >= count or sum(one.frame.size for one in taken) >= size:
                        break
                    rows = await self._read(connection, queue, priority, tail, count - len(taken))
                    for row in rows:
                        place = Place(queue, priority, row.position, row.message_k)
                        if self._passes(place, row, changes):
                            changed.add(queue)
                        else:
                            taken.append(_taken(self._topic, place, row, Handle(place, 1)))
        for one in taken:
            one.handle.place.queue.out += 1
        if changed:
            await self._write(changed, changes)
        return await self._without_expired(taken)

    async def _due(self, connection: AsyncConnection, readable: dict[int, OwnedQueue], count: int) -> list[Taken]:
        """Give held messages whose time has come; of a key that waits only its first."""
        if count <= 0:
            return []
        earlier = tables.held.alias("earlier")
        behind = sa.exists(
            sa.select(earlier.c.number).where(
                earlier.c.topic == _h.topic,
                earlier.c.grp == _h.grp,
                earlier.c.queue == _h.queue,
                earlier.c.k == _h.k,
                earlier.c.position < _h.position,
            )
        )
        working = [number for queue in readable.values() for number in queue.working]
        statement = (
            sa.select(tables.held, *_CONTENT)
            .join(tables.messages, tables.HELD_IS)
            .where(
                *self._leases.mine(_h),
                _h.queue.in_(readable),
                _h.due <= int(time.time() * 1000),
                sa.or_(_h.k == "", ~behind),
                _h.number.not_in(working),
            )
            .order_by(_h.priority.desc(), _h.due, _h.position)
            .limit(count)
        )
        taken: list[Taken] = []
        for row in await connection.execute(statement):
            queue = readable[row.queue]
            queue.working.add(row.number)
            place = Place(queue, row.priority, row.position, row.message_k)
            taken.append(_taken(self._topic, place, row, Handle(place, row.attempt, row.number, bool(row.k))))
        return taken

    async def _waiting(
        self, connection: AsyncConnection, readable: dict[int, OwnedQueue]
    ) -> list[tuple[OwnedQueue, int, int]]:
        """Give the logs that have something to read, by queue and priority, with their ends.

        The highest priority comes first, but for every eighth look; queues of one priority take turns.
        """
        found = await connection.execute(
            sa.select(_l.queue, _l.priority, _l.tail).where(_l.topic == self._topic, _l.queue.in_(readable))
        )
        waiting: list[tuple[OwnedQueue, int, int]] = []
        for row in found:
            queue = readable[row.queue]
            if row.tail > queue.logs.setdefault(row.priority, OwnedLog.at(0)).read:
                waiting.append((queue, row.priority, row.tail))
        self._looks += 1
        sign = 1 if self._looks % LOWEST_FIRST == 0 else -1
        waiting.sort(key=lambda one: (sign * one[1], (one[0].number + self._looks) % self._count))
        return waiting

    async def _read(
        self, connection: AsyncConnection, queue: OwnedQueue, priority: int, tail: int, count: int
    ) -> Sequence[sa.Row[Any]]:
        one = queue.logs[priority]
        statement = (
            sa.select(_m.queue, _m.priority, _m.position, *_CONTENT)
            .where(_m.topic == self._topic, _m.queue == queue.number, _m.priority == priority)
            .where(_m.position >= one.read, _m.position < tail)
            .order_by(_m.position)
            .limit(count)
        )
        rows: Sequence[Any] = (await connection.execute(statement)).all()
        ends = [row.position for row in rows]
        for position in set(range(one.read, ends[-1] + 1 if ends else tail)) - set(ends):
            one.mark.done(position)  # what stood there was removed: everybody had finished it
        one.read = ends[-1] + 1 if ends else tail
        return rows

    def _passes(self, place: Place, row: sa.Row[Any], changes: Changes) -> bool:
        """Pass a message of a log over, or move it to those that are held, and say so; else it is taken."""
        queue, priority, position, key = place
        now = time.time() * 1000
        passed = (self._tags and row.tag not in self._tags) or 0 < row.expires_at <= now
        if (priority, position) in queue.moved:
            queue.moved.discard((priority, position))
        elif passed:
            pass
        elif row.deliver_at > now:
            changes.hold(place, "", row.deliver_at, 1)
        elif self._ordered and key and key in queue.parked:
            changes.hold(place, key, 0, 1)
        else:
            return False
        queue.logs[priority].mark.done(position)
        return True

    async def _without_expired(self, taken: list[Taken]) -> list[Taken]:
        """Finish what was held beyond its time, or was cancelled meanwhile."""
        now = time.time() * 1000
        expired = [one for one in taken if 0 < one.frame.expires_at <= now]
        for one in expired:
            await self._settle(one.handle.place.queue, [Settle(taken=one)])
        return [one for one in taken if one not in expired] if expired else taken

    # -- settling ----------------------------------------------------------------------------------------

    async def _settle(self, queue: OwnedQueue, settles: Sequence[Settle]) -> None:
        changes = Changes(self._own)
        for one in settles:
            queue.out -= 1
            if one.taken.handle.held:
                self._settle_held(one, changes)
            else:
                self._settle_log(one, changes)
        await self._write({queue}, changes)

    def _settle_log(self, one: Settle, changes: Changes) -> None:
        handle: Handle = one.taken.handle
        queue, priority, position, key = handle.place
        parked = key if self._ordered else ""
        if one.what == "back" and not (parked and parked in queue.parked):
            self._back.append(one.taken)
            return
        if one.what == "later":
            changes.hold(handle.place, parked, _after(one.after), handle.attempt + 1)
        elif one.what == "back":
            changes.hold(handle.place, parked, 0, handle.attempt)
        queue.logs[priority].mark.done(position)

    def _settle_held(self, one: Settle, changes: Changes) -> None:
        handle: Handle = one.taken.handle
        queue, key = handle.place.queue, handle.place.key if self._ordered else ""
        queue.working.discard(handle.held)
        if one.what == "later":
            again = {"number": handle.held, "due": _after(one.after), "attempt": handle.attempt + 1, "k": key}
            changes.again.append(again)
            if key and not handle.parked:
                queue.parked[key] += 1
        elif one.what == "done":
            changes.gone.append(handle.held)
            if handle.parked:
                queue.unpark(handle.place.key)

    async def _write(self, queues: Collection[OwnedQueue], changes: Changes) -> None:
        """Write offsets and what is held, of the queues that are owned still."""

        async def work(connection: AsyncConnection) -> None:
            kept = {queue.number for queue in queues if await self._leases.holds(connection, queue)}
            for queue in queues:
                if queue.number in kept:
                    await self._write_offsets(connection, queue)
            rows = [row for row in changes.rows if row["queue"] in kept]
            if rows:
                await connection.execute(sa.insert(tables.held), rows)
            if changes.gone and kept:
                await connection.execute(sa.delete(tables.held).where(_h.number.in_(changes.gone)))
            for one in changes.again if kept else ():
                values = {name: one[name] for name in ("due", "attempt", "k")}
                await connection.execute(sa.update(tables.held).where(_h.number == one["number"]).values(**values))

        try:
            await self._database.write(work)
        except BaseException:
            self._give_up(queues)
            raise
        for queue in queues:
            for one in queue.logs.values():
                one.written = one.mark.settled

    def _give_up(self, queues: Collection[OwnedQueue]) -> None:
        """Forget what is known of queues: what the database holds is read again when they are acquired anew."""
        for queue in queues:
            self._leases.lose(queue)
        self._stale = True

    async def _write_offsets(self, connection: AsyncConnection, queue: OwnedQueue) -> None:
        for priority, one in queue.logs.items():
            if one.mark.settled == one.written:
                continue
            here = (*self._leases.mine(_o), _o.queue == queue.number, _o.priority == priority)
            moved = await connection.execute(sa.update(tables.offsets).where(*here).values(position=one.mark.settled))
            if not moved.rowcount:
                row = {**self._own, "queue": queue.number, "priority": priority, "position": one.mark.settled}
                await connection.execute(sa.insert(tables.offsets), row)

    # -- the lease ---------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        swept = time.monotonic()
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self._renew()
                if time.monotonic() - swept >= SWEEP_SECONDS:
                    swept = time.monotonic()
                    await self._leases.sweep()
                log.recovered(self._member, "the lease of a consumer is renewed again")
            except Exception as error:
                log.failure(self._member, "the lease of a consumer cannot be renewed", error=error)

    async def _renew(self) -> None:
        async with self._turn:
            await self._leases.renew()


def _after(seconds: float) -> int:
    return int((time.time() + seconds) * 1000)


def _taken(topic: str, place: Place, row: sa.Row[Any], handle: Handle) -> Taken:
    text, binary = _headers.decode(row.headers)
    said = text.get(PRIORITY, "")
    frame = Frame(
        topic=topic,
        id=row.id,
        body=bytes(row.body),
        tag=row.tag,
        key=row.message_k,
        priority=int(said) if said.isascii() and said.isdigit() else place.priority,
        deliver_at=row.deliver_at,
        expires_at=row.expires_at,
        text=text,
        binary=binary,
    )
    queue = f"{place.queue.number}"
    return Taken(
        frame=frame,
        handle=handle,
        queue=queue,
        position=place.position,
        attempt=handle.attempt,
        hold=place.queue.epoch,
    )
