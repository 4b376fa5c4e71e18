"""Column types and SQL expressions that mean the same on all three databases."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import expression

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Millis = sa.BigInteger
"""A moment: milliseconds since 1970 UTC."""

Text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Blob = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""An auto-increment key: SQLite counts up only a column declared INTEGER."""


def name_column(column: str, length: int = 64, **options: Any) -> sa.Column[str]:
    """Give a column for a name; compared by code point on every database, but blind to spaces at its end on MySQL."""
    return sa.Column(column, sa.String(length), nullable=options.pop("nullable", False), **options)


@compiles(CreateTable, "mysql")
@compiles(CreateTable, "mariadb")
def _create_table_mysql(element: CreateTable, compiler: Any, **options: Any) -> str:
    """Say the character set, which is otherwise that of the database: latin1 on some, and blind to case on most."""
    return f"{compiler.visit_create_table(element, **options).rstrip()} CHARSET=utf8mb4 COLLATE=utf8mb4_bin"


class now(expression.FunctionElement[int]):  # noqa: N801
    """The database's clock in milliseconds: what leases and expiries are measured by, never a server's own clock."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"


@compiles(now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(now, "mysql")
@compiles(now, "mariadb")
def _now_mysql(element: Any, compiler: Any, **options: Any) -> str:
    return "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)"
