"""Leases: the queues that one member of a group owns, and how members share them out.

Each renews its leases and its membership in one transaction, on the database's clock. The members, sorted by name, take the
queues in turns; who owns one that belongs to another by now lets it go once nothing of it is in hand. A queue changes hands with a
higher epoch, and everything that is written for it is written under the epoch that its writer knows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.owned import OwnedLog, OwnedQueue
from qiantang.messaging.model.sharing import shares

LEASE_MS: Final = 10_000

_h, _c, _o, _p = tables.held.c, tables.cursors.c, tables.offsets.c, tables.members.c


class Leases:
    """Of one member, of so many queues. `wanted` are those that it asks for by number; none means whichever."""

    def __init__(
        self, database: Database, own: dict[str, Any], member: str, count: int, wanted: Collection[int] = ()
    ) -> None:
        self.queues: dict[int, OwnedQueue] = {}
        self._database = database
        self._own = own
        self._member = member
        self._count = count
        self._wanted = ",".join(f"{number}" for number in sorted(wanted))

    async def renew(self) -> None:
        """Renew what is owned, take what is free of one's share, and let go what belongs to others by now."""
        await self._database.write(self._renew)

    async def leave(self) -> None:
        """Give everything up."""
        await self._database.write(self._leave)
        for queue in self.queues.values():
            queue.lost = True
        self.queues.clear()

    def lose(self, queue: OwnedQueue) -> None:
        """Forget a queue: it is another's, or is to be acquired anew."""
        queue.lost = True
        if self.queues.get(queue.number) is queue:
            del self.queues[queue.number]

    def mine(self, columns: Any) -> tuple[sa.ColumnElement[bool], ...]:
        """The rows of this topic and group."""
        return (columns.topic == self._own["topic"], columns.grp == self._own["grp"])

    # -- inside ------------------------------------------------------------------------------------------

    async def _renew(self, connection: AsyncConnection) -> None:
        now = await tables.now(connection)
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
            row = {**self._own, "member": self._member, "until": now + LEASE_MS, "queues": self._wanted}
            await connection.execute(sa.insert(tables.members), row)
        await connection.execute(sa.delete(tables.members).where(*self.mine(_p), _p.until < now))

    async def _share(self, connection: AsyncConnection) -> list[int]:
        found = await connection.execute(sa.select(_p.member, _p.queues).where(*self.mine(_p)))
        members = {row.member: [int(one) for one in row.queues.split(",") if one] for row in found}
        return shares(members, range(self._count))[self._member]

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
            queue.logs[row.priority] = OwnedLog.at(row.position, known=True)
        await self._know_held(connection, queue)
        self.queues[number] = queue

    async def _know_held(self, connection: AsyncConnection, queue: OwnedQueue) -> None:
        """Learn how much is held, which keys wait, and what of it the logs will show again: the rest need not be known."""
        here = (*self.mine(_h), _h.queue == queue.number)
        counted = await connection.execute(sa.select(_h.k, sa.func.count()).where(*here).group_by(_h.k))
        for key, count in counted.all():
            queue.held += count
            if key:
                queue.parked[key] = count
        if not queue.held:
            return
        queue.due = 0
        beyond = _h.position >= sa.func.coalesce(_o.position, 0)
        offset = sa.and_(*(_o[name] == _h[name] for name in ("topic", "grp", "queue", "priority")))
        found = await connection.execute(
            sa.select(_h.priority, _h.position).join(tables.offsets, offset, isouter=True).where(*here, beyond)
        )
        queue.moved.update((row.priority, row.position) for row in found)

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
