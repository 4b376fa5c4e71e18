"""Leases: the queues that one member of a group owns, and how members share them out.

Each renews its leases and its membership in one transaction, on the database's clock. The members, sorted by name, take the
queues in turns; who owns one that belongs to another by now lets it go once nothing of it is in hand. A queue changes hands with a
higher epoch, and everything that is written for it is written under the epoch that its writer knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.owned import OwnedLog, OwnedQueue

LEASE_MS: Final = 10_000
SLICE: Final = 1000

_m, _h, _c, _o, _p = tables.messages.c, tables.held.c, tables.cursors.c, tables.offsets.c, tables.members.c


class Leases:
    """Of one member. `wanted` are the queues that it takes part in."""

    def __init__(self, database: Database, own: dict[str, Any], member: str, wanted: Collection[int]) -> None:
        self.queues: dict[int, OwnedQueue] = {}
        self._database = database
        self._own = own
        self._member = member
        self._wanted = list(wanted)

    async def renew(self) -> None:
        """Renew what is owned, take what is free of one's share, and let go what belongs to others by now."""
        await self._database.write(self._renew)

    async def leave(self) -> None:
        """Give everything up."""
        await self._database.write(self._leave)
        for queue in self.queues.values():
            queue.lost = True
        self.queues.clear()

    async def holds(self, connection: AsyncConnection, queue: OwnedQueue) -> bool:
        """Say whether a queue is this member's still, and keep it so until the transaction ends."""
        found = await connection.execute(
            sa.select(_c.epoch)
            .where(*self.mine(_c), _c.queue == queue.number, _c.member == self._member)
            .with_for_update()
        )
        if found.scalar() == queue.epoch:
            return True
        self.lose(queue)
        return False

    def lose(self, queue: OwnedQueue) -> None:
        """Forget a queue: it is another's, or is to be acquired anew."""
        queue.lost = True
        if self.queues.get(queue.number) is queue:
            del self.queues[queue.number]

    def mine(self, columns: Any) -> tuple[sa.ColumnElement[bool], ...]:
        """The rows of this topic and group."""
        return (columns.topic == self._own["topic"], columns.grp == self._own["grp"])

    async def sweep(self) -> None:
        """Remove what every group has finished, of the queues that this member owns, a slice at a time."""
        for queue in list(self.queues.values()):
            for priority in list(queue.logs):
                removed = SLICE
                while removed == SLICE:
                    removed = await self._database.write(lambda c, q=queue, p=priority: self._sweep(c, q, p))
                    await asyncio.sleep(0)

    # -- inside ------------------------------------------------------------------------------------------

    async def _renew(self, connection: AsyncConnection) -> None:
        now = int((await connection.execute(sa.select(tables.Now()))).scalar_one())
        await self._be_member(connection, now)
        found = await connection.execute(sa.select(_c.queue, _c.epoch).where(*self.mine(_c), _c.member == self._member))
        owned = {row.queue: row.epoch for row in found}
        for queue in list(self.queues.values()):
            if owned.get(queue.number) != queue.epoch:
                self.lose(queue)
        share = await self._share(connection)
        for queue in list(self.queues.values()):
            queue.leaving = queue.number not in share
            if queue.leaving and not queue.out:
                await self._let_go(connection, queue)
        if self.queues:
            await connection.execute(
                sa.update(tables.cursors)
                .where(*self.mine(_c), _c.member == self._member, _c.queue.in_(self.queues))
                .values(until=now + LEASE_MS)
            )
        for number in share:
            if number not in self.queues:
                await self._acquire(connection, number, now)

    async def _be_member(self, connection: AsyncConnection, now: int) -> None:
        here = (*self.mine(_p), _p.member == self._member)
        changed = await connection.execute(sa.update(tables.members).where(*here).values(until=now + LEASE_MS))
        if not changed.rowcount:
            row = {**self._own, "member": self._member, "until": now + LEASE_MS}
            await connection.execute(sa.insert(tables.members), row)
        await connection.execute(sa.delete(tables.members).where(*self.mine(_p), _p.until < now))

    async def _share(self, connection: AsyncConnection) -> list[int]:
        found = await connection.execute(sa.select(_p.member).where(*self.mine(_p)))
        members = sorted(row.member for row in found)
        place = members.index(self._member)
        return [number for at, number in enumerate(self._wanted) if at % len(members) == place]

    async def _acquire(self, connection: AsyncConnection, number: int, now: int) -> None:
        here = (*self.mine(_c), _c.queue == number)
        free = sa.or_(_c.member == "", _c.until < now, _c.member == self._member)
        taken = await connection.execute(
            sa.update(tables.cursors)
            .where(*here, free)
            .values(member=self._member, until=now + LEASE_MS, epoch=_c.epoch + 1)
        )
        if not taken.rowcount:
            return
        queue = OwnedQueue(number, (await connection.execute(sa.select(_c.epoch).where(*here))).scalar_one())
        for row in await connection.execute(
            sa.select(_o.priority, _o.position).where(*self.mine(_o), _o.queue == number)
        ):
            queue.logs[row.priority] = OwnedLog.at(row.position)
        for row in await connection.execute(
            sa.select(_h.k, _h.priority, _h.position).where(*self.mine(_h), _h.queue == number)
        ):
            queue.moved.add((row.priority, row.position))
            if row.k:
                queue.parked[row.k] += 1
        self.queues[number] = queue

    async def _let_go(self, connection: AsyncConnection, queue: OwnedQueue) -> None:
        await connection.execute(
            sa.update(tables.cursors)
            .where(*self.mine(_c), _c.queue == queue.number, _c.member == self._member, _c.epoch == queue.epoch)
            .values(member="", until=0)
        )
        self.lose(queue)

    async def _leave(self, connection: AsyncConnection) -> None:
        await connection.execute(
            sa.update(tables.cursors).where(*self.mine(_c), _c.member == self._member).values(member="", until=0)
        )
        await connection.execute(sa.delete(tables.members).where(*self.mine(_p), _p.member == self._member))

    async def _sweep(self, connection: AsyncConnection, queue: OwnedQueue, priority: int) -> int:
        topic = self._own["topic"]
        here = (_o.topic == topic, _o.queue == queue.number, _o.priority == priority)
        found = await connection.execute(sa.select(sa.func.count(), sa.func.min(_o.position)).where(*here))
        known, lowest = found.one()
        groups = await connection.execute(
            sa.select(sa.func.count()).select_from(tables.groups).where(tables.groups.c.topic == topic)
        )
        if known < groups.scalar_one():
            return 0  # a group that has written no offset yet has finished nothing
        log = (_m.topic == topic, _m.queue == queue.number, _m.priority == priority)
        held = sa.exists(sa.select(_h.number).where(tables.HELD_IS))
        rows = await connection.execute(sa.select(_m.position).where(*log, _m.position < lowest, ~held).limit(SLICE))
        positions = [row.position for row in rows]
        if positions:
            await connection.execute(sa.delete(tables.messages).where(*log, _m.position.in_(positions)))
        return len(positions)
