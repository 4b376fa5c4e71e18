"""PostgreSQL: the statements of every batch, through its driver (asyncpg) alone: SQLAlchemy's layers cost ten times what it does.

A few messages are one statement, which is a transaction by itself; many go by COPY. Offsets alone move in one statement that does
not wait for the disk: should the server's machine die, what was settled in its last moment is delivered again.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import exc

from qiantang.messaging.adapters.sql import database
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.adapters.sql.owned import Changes
from qiantang.messaging.adapters.sql.statements import COLUMNS, FEW, End, Log, Move, Row, Span, Statements, packed
from qiantang.messaging.errors import BrokerAwayError, OutcomeUnknownError
from qiantang.messaging.model import Frame

T = TypeVar("T")

_WRITTEN: Final = ("topic", "queue", "priority", "position", "id", "tag", "k", "deliver_at", "expires_at", "stored_at")
_WRITTEN_ALL: Final = (*_WRITTEN, "headers", "body")
_SAID: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, exc.DBAPIError, exc.TimeoutError, OSError)
_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"

# unnest keeps the order of the arrays, and they are sorted: two senders never wait for each other
_POSITIONS: Final = """
    INSERT INTO mf_log AS l (topic, queue, priority, tail, largest)
    SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[])
    ON CONFLICT (topic, queue, priority)
    DO UPDATE SET tail = l.tail + excluded.tail, largest = greatest(l.largest, excluded.largest)
    RETURNING topic, queue, priority, tail"""
_APPEND: Final = f"""
    WITH moved AS ({_POSITIONS}), written AS (
        INSERT INTO mf_message ({", ".join(_WRITTEN_ALL)})
        SELECT m.topic, m.queue, m.priority, m.tail - n.behind, n.id, n.tag, n.k, n.deliver_at, n.expires_at, $6, n.headers, n.body
        FROM unnest($7::text[], $8::int[], $9::int[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::bigint[],
            $15::bigint[], $16::bytea[], $17::bytea[])
            AS n (topic, queue, priority, behind, id, tag, k, deliver_at, expires_at, headers, body)
        JOIN moved m ON m.topic = n.topic AND m.queue = n.queue AND m.priority = n.priority)
    SELECT topic, queue, priority, tail FROM moved"""  # noqa: S608  # names of columns
_ENDS: Final = "SELECT queue, priority, tail, largest FROM mf_log WHERE topic = $1 AND queue = ANY($2::int[])"
_SPANS: Final = """
    FROM unnest($2::int[], $3::int[], $4::bigint[], $5::bigint[]) AS s (queue, priority, low, high)
    JOIN mf_message m ON m.topic = $1 AND m.queue = s.queue AND m.priority = s.priority
        AND m.position >= s.low AND m.position < s.high"""
_BODIES: Final = f"SELECT {', '.join(f'm.{name}' for name in COLUMNS)} {_SPANS}"
_SIZES: Final = f"SELECT m.queue, m.priority, m.position, length(m.body) {_SPANS}"
_MOVE: Final = """
    WITH mine AS (
        SELECT queue FROM mf_cursor
        WHERE topic = $1 AND grp = $2 AND member = $3
            AND (queue, epoch) IN (SELECT * FROM unnest($4::int[], $5::bigint[]))
        ORDER BY queue FOR UPDATE
    ), moved AS (
        INSERT INTO mf_offset (topic, grp, queue, priority, position)
        SELECT $1, $2, n.queue, n.priority, n.position
        FROM unnest($6::int[], $7::int[], $8::bigint[]) AS n (queue, priority, position) JOIN mine USING (queue)
        ON CONFLICT (topic, grp, queue, priority) DO UPDATE SET position = excluded.position
    )
    SELECT queue, set_config('synchronous_commit', 'off', true) FROM mine"""


class Driver:
    """Transactions on the driver's own connections, which are those of the database's pool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, work: Callable[[Any], Awaitable[T]], *, alone: bool = False) -> T:
        """Run a transaction, again where the database asks for that. `alone`: it is one statement, a transaction by itself.

        Raises:
            BrokerAwayError: it was not done.
            OutcomeUnknownError: the commit was not answered.
        """
        return await self._database.again(functools.partial(self._once, work, alone))

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Any]:
        """Read, each statement for itself.

        Raises:
            BrokerAwayError: the database is away.
        """
        try:
            async with self._connection() as connection:
                yield connection
        except TimeoutError as error:
            raise BrokerAwayError(self._late()) from error
        except _SAID as error:
            raise self._database.away(error) from error

    async def _once(self, work: Callable[[Any], Awaitable[T]], alone: bool) -> T:
        committing = False
        try:
            async with self._connection() as connection:
                if alone:
                    committing = True
                    return await work(connection)
                await connection.execute(_BEGIN)
                found = await work(connection)
                committing = True
                await connection.execute("COMMIT")
                return found
        except TimeoutError as error:
            raise (OutcomeUnknownError if committing else BrokerAwayError)(self._late()) from error
        except _SAID as error:
            if committing and not _is_said(error):
                raise OutcomeUnknownError(
                    f"{self._database.name} was lost before it answered: {error}"[:300]
                ) from error
            if database.is_retried(error):
                raise database.AgainError from error
            raise self._database.away(error) from error

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Any]:
        async with asyncio.timeout(database.TRANSACTION_SECONDS), self._database.connect() as connection:
            found: Any = (await connection.get_raw_connection()).driver_connection
            try:
                yield found
            except BaseException as error:
                if _is_said(error) and not found.is_closed():
                    if found.is_in_transaction():
                        await found.execute("ROLLBACK")
                else:
                    await connection.invalidate()  # in the middle of something: rolling back might never be answered
                raise

    def _late(self) -> str:
        return f"{self._database.name} did not answer within {database.TRANSACTION_SECONDS:g} s"


