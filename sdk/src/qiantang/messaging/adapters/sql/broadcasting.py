"""Broadcasting: groups that end with their only member. Their names are marked in the tables, so that what a process left that was
killed is known, and removed by those that are there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import tables
from qiantang.messaging.model import Subscription

MARK: Final = "~"
"""What no name of a group begins with that somebody gave."""

_g, _p = tables.groups.c, tables.members.c
_ALL: Final[tuple[Any, ...]] = (tables.groups, tables.cursors, tables.offsets, tables.held, tables.members)


def name_of(subscription: Subscription) -> str:
    """Give the name of a subscription's group in the tables."""
    return f"{MARK}{subscription.group}" if subscription.broadcast else subscription.group


async def live(connection: AsyncConnection, topic: str, group: str, member: str, lease_ms: int) -> None:
    """Note the only member of a group, in the transaction that makes the group: it is nobody's orphan."""
    now = await tables.now(connection)
    row = {"topic": topic, "grp": group, "member": member, "until": now + lease_ms, "queues": ""}
    await connection.execute(sa.insert(tables.members), row)


async def end(connection: AsyncConnection, topic: str, groups: Collection[str]) -> None:
    """Remove groups with all that waits for them."""
    for table in _ALL:
        await connection.execute(sa.delete(table).where(table.c.topic == topic, table.c.grp.in_(groups)))


async def end_orphans(connection: AsyncConnection, topic: str) -> None:
    """Remove the groups of a topic that ended with their members, without a word."""
    now = await tables.now(connection)
    living = sa.select(_p.grp).where(_p.topic == topic, _p.until >= now)
    found = await connection.execute(
        sa.select(_g.grp).where(_g.topic == topic, _g.grp.startswith(MARK), _g.grp.not_in(living))
    )
    orphans = found.scalars().all()
    if orphans:
        await end(connection, topic, orphans)
