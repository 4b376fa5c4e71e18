"""Rows of the audit trail: the records, and one head per chain that knows where it ends and where it
begins.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from qiantang_server.kernel import storage

heads = sa.Table(
    "audit_head",
    storage.metadata,
    storage.name_column("chain", primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("at", storage.Millis, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("anchor_seq", sa.BigInteger, nullable=False),
    sa.Column("anchor_hash", sa.String(64), nullable=False),
)

records = sa.Table(
    "audit_record",
    storage.metadata,
    storage.name_column("chain", primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", storage.Millis, nullable=False),
    sa.Column("actor_kind", sa.String(16), nullable=False),
    sa.Column("actor_id", sa.String(64), nullable=False),
    sa.Column("actor_name", sa.String(128), nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("session", sa.String(64), nullable=False),
    sa.Column("action", sa.String(128), nullable=False),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("environment", sa.String(64), nullable=False),
    sa.Column("center", sa.String(64), nullable=False),
    sa.Column("application", sa.String(64), nullable=False),
    sa.Column("resource", sa.String(256), nullable=False),
    sa.Column("outcome", sa.String(8), nullable=False),
    sa.Column("reason", storage.Text, nullable=False),
    sa.Column("changes", storage.Text, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False),
    sa.Column("trace_id", sa.String(64), nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Index("ix_audit_record_chain_at", "chain", "at"),
    sa.Index("ix_audit_record_chain_actor_id_seq", "chain", "actor_id", "seq"),
    sa.Index("ix_audit_record_chain_resource_seq", "chain", "resource", "seq"),
)

Row = sa.Row[Any]
Values = dict[str, Any]

# what every recorded write runs is made once: building a statement costs more than running it
_LOCK_HEAD = (
    sa.select(heads, storage.now().label("clock")).where(heads.c.chain == sa.bindparam("of_chain")).with_for_update()
)
_APPEND = sa.insert(records)
_MOVE_HEAD = (
    sa.update(heads)
    .where(heads.c.chain == sa.bindparam("of_chain"))
    .values(seq=sa.bindparam("to_seq"), at=sa.bindparam("to_at"), hash=sa.bindparam("to_hash"))
)


def _values(rows: Sequence[Row]) -> list[Values]:
    return [dict(zip(records.c.keys(), row, strict=True)) for row in rows]


async def lock_head(session: storage.Session, chain: str) -> tuple[Row, int] | None:
    """Give a chain's head, locked until the transaction ends, and the database's clock; None where there is
    none yet.
    """
    row = await session.first(_LOCK_HEAD, {"of_chain": chain})
    return None if row is None else (row, int(row.clock))


async def create_head(session: storage.Session, chain: str, start: str) -> None:
    """Begin a chain, where nobody else did meanwhile."""
    empty = {"chain": chain, "seq": 0, "at": 0, "hash": start, "anchor_seq": 0, "anchor_hash": start}
    await session.insert_new(heads, [empty])


async def append(session: storage.Session, values: Mapping[str, Any]) -> None:
    """Write one record and move the head, which the caller has locked, to it."""
    await session.execute(_APPEND, values)
    await session.execute(
        _MOVE_HEAD,
        {"of_chain": values["chain"], "to_seq": values["seq"], "to_at": values["at"], "to_hash": values["hash"]},
    )


async def find_head(session: storage.Session, chain: str) -> Row | None:
    """Give a chain's head as it is committed."""
    return await session.first(sa.select(heads).where(heads.c.chain == chain))


async def last_seq(session: storage.Session, chain: str) -> int:
    """Give the highest number that any record of a chain has; 0 for none."""
    return int(await session.scalar(sa.select(sa.func.max(records.c.seq)).where(records.c.chain == chain)) or 0)


async def read_after(session: storage.Session, chain: str, seq: int, limit: int) -> list[Values]:
    """Give the next records of a chain in its order."""
    newer = sa.select(records).where(records.c.chain == chain, records.c.seq > seq)
    return _values(await session.all(newer.order_by(records.c.seq).limit(limit)))


async def read_timeline(
    session: storage.Session, chain: str, conditions: Sequence[sa.ColumnElement[bool]], limit: int
) -> list[Values]:
    """Give a chain's records that meet the conditions, newest first."""
    wanted = sa.select(records).where(records.c.chain == chain, *conditions)
    return _values(await session.all(wanted.order_by(records.c.seq.desc()).limit(limit)))


async def read_ends(session: storage.Session, chains: Collection[str] | None) -> Sequence[Row]:
    """Give how far chains are, `None` for all of them, with the moment of the last record and the database's clock."""
    wanted = sa.select(heads.c.chain, heads.c.seq, heads.c.at, storage.now().label("clock"))
    return await session.all(wanted if chains is None else wanted.where(heads.c.chain.in_(sorted(chains))))


class Part(NamedTuple):
    """The records of a chain after a number until another, not older than a moment."""

    chain: str
    after: int
    until: int
    since: int


async def read_deeds(session: storage.Session, parts: Sequence[Part]) -> Sequence[Row]:
    """Give what was done, where and by whom in parts of chains, each once and in no order; refusals are none."""
    r = records.c
    within = (
        sa.and_(r.chain == part.chain, r.seq > part.after, r.seq <= part.until, r.at >= part.since) for part in parts
    )
    wanted = sa.select(r.action, r.tenant, r.environment, r.center, r.application, r.actor_id)
    return await session.all(wanted.where(sa.or_(sa.false(), *within), r.outcome == "allow").distinct())


async def seq_before(session: storage.Session, chain: str, moment: int) -> int:
    """Give the number of the newest record older than a moment; 0 for none."""
    return int(
        await session.scalar(
            sa.select(sa.func.max(records.c.seq)).where(records.c.chain == chain, records.c.at < moment)
        )
        or 0
    )


async def hash_at(session: storage.Session, chain: str, seq: int) -> str | None:
    """Give the hash of one record."""
    return await session.scalar(sa.select(records.c.hash).where(records.c.chain == chain, records.c.seq == seq))


async def drop_until(session: storage.Session, chain: str, seq: int, anchor: str) -> int:
    """Remove the records up to a number and keep its hash as the chain's beginning."""
    await session.execute(sa.update(heads).where(heads.c.chain == chain).values(anchor_seq=seq, anchor_hash=anchor))
    return await session.execute(sa.delete(records).where(records.c.chain == chain, records.c.seq <= seq))
