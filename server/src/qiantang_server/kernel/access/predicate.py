"""Predicate: the same grants as a condition in SQL, so that lists, counts and searches agree with the
guard.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from qiantang_server.kernel.access.principal import Principal
from qiantang_server.kernel.access.target import ANY, Target

_Column = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table that say where a row belongs.

    A table of a higher level has fewer: a row of it is visible to whoever holds the permission on some part
    of it.
    """

    tenant: _Column
    environment: _Column | None = None
    center: _Column | None = None
    application: _Column | None = None

    def parts(self) -> tuple[_Column | None, ...]:
        """Give the four in the order of a target."""
        return (self.tenant, self.environment, self.center, self.application)


def visible(principal: Principal, permission: str, columns: Columns) -> sa.ColumnElement[bool]:
    """Give the condition under which a row may be seen by a principal with `permission`."""
    present = columns.parts()
    conditions: dict[Target, None] = {}
    for pattern in principal.grants.patterns(permission):
        conditions[
            Target(*(ANY if column is None else part for part, column in zip(pattern, present, strict=True)))
        ] = None
    if any(all(part == ANY for part in pattern) for pattern in conditions):
        return sa.true()
    if not conditions:
        return sa.false()
    return sa.or_(*_grouped(conditions, present))


def _grouped(patterns: Iterable[Target], columns: tuple[_Column | None, ...]) -> list[sa.ColumnElement[bool]]:
    """Fold patterns that differ in their last named part alone into one `IN`."""
    groups: dict[tuple[int, Target], list[str]] = {}
    for pattern in patterns:
        last = max(index for index, part in enumerate(pattern) if part != ANY)
        rest = Target(*(ANY if index == last else part for index, part in enumerate(pattern)))
        groups.setdefault((last, rest), []).append(pattern[last])
    return [
        sa.and_(*_equal(rest, columns), _column(columns, last).in_(sorted(values)))
        for (last, rest), values in groups.items()
    ]


def _equal(pattern: Target, columns: tuple[_Column | None, ...]) -> list[sa.ColumnElement[bool]]:
    return [_column(columns, index) == part for index, part in enumerate(pattern) if part != ANY]


def _column(columns: tuple[_Column | None, ...], index: int) -> _Column:
    column = columns[index]
    if column is None:
        raise ValueError(f"no column for part {index} of the pattern")
    return column
