"""Standing: what an instance's word about a bundle means, decided once, in memory and as a condition in SQL."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa

from qiantang.kernel import resource
from qiantang_server.kernel.watch import store

Standing = Literal["current", "failed", "behind"]
APPLIED = "applied"


def standing(status: str | None, held: resource.Position, head: resource.Position) -> Standing:
    """Say how an instance stands: it holds the newest, or taking something went wrong, or neither, which is behind.

    Where nothing was published yet, whoever holds nothing is current.
    """
    if status is None:
        return "behind"
    if status != APPLIED:
        return "failed"
    return "current" if held == head or held.revision == head.revision == 0 else "behind"


def failed() -> sa.ColumnElement[bool]:
    """Give the condition under which taking something went wrong."""
    return store.held.c.status != APPLIED


def current(epoch: sa.ColumnElement[int], revision: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Give the condition under which the newest is held: that of a bundle whose head is at this place."""
    held = store.held.c
    return sa.and_(held.status == APPLIED, held.epoch == epoch, held.revision == revision)


def behind(epoch: sa.ColumnElement[int], revision: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Give the condition under which neither holds, in an outer join from instances to what they hold."""
    held = store.held.c
    other = sa.and_(held.status == APPLIED, sa.or_(held.epoch != epoch, held.revision != revision))
    return sa.or_(held.instance.is_(None), other)
