"""SQLite: a connection that crosses to its thread once per statement.

The stock aiosqlite cursor crosses four times (open, execute, fetch, close), which is most of the time of a short
transaction. Rows are fetched whole; statements carry their own limits.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiosqlite
from aiosqlite import core


class OneHopCursor:
    """Executes, fetches and closes in one step on the connection's thread; what it gave is then read without waiting."""

    def __init__(self, connection: OneHopConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        """Open nothing: the real cursor lives inside one step."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what was fetched."""
        await self.close()

    async def execute(self, sql: str, parameters: Any = ()) -> Self:
        """Run one statement and keep its rows."""
        await self._connection.on_thread(self._run, sql, parameters, False)
        return self

    async def executemany(self, sql: str, parameters: Sequence[Any]) -> Self:
        """Run one statement for each set of parameters."""
        await self._connection.on_thread(self._run, sql, parameters, True)
        return self

    async def fetchall(self) -> list[Any]:
        """Give the rows, once."""
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """Drop what was not read."""
        self._rows = []

    def _run(self, sql: str, parameters: Any, many: bool) -> None:
        cursor = self._connection.raw.cursor()
        try:
            if many:
                cursor.executemany(sql, parameters)
            else:
                cursor.execute(sql, parameters)
            self.description = cursor.description
            self.rowcount = cursor.rowcount
            self.lastrowid = cursor.lastrowid
            self._rows = cursor.fetchall() if cursor.description else []
        finally:
            cursor.close()


class OneHopConnection(aiosqlite.Connection):
    """An aiosqlite connection whose cursors cross once."""

    @property
    def raw(self) -> sqlite3.Connection:
        """The connection underneath; touch it on its thread alone."""
        return self._conn

    async def on_thread(self, call: Any, *arguments: Any) -> Any:
        """Run a call on the connection's thread."""
        return await self._execute(call, *arguments)  # pyright: ignore[reportUnknownMemberType]

    def cursor(self) -> Any:  # SQLAlchemy enters what this gives
        """Give a cursor."""
        return OneHopCursor(self)


def _work(connection: OneHopConnection) -> None:
    """Serve the connection's thread. A loop that closed before it heard an answer, as after a cancelled call, is no failure."""
    while True:
        try:
            core._connection_worker_thread(connection._tx)  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
        except RuntimeError:
            if connection._running:  # pyright: ignore[reportPrivateUsage]
                continue
        return


async def connect(database: str | Path, **options: Any) -> OneHopConnection:
    """Open a connection whose thread never keeps the process alive."""
    connection = OneHopConnection(lambda: sqlite3.connect(database, **options), 64)
    connection._thread = threading.Thread(  # pyright: ignore[reportPrivateUsage]
        target=_work, args=(connection,), name="sqlite", daemon=True
    )
    await connection
    return connection
