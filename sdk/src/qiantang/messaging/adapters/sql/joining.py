"""Joining: rows written in a transaction that an application has open, over whatever connection it has.

SQLAlchemy's sessions and connections, asyncpg, psycopg, and what follows DB-API (sqlite3, PyMySQL, psycopg 2, …) or imitates it
with coroutines (aiosqlite, asyncmy, aiomysql). Nothing is committed here. A connection that commits every statement by itself and
has no transaction open is refused: the rows would be there whatever becomes of the rest.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Sequence
from typing import Any, Final

import sqlalchemy as sa

from qiantang.kernel import errors

_MARKS: Final = {"qmark": "?", "format": "%s", "pyformat": "%s"}
MYSQL: Final = {"asyncmy", "aiomysql", "pymysql", "MySQLdb", "mysql"}
MYSQL_IN_TRANSACTION: Final = 1
Rows = Sequence[tuple[Any, ...]]


def join(connection: Any, table: sa.Table, rows: Rows) -> Awaitable[Any] | None:
    """Write rows, in the order of the table's columns but for its automatic key; give what is to be awaited where it is one.

    Raises:
        MisconfiguredError: it is no connection that is known here, or has no transaction open.
    """
    family = type(connection).__module__.partition(".")[0]
    if hasattr(connection, "sync_session") or hasattr(connection, "sync_connection"):  # SQLAlchemy with asyncio
        return _awaited(connection.execute(sa.insert(table), _named(table, rows)))
    if isinstance(connection, sa.Connection) or hasattr(connection, "get_bind"):
        connection.execute(sa.insert(table), _named(table, rows))
        return None
    if family == "asyncpg":
        return _asyncpg(connection, table, rows)
    if hasattr(connection, "cursor"):
        return _dbapi(connection, family, table, rows)
    raise errors.MisconfiguredError(
        f"{type(connection).__name__} is no database connection or session that messages can be written with"
    )


def join_once(connection: Any, table: sa.Table, row: tuple[Any, ...]) -> Any:
    """Write a row unless one of its key is there; say whether it was not, in what is to be awaited where it is one.

    The columns are all of the table's, in order. Another transaction that has written it, and has not ended, is waited for.

    Raises:
        MisconfiguredError: as `join`.
    """
    family = type(connection).__module__.partition(".")[0]
    names = [one.name for one in table.columns]
    if hasattr(connection, "sync_session") or hasattr(connection, "sync_connection"):
        statement = _unless_there(table, names, [f":{name}" for name in names], _dialect(connection))
        return _was_new(connection.execute(sa.text(statement), dict(zip(names, row, strict=True))))
    if isinstance(connection, sa.Connection) or hasattr(connection, "get_bind"):
        statement = _unless_there(table, names, [f":{name}" for name in names], _dialect(connection))
        return bool(connection.execute(sa.text(statement), dict(zip(names, row, strict=True))).rowcount)
    if family == "asyncpg":
        if not connection.is_in_transaction():
            raise _no_transaction()
        marks = [f"${place}" for place in range(1, len(names) + 1)]
        return _was_inserted(connection.execute(_unless_there(table, names, marks, "postgresql"), *row))
    if _commits_alone(connection, family):
        raise _no_transaction()
    dialect = "mysql" if family in MYSQL else "standard"
    statement = _unless_there(table, names, [_mark(family)] * len(names), dialect)
    cursor = connection.cursor()
    if inspect.isawaitable(cursor) or inspect.iscoroutinefunction(getattr(cursor, "execute", None)):
        return _async_count(cursor, statement, row)
    try:
        cursor.execute(statement, row)
        return bool(cursor.rowcount)
    finally:
        cursor.close()


def _dialect(connection: Any) -> str:
    bind = connection.get_bind() if hasattr(connection, "get_bind") else connection
    return str(bind.dialect.name)


def _unless_there(table: sa.Table, names: Sequence[str], marks: Sequence[str], dialect: str) -> str:
    # names of our own table, and placeholders
    written = f"INTO {table.name} ({', '.join(names)}) VALUES ({', '.join(marks)})"
    if dialect in {"mysql", "mariadb"}:
        return f"INSERT IGNORE {written}"
    return f"INSERT {written} ON CONFLICT DO NOTHING"


async def _was_new(executed: Awaitable[Any]) -> bool:
    return bool((await executed).rowcount)


async def _was_inserted(executed: Awaitable[str]) -> bool:
    return (await executed).endswith(" 1")


async def _async_count(cursor: Any, statement: str, row: tuple[Any, ...]) -> bool:
    opened = await cursor if inspect.isawaitable(cursor) else cursor
    try:
        await opened.execute(statement, row)
        return bool(opened.rowcount)
    finally:
        closed = opened.close()
        if inspect.isawaitable(closed):
            await closed


async def _awaited(found: Awaitable[Any]) -> None:
    await found


def _columns(table: sa.Table) -> list[str]:
    return [one.name for one in table.columns if not one.primary_key]


def _named(table: sa.Table, rows: Rows) -> list[dict[str, Any]]:
    names = _columns(table)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _statement(table: sa.Table, marks: Sequence[str]) -> str:
    # names of our own table, and placeholders
    return f"INSERT INTO {table.name} ({', '.join(_columns(table))}) VALUES ({', '.join(marks)})"  # noqa: S608


def _asyncpg(connection: Any, table: sa.Table, rows: Rows) -> Awaitable[Any]:
    if not connection.is_in_transaction():
        raise _no_transaction()
    marks = [f"${place}" for place in range(1, len(_columns(table)) + 1)]
    return connection.executemany(_statement(table, marks), rows)


def _dbapi(connection: Any, family: str, table: sa.Table, rows: Rows) -> Awaitable[Any] | None:
    if _commits_alone(connection, family):
        raise _no_transaction()
    statement = _statement(table, [_mark(family)] * len(_columns(table)))
    cursor = connection.cursor()
    if inspect.isawaitable(cursor) or inspect.iscoroutinefunction(getattr(cursor, "executemany", None)):
        return _async_cursor(cursor, statement, rows)
    try:
        cursor.executemany(statement, rows)
    finally:
        cursor.close()
    return None


def _mark(family: str) -> str:
    """Give the placeholder of a driver."""
    style = getattr(sys.modules.get(family), "paramstyle", "format")
    mark = _MARKS.get("qmark" if family in {"sqlite3", "aiosqlite"} else style)
    if mark is None:
        raise errors.MisconfiguredError(f"messages cannot be written with {family}, whose parameters are {style}")
    return mark


async def _async_cursor(cursor: Any, statement: str, rows: Rows) -> None:
    opened = await cursor if inspect.isawaitable(cursor) else cursor
    try:
        await opened.executemany(statement, rows)
    finally:
        closed = opened.close()
        if inspect.isawaitable(closed):
            await closed


def _commits_alone(connection: Any, family: str) -> bool:
    """Whether every statement would be committed by itself."""
    if family == "psycopg":
        return bool(connection.autocommit) and int(connection.info.transaction_status) == 0
    if family == "psycopg2":
        return bool(connection.autocommit) and int(connection.get_transaction_status()) == 0
    if family in {"sqlite3", "aiosqlite"}:
        return connection.isolation_level is None and not connection.in_transaction
    if family in {"asyncmy", "aiomysql"}:
        return bool(connection.get_autocommit()) and not connection.get_transaction_status()
    if family == "pymysql":
        return bool(connection.get_autocommit()) and not connection.server_status & MYSQL_IN_TRANSACTION
    return False


def _no_transaction() -> errors.MisconfiguredError:
    return errors.MisconfiguredError(
        "the connection has no transaction open and commits by itself: open one, so that messages and rows share its fate"
    )
