"""Standing: what an instance's word about a bundle means, decided once, in memory and as a condition in SQL."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa

from qiantang.kernel import resource
from qiantang_server.kernel.watch import store

Standing = Literal["current", "failed", "behind"]
State = Literal["", "current", "failed", "behind"]
APPLIED = "applied"
WENT_WRONG = ("failed", "rejected")


def standing(status: str | None, held: resource.Position, head: resource.Position) -> Standing:
    """Say how an instance stands: it holds the newest, or taking something went wrong, or neither, which is behind.

    Where nothing was published yet, whoever holds nothing is current; one that said nothing at all (None) never is.
    """
    if status is None:
        return "behind"
    if status != APPLIED:
        return "failed"
    return "current" if held == head or held.revision == head.revision == 0 else "behind"


def of_row(row: sa.Row[Any], head: resource.Position) -> Standing:
    """Say how the instance of a row stands that has the columns of what is held, null where nothing is."""
    held = resource.NOWHERE if row.epoch is None else resource.Position(epoch=row.epoch, revision=row.revision)
    return standing(row.status, held, head)


def failed() -> sa.ColumnElement[bool]:
    """Give the condition under which taking something went wrong."""
    return store.held.c.status.in_(WENT_WRONG)


def behind(epoch: sa.ColumnElement[int], revision: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Give the condition under which an instance is behind a published head, in an outer join to what it holds."""
    held = store.held.c
    other = sa.and_(held.status == APPLIED, sa.or_(held.epoch != epoch, held.revision != revision))
    return sa.or_(held.instance.is_(None), other)


def is_at(head: resource.Position) -> sa.ColumnElement[bool]:
    """Give the condition under which the newest is held of a bundle whose head is known."""
    held = store.held.c
    same = held.revision == head.revision
    return sa.and_(held.status == APPLIED, same if not head.revision else sa.and_(same, held.epoch == head.epoch))


def stands(state: Standing, head: resource.Position) -> sa.ColumnElement[bool]:
    """Give the condition under which an instance stands so to a head, in an outer join to what it holds."""
    if state == "failed":
        return failed()
    if state == "current":
        return is_at(head)
    return sa.or_(store.held.c.instance.is_(None), sa.and_(store.held.c.status == APPLIED, sa.not_(is_at(head))))
