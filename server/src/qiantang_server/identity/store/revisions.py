"""Rows of the revision counter: one number that rises with every change of rights, and what each tenant saw of it
last.
"""

from __future__ import annotations

import sqlalchemy as sa

from qiantang_server.identity.store.tables import revisions as t
from qiantang_server.kernel.storage import Session, now

_COUNTER = ""
PLATFORM = "*"
"""The key of rights that belong to no tenant."""


async def bump(session: Session, *tenants: str) -> int:
    """Raise the counter and note it for these tenants; give its new value.

    Called first in a transaction that changes rights: the counter's row stays locked until the end, so that such
    changes happen one after the other, on every server.
    """
    raised = sa.update(t).where(t.c.tenant == _COUNTER).values(value=t.c.value + 1)
    if not await session.execute(raised):
        await session.insert_new(t, [{"tenant": _COUNTER, "value": 0}])
        await session.execute(raised)
    value = int(await session.scalar(sa.select(t.c.value).where(t.c.tenant == _COUNTER)))
    keys = sorted({tenant or PLATFORM for tenant in tenants})
    await session.upsert(t, [{"tenant": key, "value": value} for key in keys], ["value"])
    return value


async def read(session: Session) -> tuple[int, int]:
    """Give the database's clock and the counter."""
    counter = sa.select(t.c.value).where(t.c.tenant == _COUNTER).scalar_subquery()
    row = await session.first(sa.select(now().label("clock"), counter.label("counter")))
    return (int(row.clock), int(row.counter or 0)) if row else (0, 0)


async def changed_since(session: Session, value: int) -> dict[str, int]:
    """Give the tenants whose rights changed after the counter stood at `value`, with what it rose to."""
    rows = await session.all(sa.select(t.c.tenant, t.c.value).where(t.c.value > value, t.c.tenant != _COUNTER))
    return {row.tenant: int(row.value) for row in rows}
