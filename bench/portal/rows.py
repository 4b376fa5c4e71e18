"""Rows: what a measurement needs many of, written past the product, since what is measured is reading."""

from __future__ import annotations

import sqlite3
from typing import Any


def first(db: sqlite3.Connection, table: str, where: str) -> dict[str, Any]:
    """Give one row of a table."""
    cursor = db.execute(f"SELECT * FROM {table} WHERE {where} LIMIT 1")
    return dict(zip((one[0] for one in cursor.description), cursor.fetchone(), strict=True))


def insert(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    """Write a row; give its number."""
    marks = ", ".join("?" for _ in row)
    done = db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))
    return done.lastrowid or 0
