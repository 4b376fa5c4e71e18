"""Database: short transactions with deadlines, retried where the database asks for it."""

from __future__ import annotations

import asyncio
import logging
import random
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from qiantang.kernel import errors
from qiantang_server.kernel.storage import sqlite as sqlite_connection
from qiantang_server.kernel.storage.schema import now
from qiantang_server.kernel.storage.settings import StorageSettings
from qiantang_server.kernel.storage.values import require_holdable

log = logging.getLogger(__name__)
T = TypeVar("T")

_DRIVERS = {
    "sqlite": ("sqlite+aiosqlite", ""),
    "postgresql": ("postgresql+asyncpg", "postgresql"),
    "postgres": ("postgresql+asyncpg", "postgresql"),
    "mysql": ("mysql+asyncmy", "mysql"),
    "mariadb": ("mysql+asyncmy", "mysql"),
}
_RETRIED = {"40001", "40P01", "1213", "1205"}
_ATTEMPTS = 6
PATIENCE = timedelta(minutes=10)
"""How long a migration waits for its turn and for locks."""


Parameters = Mapping[str, Any]


class Session:
    """One transaction, or one reading: rows in, rows out.

    Building a statement costs several times what running it does. One that is run often is made once, with
    `sqlalchemy.bindparam` where values go, and given `parameters` at each run.
    """

    def __init__(self, connection: AsyncConnection, dialect: str) -> None:
        self.connection = connection
        self.dialect = dialect
        self._after_commit: list[Callable[[], None]] = []

    async def execute(self, statement: sa.Executable, rows: Sequence[Parameters] | Parameters | None = None) -> int:
        """Run a statement, for each of `rows` if given; give the count of rows it touched."""
        if rows is not None and not rows:
            return 0
        result = await self.connection.execute(statement, rows)
        return result.rowcount

    async def all(self, statement: sa.Executable, parameters: Parameters | None = None) -> Sequence[sa.Row[Any]]:
        """Give every row; the statement carries its own limit."""
        return (await self.connection.execute(statement, parameters)).all()

    async def first(self, statement: sa.Executable, parameters: Parameters | None = None) -> sa.Row[Any] | None:
        """Give the first row, or None."""
        return (await self.connection.execute(statement, parameters)).first()

    async def scalar(self, statement: sa.Executable) -> Any:
        """Give the first column of the first row, or None."""
        return (await self.connection.execute(statement)).scalar()

    async def insert_key(self, table: sa.Table, values: Mapping[str, Any]) -> int:
        """Insert one row and give its auto-increment key."""
        result = await self.connection.execute(sa.insert(table).values(**values))
        key = result.inserted_primary_key
        if key is None:
            raise errors.InternalError(f"{table.name} gave no key for a new row")
        return int(key[0])

    async def insert_new(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows whose key is not there yet and pass over the others."""
        await self.execute(_insert_new(self.dialect, table), rows)

    async def upsert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]], update: Sequence[str]) -> int:
        """Insert rows; where the primary key is there already, set the `update` columns instead."""
        return await self.execute(_upsert(self.dialect, table, tuple(update)), rows)

    async def now(self) -> int:
        """Read the database's clock: milliseconds since 1970 UTC."""
        return int(await self.scalar(sa.select(now())))

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have `call` run once the transaction is durable; never when it was rolled back. It must not raise or block."""
        self._after_commit.append(call)

    def committed(self) -> None:
        """Run what waited for the commit (called by the database, once)."""
        for call in self._after_commit:
            call()


@lru_cache(maxsize=256)
def _insert_new(dialect: str, table: sa.Table) -> sa.Insert:
    if dialect == "mysql":
        # not INSERT IGNORE, which makes every other error a warning too: a text that is too long would be cut
        key = next(iter(table.primary_key.columns)).name
        return mysql.insert(table).on_duplicate_key_update({key: sa.text(f"`{table.name}`.`{key}`")})
    builder = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return builder.on_conflict_do_nothing()


@lru_cache(maxsize=256)
def _upsert(dialect: str, table: sa.Table, update: tuple[str, ...]) -> sa.Insert:
    if dialect == "mysql":
        statement = mysql.insert(table)
        return statement.on_duplicate_key_update({name: statement.inserted[name] for name in update})
    builder = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key.columns]
    return builder.on_conflict_do_update(index_elements=keys, set_={name: builder.excluded[name] for name in update})


class Database:
    """The control plane's database. Open it as an async context manager."""

    def __init__(self, settings: StorageSettings, *, default_file: Path) -> None:
        self.settings = settings
        self.url, self.dialect = _driver_url(settings.url, default_file)
        self._writer: AsyncEngine = None  # type: ignore[assignment]  # set by __aenter__
        self._reader: AsyncEngine = None  # type: ignore[assignment]

    async def __aenter__(self) -> Database:
        """Connect, and prove that the database answers.

        Raises:
            UnavailableError: it does not; the detail says where and why, without the password.
        """
        async with AsyncExitStack() as undo:
            self._writer, self._reader = _engines(self.url, self.dialect, self.settings)
            undo.push_async_callback(self._dispose)
            async with self.reading() as session:
                await session.scalar(sa.select(sa.literal(1)))
            undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self._dispose()

    async def _dispose(self) -> None:
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()

    @property
    def address(self) -> str:
        """Where the database is, without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes."""
        return self._writer

    @asynccontextmanager
    async def patient(self) -> AsyncGenerator[AsyncConnection, None]:
        """Give a connection of its own for migrations: it waits long, since a table may be large and others may be first.

        Raises:
            UnavailableError: the database is away.
        """
        settings = msgspec.structs.replace(self.settings, statement_timeout=PATIENCE, pool_size=1)
        writer, reader = _engines(self.url, self.dialect, settings)
        try:
            async with writer.connect() as connection:
                yield connection
        except exc.SQLAlchemyError as error:
            raise self.translated(error) from error
        finally:
            await writer.dispose()
            await reader.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Session, None]:
        """Give a session that reads committed rows and writes nothing."""
        try:
            async with self._reader.connect() as connection:
                yield Session(connection, self.dialect)
        except exc.SQLAlchemyError as error:
            raise self.translated(error) from error

    async def write(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Run `work` in one transaction and commit it; run it again where the database rolled it back for another's sake.

        `work` must have no effects but its rows: what is to follow the commit goes through `Session.after_commit`.

        Raises:
            UnavailableError: the database is away or stayed locked.
            QiantangError: whatever `work` raised; nothing was written.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._writer.begin() as connection:
                    session = Session(connection, self.dialect)
                    result = await work(session)
                session.committed()
            except exc.DBAPIError as error:
                if not _is_retried(error) or attempt == _ATTEMPTS:
                    raise self.translated(error) from error
                await asyncio.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311  # jitter, not a secret
            except exc.SQLAlchemyError as error:
                raise self.translated(error) from error
            else:
                return result
        raise errors.InternalError("unreachable")

    def translated(self, error: exc.SQLAlchemyError) -> errors.QiantangError:
        """Give the error of the tree for one of the driver's."""
        if isinstance(error, exc.IntegrityError):
            return errors.ConflictError("the database refused a row that contradicts another one")
        reason = str(getattr(error, "orig", error)).splitlines()[0][:300] if str(error) else type(error).__name__
        if _is_fault(error):
            log.error("statement failed", extra={"reason": reason}, exc_info=error)
            return errors.InternalError("a statement failed on the database; the server's log has it")
        return errors.UnavailableError(f"the database at {self.address} did not answer: {reason}")


def _driver_url(text: str, default_file: Path) -> tuple[sa.URL, str]:
    url = make_url(text or f"sqlite:///{default_file}")
    backend = url.drivername.partition("+")[0]
    if backend not in _DRIVERS:
        known = ", ".join(sorted(_DRIVERS))
        raise errors.MisconfiguredError(f"storage.url: {backend!r} is not a database we know ({known})")
    driver, extra = _DRIVERS[backend]
    dialect = driver.partition("+")[0]
    url = url.set(drivername=driver)
    if dialect == "mysql":
        url = url.update_query_dict({"charset": "utf8mb4"})
    try:
        url.get_dialect().import_dbapi()
    except ImportError as error:
        raise errors.MissingExtraError(
            f"storage.url asks for {backend}, whose driver is missing: pip install 'qiantang-server[{extra}]'"
        ) from error
    return url, dialect


def _engines(url: sa.URL, dialect: str, settings: StorageSettings) -> tuple[AsyncEngine, AsyncEngine]:
    seconds = settings.statement_timeout.total_seconds()
    if dialect == "sqlite":
        return (
            _sqlite_engine(url, seconds, writer=True, pool_size=1),
            _sqlite_engine(url, seconds, writer=False, pool_size=settings.pool_size),
        )
    options: dict[str, Any] = {
        "pool_size": settings.pool_size,
        "max_overflow": 0,
        "pool_timeout": seconds,
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "isolation_level": "READ COMMITTED",
    }
    if dialect == "postgresql":
        options["connect_args"] = {
            "timeout": seconds,
            "command_timeout": seconds * 3,
            "server_settings": {"lock_timeout": str(int(seconds * 1000)), "application_name": "qiantang"},
        }
    else:
        logging.getLogger("asyncmy").setLevel(logging.ERROR)  # it logs each note of the server as a warning
        options["connect_args"] = {
            "connect_timeout": max(1, int(seconds)),
            "init_command": f"SET time_zone = '+00:00', innodb_lock_wait_timeout = {max(1, int(seconds))}",
        }
    engine = create_async_engine(url, **options)
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "before_cursor_execute", require_holdable)
    return engine, engine


