"""Database: connections of a broker that is a database, transactions, and what goes wrong with them by our names."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from qiantang.kernel import errors
from qiantang.messaging.adapters.sql.tables import metadata
from qiantang.messaging.errors import BrokerAwayError, OutcomeUnknownError

T = TypeVar("T")

DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mysql+asyncmy",
}
ATTEMPTS: Final = 6
POOL: Final = 8
TRANSACTION_SECONDS: Final = 20.0
"""What a transaction may take, its turn included: a database that is frozen must not hold up what waits behind it."""
AGAIN: Final = {"40001", "40P01", "1213", "1205"}
REFUSED_STATES: Final = ("22", "23", "54", "45000", "P0001")
"""What SQLSTATEs begin with of which the rows are the cause: values, constraints, sizes, and triggers that say no."""
REFUSED_CODES: Final = {1118, 1153, 1301, 3819}
"""The same for codes of MariaDB and MySQL that have no SQLSTATE of their own: a row, a packet or a result that is too large, a
constraint.
"""
DUPLICATES: Final = {"23505", "1062"}
_chance = random.Random()  # noqa: S311  # spreads load, guards nothing


class AgainError(Exception):
    """The database asks for the same transaction again: it had to choose between two. What it said is the cause."""


class RefusedError(BrokerAwayError):
    """The database answered, and does not take the rows that it was given: others may be taken. Who does not tell it apart has
    nothing done, as with a database that is away.
    """


class Database:
    """One database. `url` names its kind: sqlite:///file, postgresql://…, mysql://…, mariadb://…."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        driver = DRIVERS.get(parsed.drivername.partition("+")[0])
        if driver is None:
            raise errors.MisconfiguredError(
                f"{parsed.drivername!r} is no database that carries messages: {', '.join(DRIVERS)} are"
            )
        self.name = parsed.render_as_string(hide_password=True)
        self.is_sqlite = driver.startswith("sqlite")
        self.is_postgresql = driver.startswith("postgresql")
        self._url = parsed.set(drivername=driver)
        self._engine: AsyncEngine | None = None
        self._turn = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and make the tables that are missing."""
        # asking before each use costs what the use costs; asyncpg knows by itself when a connection was closed
        asks = not (self.is_sqlite or self.is_postgresql)
        options: dict[str, Any] = {"pool_pre_ping": asks, "hide_parameters": True}
        if not self.is_sqlite:
            options.update(pool_size=POOL, max_overflow=POOL, pool_timeout=10, isolation_level="READ COMMITTED")
        engine = create_async_engine(self._url, **options)
        if self.is_sqlite:
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
            event.listen(engine.sync_engine, "invalidate", _roll_back_sqlite)
        if self.is_postgresql:
            event.listen(engine.sync_engine, "checkout", _refuse_closed)
        self._engine = engine
        try:
            await self.write(lambda connection: connection.run_sync(metadata.create_all))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Disconnect. What is in use is closed once it is not any more; cancelled, this goes on without who waited for it."""
        engine, self._engine = self._engine, None
        if engine is not None:
            # the pool forgets what is in use: that would be left to the collector, which cannot close it
            event.listen(engine.sync_engine, "checkin", _close)
            self._closing = asyncio.create_task(engine.dispose(), name=f"closing {self.name}")
            await asyncio.shield(self._closing)

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run a transaction; again where the database asks for that.

        Raises:
            BrokerAwayError: it was not done.
            OutcomeUnknownError: the commit was not answered.
        """
        return await self.again(functools.partial(self._once, work))

    async def again(self, once: Callable[[], Awaitable[T]]) -> T:
        """Do something, again where it raises `AgainError`."""
        asked: BaseException | None = None
        for attempt in range(ATTEMPTS):
            try:
                return await once()
            except AgainError as error:
                asked = error.__cause__
            await asyncio.sleep(0.01 * 2**attempt * (0.5 + _chance.random()))
        raise BrokerAwayError(f"{self.name} had no turn for the transaction: {_short(asked)}") from asked

    def connect(self) -> AsyncConnection:
        """Take a connection, for the time of an `async with`."""
        return self._opened().connect()

    def away(self, error: BaseException) -> BrokerAwayError:
        """Say by our name that something was not done."""
        kind = RefusedError if isinstance(error, exc.DBAPIError) and is_refused(error) else BrokerAwayError
        return kind(f"{self.name} did not do it: {_short(error)}")

    async def most_of_packet(self) -> int:
        """Give what a statement may have in bytes, where the server cuts the connection of who sends more; else 0.

        Raises:
            BrokerAwayError: the database is away.
        """
        if self.is_sqlite or self.is_postgresql:
            return 0
        async with self.reading() as connection:
            return int((await connection.execute(sa.text("select @@max_allowed_packet"))).scalar_one())

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """Read, each statement for itself.

        Raises:
            BrokerAwayError: the database is away.
        """
        try:
            async with asyncio.timeout(TRANSACTION_SECONDS), self.connect() as connection:
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")
        except TimeoutError as error:
            raise BrokerAwayError(f"{self.name} did not answer within {TRANSACTION_SECONDS:g} s") from error
        except (exc.DBAPIError, exc.TimeoutError, OSError) as error:
            raise self.away(error) from error

    async def _once(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        committing = False
        try:
            async with asyncio.timeout(TRANSACTION_SECONDS), self._alone(), self.connect() as connection:
                async with connection.begin() as transaction:
                    found = await work(connection)
                    committing = True
                    await transaction.commit()
                return found
        except TimeoutError as error:
            late = f"{self.name} did not end a transaction within {TRANSACTION_SECONDS:g} s"
            raise (OutcomeUnknownError(late) if committing else BrokerAwayError(late)) from error
        except (exc.TimeoutError, exc.DBAPIError, OSError) as error:
            if committing and getattr(error, "connection_invalidated", True):
                raise OutcomeUnknownError(f"{self.name} was lost while it committed: {_short(error)}") from error
            if isinstance(error, exc.DBAPIError) and is_retried(error):
                raise AgainError from error
            raise self.away(error) from error

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """One writer at a time in this process where the database has only one: who waits in it times out."""
        if not self.is_sqlite:
            yield
            return
        async with self._turn:
            yield

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            raise BrokerAwayError(f"{self.name} is not open")
        return self._engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # what begins a transaction is said below
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _roll_back_sqlite(connection: Any, _record: Any, _error: Any) -> None:
    """End the transaction of a connection that is given up in the middle of it: closing it does not while anything refers to one
    of its cursors, as the traceback of a cancelled task does, and the database would stay locked for everybody.
    """
    driver = connection.driver_connection
    with contextlib.suppress(ValueError):  # it is closed already
        driver._tx.put_nowait((None, driver._conn.rollback))  # the next thing that its thread does


def _close(connection: Any, record: Any) -> None:
    if connection is not None:
        record.invalidate()


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    if connection.driver_connection.is_closed():
        raise exc.DisconnectionError  # the pool makes another


def is_refused(error: exc.DBAPIError) -> bool:
    """Say whether the rows are the cause: the database answered, and takes others."""
    original: Any = error.orig
    said = str(getattr(original, "sqlstate", None)).startswith(REFUSED_STATES) or _code(original) in REFUSED_CODES
    return said or isinstance(error, exc.DataError | exc.IntegrityError)  # SQLite says no state, MySQL not always one


def is_duplicate(error: exc.DBAPIError) -> bool:
    """Say whether such a row is there already."""
    original: Any = error.orig
    known = {str(getattr(original, "sqlstate", None)), str(_code(original))}
    return not known.isdisjoint(DUPLICATES) or "unique constraint failed" in str(original).lower()


def _code(original: Any) -> Any:
    return original.args[0] if getattr(original, "args", None) else ""


def is_retried(error: Exception) -> bool:
    """Say whether the database asks for the same transaction again."""
    original: Any = getattr(error, "orig", None) or error
    code = getattr(original, "sqlstate", None) or _code(original)
    words = str(original).lower()
    # two processes that make the tables at the same time: the second time they are there
    return (
        str(code) in AGAIN or "database is locked" in words or "already exists" in words or "pg_type_typname" in words
    )


def _short(error: BaseException | None) -> str:
    original = getattr(error, "orig", None) or error
    return f"{type(original).__name__}: {original}"[:300]
