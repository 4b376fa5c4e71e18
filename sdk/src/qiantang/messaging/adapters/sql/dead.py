"""Dead: dead letters in a table, and what was done with them in another.

What people look for stands in columns; `data` holds the rest, and what may be large stands apart, so that a list reads none of it.
Who does something with a letter claims its row for a while, by the database's clock.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import refusing, sweeping, tables
from qiantang.messaging.adapters.sql.database import AgainError, Database, is_duplicate
from qiantang.messaging.errors import BrokerAwayError, DeadLetterBusyError, DeadLetterGoneError, StoreRefusedError
from qiantang.messaging.model import DeadAction, DeadCause, DeadLetter, Frame
from qiantang.messaging.port import DeadQuery

_encoder = msgspec.msgpack.Encoder()
_read_letter = msgspec.msgpack.Decoder(DeadLetter)
_read_action = msgspec.msgpack.Decoder(DeadAction)
_read_frames = msgspec.msgpack.Decoder(tuple[Frame | None, Frame | None])


def _table(name: str, *columns: sa.Column[Any] | sa.Index) -> sa.Table:
    """Make a table of letters; its numbers are never used twice, whatever is removed."""
    return sa.Table(
        name,
        tables.metadata,
        sa.Column("number", tables.NUMBER, primary_key=True, autoincrement=True),
        sa.Column("topic", tables.NAME, nullable=False),
        sa.Column("grp", tables.NAME, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("data", tables.BYTES, nullable=False),
        sa.Column("frames", tables.BYTES, nullable=False),
        *columns,
        sa.Index(f"ix_{name}_topic", "topic", "number"),
        sa.Index(f"ix_{name}_grp", "grp", "number"),
        sa.Index(f"ix_{name}_fingerprint", "fingerprint", "number"),
        sqlite_autoincrement=True,
    )


letters = _table(
    "mf_dead",
    sa.Column("mark", sa.String(32), nullable=False, unique=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("kept_at", sa.BigInteger, nullable=False),
    sa.Column("claim", sa.String(64), nullable=False),
    sa.Column("claimed_until", sa.BigInteger, nullable=False),
    sa.Index("ix_mf_dead_kept_at", "kept_at"),
)
actions = _table(
    "mf_dead_history",
    sa.Column("mark", sa.String(32), nullable=False, index=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("what", sa.String(8), nullable=False),
    sa.Index("ix_mf_dead_history_at", "at"),
)
_l, _a = letters.c, actions.c


class DeadTable:
    """See the port; of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = sweeping.Turn()

    async def keep(
        self, kept: Sequence[DeadLetter], keep_seconds: float, history_seconds: float
    ) -> dict[int, StoreRefusedError]:
        marks = [one.mark for one in kept]
        rows, refused = _rows(marks, kept)
        refused |= await self._keep(rows)
        if self._turn.comes():
            await sweeping.older(self._database, _l.number, _l.kept_at, keep_seconds)
            await sweeping.older(self._database, _a.number, _a.at, history_seconds)
        return {place: refused[mark] for place, mark in enumerate(marks) if mark in refused}

    async def _keep(self, rows: Mapping[str, Any]) -> dict[str, StoreRefusedError]:
        """Keep rows; give those that the database does not take, which are looked for by halves."""
        if not rows:
            return {}
        try:
            await self._insert(rows)
        except BrokerAwayError as error:
            why = await refusing.why(self._database, error, rows.values())
            if why is None:
                raise
        else:
            return {}
        marks, half = list(rows), (len(rows) + 1) // 2
        if len(rows) == 1:
            return {marks[0]: why}
        parts = [{mark: rows[mark] for mark in some} for some in (marks[:half], marks[half:])]
        return {**await self._keep(parts[0]), **await self._keep(parts[1])}

    async def _insert(self, rows: Mapping[str, Any]) -> None:
        async def work(connection: AsyncConnection) -> None:
            known: set[str] = set()
            for table in (letters, actions):
                marks = sa.select(table.c.mark).where(table.c.mark.in_(list(rows)))
                known |= {row.mark for row in await connection.execute(marks)}
            fresh = [row for mark, row in rows.items() if mark not in known]
            try:
                if fresh:
                    await connection.execute(sa.insert(letters), fresh)
            except exc.IntegrityError as error:
                if is_duplicate(error):  # another process keeps one of them as well: then it is known
                    raise AgainError from error
                raise

        await self._database.write(work)

    async def find(self, query: DeadQuery) -> list[DeadLetter]:
        rows = await self._read(_asked(sa.select(_l.number, _l.data), letters, query))
        return [msgspec.structs.replace(_read_letter.decode(row.data), number=row.number) for row in rows]

    async def causes(self, query: DeadQuery) -> list[DeadCause]:
        newest = sa.func.max(_l.number).label("newest")
        grouped = (
            sa.select(
                newest,
                sa.func.count().label("letters"),
                sa.func.min(_l.at).label("first"),
                sa.func.max(_l.at).label("last"),
            )
            .where(*_fitting(letters, query))
            .group_by(_l.fingerprint)
            .order_by(newest.desc())
            .limit(query.count)
        )
        if query.before:
            grouped = grouped.having(newest < query.before)
        some = grouped.subquery()
        rows = await self._read(
            sa.select(some, _l.fingerprint, _l.topic, _l.grp, _l.error)
            .join(letters, _l.number == some.c.newest)
            .order_by(some.c.newest.desc())
        )
        return [
            DeadCause(
                fingerprint=row.fingerprint,
                topic=row.topic,
                group=row.grp,
                count=row.letters,
                first=row.first / 1000,
                last=row.last / 1000,
                newest=row.newest,
                error=row.error,
            )
            for row in rows
        ]

    async def get(self, number: int) -> DeadLetter | None:
        rows = await self._read(sa.select(_l.number, _l.data, _l.frames).where(_l.number == number))
        return _letter(rows[0]) if rows else None

    async def claim(self, number: int, claim: str, seconds: float) -> DeadLetter:
        async def work(connection: AsyncConnection) -> Any:
            now = await tables.now(connection)
            until = now + int(seconds * 1000)
            free = sa.or_(_l.claimed_until <= now, _l.claim == claim)
            claimed = sa.update(letters).where(_l.number == number, free).values(claim=claim, claimed_until=until)
            if not (await connection.execute(claimed)).rowcount:
                return None
            found = await connection.execute(sa.select(_l.number, _l.data, _l.frames).where(_l.number == number))
            return found.one()

        row = await self._database.write(work)
        if row is not None:
            return _letter(row)
        if await self._read(sa.select(_l.number).where(_l.number == number)):
            raise DeadLetterBusyError(f"somebody else is sending or deleting dead letter {number} just now")
        raise DeadLetterGoneError(f"there is no dead letter {number}: it was sent again or deleted, or was too old")

    async def release(self, number: int, claim: str) -> None:
        async def work(connection: AsyncConnection) -> None:
            mine = sa.update(letters).where(_l.number == number, _l.claim == claim)
            await connection.execute(mine.values(claim="", claimed_until=0))

        await self._database.write(work)

    async def finish(self, action: DeadAction) -> None:
        row = _done(action)
        try:
            await self._move(action.letter, row)
        except BrokerAwayError as error:
            if action.sent is None or await refusing.why(self._database, error, [row]) is None:
                raise
            # it holds the message twice: once is better than a letter that stays, and is sent again
            await self._move(action.letter, _done(msgspec.structs.replace(action, sent=None)))

    async def _move(self, letter: DeadLetter, row: Mapping[str, Any]) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.delete(letters).where(_l.number == letter.number))
            same = sa.select(_a.number).where(_a.mark == row["mark"], _a.at == row["at"], _a.what == row["what"])
            if (await connection.execute(same)).first() is None:
                await connection.execute(sa.insert(actions), row)

        await self._database.write(work)

    async def history(self, query: DeadQuery) -> list[DeadAction]:
        rows = await self._read(_asked(sa.select(_a.number, _a.data), actions, query))
        return [msgspec.structs.replace(_read_action.decode(row.data), number=row.number) for row in rows]

    async def done(self, number: int) -> DeadAction | None:
        rows = await self._read(sa.select(_a.number, _a.data, _a.frames).where(_a.number == number))
        if not rows:
            return None
        action = _read_action.decode(rows[0].data)
        frame, sent = _read_frames.decode(rows[0].frames)
        letter = msgspec.structs.replace(action.letter, frame=frame)
        return msgspec.structs.replace(action, number=rows[0].number, letter=letter, sent=sent)

    async def _read(self, query: Any) -> Sequence[Any]:
        async with self._database.reading() as connection:
            return (await connection.execute(query)).all()


