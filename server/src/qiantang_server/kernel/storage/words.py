"""Words: the condition under which a text holds what somebody types to find it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def holding(words: str, *columns: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Give the condition under which one of the columns holds the words, in any case; `%` and `_` stand for themselves.

    SQLite knows the case of ASCII letters alone: of other ones the usual spellings are looked for.
    """
    spellings = {words} if words.isascii() else {words, words.lower(), words.upper(), words.title()}
    return sa.or_(*(column.icontains(one, autoescape=True) for column in columns for one in sorted(spellings)))