def _connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
    """Connect; whatever keeps the driver from it is the driver's own kind of error (asyncpg raises a bare OSError)."""
    driver = dialect.loaded_dbapi
    try:
        return dialect.connect(*arguments, **options)
    except Exception as error:
        if isinstance(error, driver.Error):
            raise
        raise driver.OperationalError(f"{type(error).__name__}: {error}") from error


def _sqlite_engine(url: sa.URL, seconds: float, *, writer: bool, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=seconds,
        poolclass=sa.AsyncAdaptedQueuePool,
        connect_args={"timeout": seconds, "isolation_level": None, "async_creator_fn": sqlite_connection.connect},
    )
    event.listen(engine.sync_engine, "before_cursor_execute", require_holdable)

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            f"query_only = {'OFF' if writer else 'ON'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # a transaction that starts as a reader and turns writer can fail at once with "database is locked"
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _is_fault(error: exc.SQLAlchemyError) -> bool:
    """Say whether the statement is wrong, rather than the database away, closing the line or out of patience."""
    if not isinstance(error, exc.DBAPIError):
        return isinstance(error, exc.StatementError)
    if isinstance(error, exc.ProgrammingError | exc.DataError | exc.NotSupportedError):
        return True
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return True  # no such table, or no SQL at all: for what is busy, full or broken there are other codes
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return state.startswith(("22", "42"))  # asyncpg has no class for these: data and syntax


def _is_retried(error: exc.DBAPIError) -> bool:
    original: Any = error.orig
    code = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if code is None and original is not None and original.args:
        code = original.args[0]
    return str(code) in _RETRIED or "database is locked" in str(original)
