"""Tables of a database that is a broker.

A topic has queues, and each queue a log for every priority that was sent to it. A row of `mf_log` holds the next position of a
log; who sends takes positions by updating it in the transaction that writes the messages. So the order of positions is the
order of commits on every database, and a reader that has seen a position has seen all before it.

A group owns queues by leases on the database's clock, each with an epoch that rises with every change of hands, and keeps one
offset for each log. What cannot be finished in the order of the log (late, tried again, waiting behind a key that is tried
again) is noted in `mf_held`, in the transaction that moves the offset past it; the message itself stays where it is.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGBLOB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import expression

metadata = sa.MetaData()

NAME = sa.String(100)
_BIG = sa.BigInteger
BYTES = sa.LargeBinary().with_variant(LONGBLOB, "mysql", "mariadb")
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.String(255).with_variant(sa.String(255, collation="utf8mb4_bin"), "mysql", "mariadb")

topics = sa.Table("mf_topic", metadata, sa.Column("name", NAME, primary_key=True), sa.Column("queues", sa.Integer))

groups = sa.Table(
    "mf_group",
    metadata,
    sa.Column("topic", NAME, primary_key=True),
    sa.Column("grp", NAME, primary_key=True),
)

logs = sa.Table(
    "mf_log",
    metadata,
    sa.Column("topic", NAME, primary_key=True),
    sa.Column("queue", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("priority", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tail", _BIG, nullable=False),
    sa.Column("largest", _BIG, nullable=False),
)
"""`largest` is the longest body that was ever written: a reader whose bytes suffice for so many of these needs ask for no sizes."""

messages = sa.Table(
    "mf_message",
    metadata,
    sa.Column("topic", NAME, primary_key=True),
    sa.Column("queue", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("priority", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", _BIG, primary_key=True, autoincrement=False),
    sa.Column("id", sa.String(64), nullable=False),
    sa.Column("tag", TEXT, nullable=False),
    sa.Column("k", TEXT, nullable=False),
    sa.Column("deliver_at", _BIG, nullable=False),
    sa.Column("expires_at", _BIG, nullable=False),
    sa.Column("stored_at", _BIG, nullable=False),
    sa.Column("headers", BYTES, nullable=False),
    sa.Column("body", BYTES, nullable=False),
    # what is taken back is what is late: where a database has partial indexes, nothing else pays for that
    sa.Index(
        "ix_mf_message_id",
        "topic",
        "id",
        postgresql_where=sa.text("deliver_at > 0"),
        sqlite_where=sa.text("deliver_at > 0"),
    ),
)

cursors = sa.Table(
    "mf_cursor",
    metadata,
    sa.Column("topic", NAME, primary_key=True),
    sa.Column("grp", NAME, primary_key=True),
    sa.Column("queue", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("member", TEXT, nullable=False),
    sa.Column("until", _BIG, nullable=False),
    sa.Column("epoch", _BIG, nullable=False),
)

offsets = sa.Table(
    "mf_offset",
    metadata,
    sa.Column("topic", NAME, primary_key=True),
    sa.Column("grp", NAME, primary_key=True),
    sa.Column("queue", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("priority", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", _BIG, nullable=False),
)

held = sa.Table(
    "mf_held",
    metadata,
    sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
    sa.Column("topic", NAME, nullable=False),
    sa.Column("grp", NAME, nullable=False),
    sa.Column("queue", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("position", _BIG, nullable=False),
    sa.Column("k", TEXT, nullable=False),
    sa.Column("due", _BIG, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.UniqueConstraint("topic", "grp", "queue", "priority", "position", name="uq_mf_held"),
    sa.Index("ix_mf_held_due", "topic", "grp", "queue", "due"),
    sa.Index("ix_mf_held_key", "topic", "grp", "queue", "k", "position"),
)

HELD_IS = sa.and_(*(messages.c[name] == held.c[name] for name in ("topic", "queue", "priority", "position")))
"""A row of `mf_held` and the message that it stands for."""

members = sa.Table(
    "mf_member",
    metadata,
    sa.Column("topic", NAME, primary_key=True),
    sa.Column("grp", NAME, primary_key=True),
    sa.Column("member", TEXT, primary_key=True),
    sa.Column("until", _BIG, nullable=False),
    sa.Column("queues", sa.Text, nullable=False),
)


class Now(expression.FunctionElement[int]):
    """The database's clock, in milliseconds since 1970: leases go by no other."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(Now, "sqlite")
def _sqlite(_element: Now, _compiler: Any, **_more: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@compiles(Now, "postgresql")
def _postgresql(_element: Now, _compiler: Any, **_more: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(Now, "mysql")
@compiles(Now, "mariadb")
def _mysql(_element: Now, _compiler: Any, **_more: Any) -> str:
    return "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)"


async def now(connection: AsyncConnection) -> int:
    """Ask the database what time it is, in milliseconds since 1970."""
    return int((await connection.execute(sa.select(Now()))).scalar_one())