def _fitting(table: sa.Table, query: DeadQuery) -> list[sa.ColumnElement[bool]]:
    named = {"topic": query.topic, "grp": query.group, "fingerprint": query.fingerprint}
    fitting = [table.c[column] == value for column, value in named.items() if value]
    if query.words:
        fitting.append(table.c.error.icontains(query.words, autoescape=True))
    return fitting


def _asked(chosen: Any, table: sa.Table, query: DeadQuery) -> Any:
    found = chosen.where(*_fitting(table, query)).order_by(table.c.number.desc()).limit(query.count)
    return found.where(table.c.number < query.before) if query.before else found


def _columns(letter: DeadLetter) -> dict[str, Any]:
    return {
        "topic": letter.topic[:100],
        "grp": letter.group[:100],
        "id": letter.id[:64],
        "fingerprint": letter.fingerprint,
        "error": letter.error,
        "mark": letter.mark,
    }


def _done(action: DeadAction) -> dict[str, Any]:
    letter = action.letter
    bare = msgspec.structs.replace(action, letter=msgspec.structs.replace(letter, frame=None), sent=None)
    return {
        **_columns(letter),
        "at": int(action.at * 1000),
        "what": action.what,
        "data": _encoder.encode(bare),
        "frames": _encoder.encode((letter.frame, action.sent)),
    }


def _row(letter: DeadLetter) -> dict[str, Any]:
    return {
        **_columns(letter),
        "at": int(letter.at * 1000),
        "kept_at": int(time.time() * 1000),
        "claim": "",
        "claimed_until": 0,
        "data": _encoder.encode(msgspec.structs.replace(letter, frame=None)),
        "frames": _encoder.encode((letter.frame, None)),
    }


def _rows(
    marks: Sequence[str], kept: Sequence[DeadLetter]
) -> tuple[dict[str, dict[str, Any]], dict[str, StoreRefusedError]]:
    """Give rows by their marks, and of which letters none can be made."""
    rows: dict[str, dict[str, Any]] = {}
    refused: dict[str, StoreRefusedError] = {}
    for mark, one in zip(marks, kept, strict=True):
        try:
            rows[mark] = _row(one)
        except UnicodeEncodeError as error:
            refused[mark] = StoreRefusedError(f"the message cannot be written down: {error}")
    return rows, refused


def _letter(row: Any) -> DeadLetter:
    frame, _ = _read_frames.decode(row.frames)
    return msgspec.structs.replace(_read_letter.decode(row.data), number=row.number, frame=frame)