class PostgresqlStatements(Statements):
    """Of a PostgreSQL."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._driver = Driver(database)

    async def append(self, frames: Sequence[Frame], logs: Mapping[Log, Sequence[int]]) -> dict[Log, int]:
        few = len(frames) <= FEW
        work = functools.partial(self._append_few if few else self._append_many, frames, logs)
        return await self._driver.write(work, alone=few)

    async def settle(
        self,
        own: Mapping[str, str],
        member: str,
        epochs: Mapping[int, int],
        moves: Sequence[Move],
        changes: Changes,
        *,
        sure: bool = False,
    ) -> set[int]:
        if changes or sure or not all(one.known for one in moves):
            return await super().settle(own, member, epochs, moves, changes)
        lists = [list(epochs), list(epochs.values()), *_columns(moves, 3)]

        async def work(connection: Any) -> set[int]:
            return {row[0] for row in await connection.fetch(_MOVE, own["topic"], own["grp"], member, *lists)}

        return await self._driver.write(work, alone=True)

    # -- inside ------------------------------------------------------------------------------------------

    async def _append_few(
        self, frames: Sequence[Frame], logs: Mapping[Log, Sequence[int]], connection: Any
    ) -> dict[Log, int]:
        rows = [
            (*log, len(places) - offset, *_content(frames[place]))
            for log, places in logs.items()
            for offset, place in enumerate(places)
        ]
        moved = await connection.fetch(_APPEND, *_taken(frames, logs), int(time.time() * 1000), *_columns(rows, 11))
        return _starts(moved, logs)

    async def _append_many(
        self, frames: Sequence[Frame], logs: Mapping[Log, Sequence[int]], connection: Any
    ) -> dict[Log, int]:
        starts = _starts(await connection.fetch(_POSITIONS, *_taken(frames, logs)), logs)
        now = int(time.time() * 1000)
        records: list[tuple[Any, ...]] = []
        for log, places in logs.items():
            start = starts[log]
            for offset, place in enumerate(places):
                *said, headers, body = _content(frames[place])
                records.append((*log, start + offset, *said, now, headers, body))
        await connection.copy_records_to_table("mf_message", records=records, columns=_WRITTEN_ALL)
        return starts

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[Any]:
        async with self._driver.reading() as connection:
            yield connection

    async def _ends(self, connection: Any, topic: str, queues: Collection[int]) -> Sequence[End]:
        return await connection.fetch(_ENDS, topic, list(queues))

    async def _sizes(self, connection: Any, topic: str, spans: Sequence[Span]) -> Sequence[tuple[int, int, int, int]]:
        return await connection.fetch(_SIZES, topic, *_columns(spans, 4))

    async def _bodies(self, connection: Any, topic: str, spans: Sequence[Span]) -> Sequence[Row]:
        return await connection.fetch(_BODIES, topic, *_columns(spans, 4))


def _content(frame: Frame) -> tuple[Any, ...]:
    return (frame.id, frame.tag, frame.key, frame.deliver_at, frame.expires_at, packed(frame), frame.body)


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    return [[row[number] for row in rows] for number in range(count)]


def _taken(frames: Sequence[Frame], logs: Mapping[Log, Sequence[int]]) -> list[list[Any]]:
    rows = [(*one, len(logs[one]), max(len(frames[place].body) for place in logs[one])) for one in sorted(logs)]
    return _columns(rows, 5)


def _starts(moved: Sequence[Sequence[Any]], logs: Mapping[Log, Sequence[int]]) -> dict[Log, int]:
    ends = {(topic, queue, priority): end for topic, queue, priority, end in moved}
    return {log: ends[log] - len(places) for log, places in logs.items()}


def _is_said(error: BaseException) -> bool:
    """Say whether the database itself refused, so that nothing was done and the connection is as before."""
    original: Any = getattr(error, "orig", None) or error
    state = str(getattr(original, "sqlstate", None) or "08")
    return not state.startswith("08") and state not in {"57P01", "57P02", "57P03"}
