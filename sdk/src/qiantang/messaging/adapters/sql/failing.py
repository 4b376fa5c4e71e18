"""Failing: failed sends and handlings in a table, for those who look for them later."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from qiantang.messaging.adapters.sql import sweeping, tables
from qiantang.messaging.adapters.sql.database import Database
from qiantang.messaging.model import Failure

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Failure)

failures = sa.Table(
    "mf_failure",
    tables.metadata,
    sa.Column("number", tables.NUMBER, primary_key=True, autoincrement=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("topic", tables.NAME, nullable=False),
    sa.Column("grp", tables.NAME, nullable=False),
    sa.Column("id", sa.String(64), nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("data", tables.BYTES, nullable=False),
    sa.Index("ix_mf_failure_topic", "topic", "number"),
    sa.Index("ix_mf_failure_at", "at"),
)
"""What people look at stands in columns; `data` holds all of it."""
_f = failures.c


class FailureTable:
    """Of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = sweeping.Turn()

    async def note(self, noted: Sequence[Failure], keep_seconds: float) -> None:
        """See the port."""
        rows = [_row(one) for one in noted]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.insert(failures), rows)

        if rows:
            await self._database.write(work)
        if self._turn.comes():
            await sweeping.older(self._database, _f.number, _f.at, keep_seconds)

    async def find(self, *, topic: str, kind: str, before: int, count: int) -> list[Failure]:
        """See the port."""
        query = sa.select(_f.number, _f.data).order_by(_f.number.desc()).limit(count)
        if topic:
            query = query.where(_f.topic == topic)
        if kind:
            query = query.where(_f.kind == kind)
        if before:
            query = query.where(_f.number < before)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [msgspec.structs.replace(_decoder.decode(row.data), number=row.number) for row in rows]


def _row(one: Failure) -> dict[str, object]:
    return {
        "at": int(one.at * 1000),
        "kind": one.kind,
        "topic": one.topic[:100],
        "grp": one.group[:100],
        "id": one.id[:64],
        "error": one.error,
        "data": _encoder.encode(one),
    }
