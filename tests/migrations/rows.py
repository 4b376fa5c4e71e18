"""Rows for every table there is, made from its columns: awkward texts, large numbers, every byte."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

TEXT = "钱塘 🌊 é \\ ' \" % _ \t\n end"
PER_TABLE = 3


def value(column: sa.Column[Any], number: int) -> Any:
    """Make up a value for a column, another one for each number."""
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return bool(number % 2)
    if isinstance(kind, sa.Float):
        return number + 0.25
    if isinstance(kind, sa.BigInteger):
        return (1 << 53) + number if not column.primary_key else number
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.LargeBinary | mysql.LONGBLOB):
        return bytes(range(256)) * 300 + bytes([number])
    if isinstance(kind, sa.String):
        length = kind.length or 100_000
        return (
            f"{number}{TEXT}{'x' * length}"[:length] if not column.primary_key else f"{number}-{column.name}"[:length]
        )
    raise AssertionError(f"no value for {column}: teach the test its type")


def rows(table: sa.Table) -> list[dict[str, Any]]:
    """Make rows for a table; its own keys are left to it."""
    return [{column.name: value(column, number) for column in table.columns} for number in range(1, PER_TABLE + 1)]
