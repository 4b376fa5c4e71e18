"""Paging: lists in an order that a reader chooses, a page at a time, so that no row is passed over or comes twice.

A page begins after the last row of the one before it (keyset), found by what the list is sorted by and, among equal ones, by its
key: rows that come and go meanwhile move nothing. The mark of where to go on carries the order that it belongs to.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from qiantang.kernel import errors

Value = str | int | None
_Condition = sa.ColumnElement[bool]
_marks = msgspec.json.Decoder(list[Value])


@dataclass(frozen=True, slots=True)
class By:
    """A column that a list can be sorted by; with `folded` in any case of its letters. What has no value comes last."""

    column: sa.Column[Any]
    folded: bool = False

    @property
    def shown(self) -> sa.ColumnElement[Any]:
        """What is compared."""
        return sa.func.lower(self.column) if self.folded else self.column

    def like(self, value: Value) -> sa.ColumnElement[Any]:
        """Give a value as it is compared."""
        literal = sa.literal(value, self.column.type)
        return sa.func.lower(literal) if self.folded else literal


@dataclass(frozen=True, slots=True)
class Sorting:
    """What a list can be sorted by, as requests name it. `key` names a row, and is the order where none is asked for."""

    by: Mapping[str, By]
    key: Sequence[sa.Column[str]]

    def order(self, sort: str, after: str) -> Order:
        """Read what a request asks for: a name, with `-` in front the other way round, and the mark of where to go on.

        Raises:
            InvalidRequestError: nothing has that name, or the mark is none of this order.
        """
        name = sort.removeprefix("-")
        if sort and name not in self.by:
            raise errors.InvalidRequestError(
                f"sort {sort[:80]!r}: the list is sorted by one of {', '.join(self.by)}; with - in front the other way round"
            )
        by = self.by[name] if sort else None
        return Order(sort, by, self.key, _read(sort, by, len(self.key), after) if after else ())


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a list, and the row that a page begins after: its value, where it is sorted by one, and its key."""

    sort: str
    by: By | None
    key: Sequence[sa.Column[str]]
    last: Sequence[Value]

    def page(self, rows: sa.Select[Any], limit: int) -> sa.Select[Any]:
        """Cut a page out of rows."""
        if self.last:
            rows = rows.where(self._beyond())
        return rows.order_by(*self._columns()).limit(limit)

    def mark(self, row: Any) -> str:
        """Say where to go on after a row: empty is the beginning."""
        key = [str(getattr(row, column.key)) for column in self.key]
        if self.by is None:
            return "/".join(key)
        told = msgspec.json.encode([self.sort, getattr(row, self.by.column.key), *key])
        return base64.urlsafe_b64encode(told).decode().rstrip("=")

    def _columns(self) -> list[sa.ColumnElement[Any]]:
        if self.by is None:
            return [*self.key]
        shown = self.by.shown.desc() if self._descends else self.by.shown.asc()
        valueless = [sa.case((self.by.column.is_(None), 1), else_=0)] if self.by.column.nullable else []
        return [*valueless, shown, *self.key]

    @property
    def _descends(self) -> bool:
        return self.sort.startswith("-")

    def _beyond(self) -> _Condition:
        if self.by is None:
            return _greater(self.key, self.last)
        value, *key = self.last
        if value is None:
            return sa.and_(self.by.column.is_(None), _greater(self.key, key))
        shown, like = self.by.shown, self.by.like(value)
        found = [shown < like if self._descends else shown > like, sa.and_(shown == like, _greater(self.key, key))]
        return sa.or_(*found, *([self.by.column.is_(None)] if self.by.column.nullable else []))


def _greater(columns: Sequence[sa.Column[str]], values: Sequence[Value]) -> _Condition:
    """Give the condition under which columns come after values, the first of them first."""
    (column, *columns_left), (value, *values_left) = columns, values
    if not columns_left:
        return column > value
    return sa.or_(column > value, sa.and_(column == value, _greater(columns_left, values_left)))


def _read(sort: str, by: By | None, parts: int, mark: str) -> Sequence[Value]:
    if by is None:
        return [*mark.split("/", parts - 1), *[""] * parts][:parts]
    try:
        said, *last = _marks.decode(base64.b64decode(mark + "=" * (-len(mark) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError):
        raise _foreign(sort) from None
    value, *key = last or [None]
    fits = isinstance(value, by.column.type.python_type) or (value is None and bool(by.column.nullable))
    if said != sort or not fits or len(key) != parts or not all(isinstance(one, str) for one in key):
        raise _foreign(sort)
    return last


def _foreign(sort: str) -> errors.InvalidRequestError:
    return errors.InvalidRequestError(f"after is no mark of a list sorted by {sort[:80]!r}: begin without it")
