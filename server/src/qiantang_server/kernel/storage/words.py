"""Words: the condition under which a text holds what somebody types to find it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

ESCAPE = "/"


class _Holds(sa.ColumnElement[bool]):
    """A column holds a pattern in any case. SQLite's own LIKE does that at a third of the cost of two calls of lower()."""

    inherit_cache = True
    type = sa.Boolean()
    _traverse_internals = [
        ("column", sa.sql.visitors.InternalTraversal.dp_clauseelement),
        ("pattern", sa.sql.visitors.InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, column: sa.ColumnElement[Any], words: str) -> None:
        escaped = words.replace(ESCAPE, ESCAPE * 2).replace("%", f"{ESCAPE}%").replace("_", f"{ESCAPE}_")
        self.column = column
        self.pattern = sa.literal(f"%{escaped}%", sa.String())


@compiles(_Holds)
def _holds(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.column.ilike(element.pattern, escape=ESCAPE), **options)


@compiles(_Holds, "sqlite")
def _holds_in_sqlite(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.column.like(element.pattern, escape=ESCAPE), **options)


def holding(words: str, *columns: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Give the condition under which one of the columns holds the words, in any case; `%` and `_` stand for themselves.

    SQLite knows the case of ASCII letters alone: of other ones the usual spellings are looked for.
    """
    spellings = {words} if words.isascii() else {words, words.lower(), words.upper(), words.title()}
    return sa.or_(*(_Holds(column, one) for column in columns for one in sorted(spellings)))
