"""Rows of running instances: where each is connected, and what it holds of each bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from qiantang.kernel import resource, scope
from qiantang_server.kernel import storage

KEY_LENGTH = 32
ALIVE_MS = 90_000
PLACE = ("tenant", "environment", "center", "application")

instances = sa.Table(
    "instance",
    storage.metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    storage.name_column("tenant"),
    storage.name_column("environment"),
    storage.name_column("center"),
    storage.name_column("application"),
    storage.name_column("name", 128),
    storage.name_column("cluster"),
    sa.Column("labels", storage.Text, nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("process", sa.BigInteger, nullable=False),
    sa.Column("version", sa.String(64), nullable=False),
    sa.Column("node", sa.String(128), nullable=False),
    sa.Column("connected", sa.Boolean, nullable=False),
    sa.Column("connected_at", storage.Millis, nullable=False),
    sa.Column("seen_at", storage.Millis, nullable=False),
    sa.Index("ix_instance_place", "tenant", "environment", "center", "application", "name"),
    sa.Index("ix_instance_seen_at", "seen_at"),
)

held = sa.Table(
    "instance_held",
    storage.metadata,
    sa.Column("instance", sa.String(32), primary_key=True),
    sa.Column("bundle_id", sa.String(32), primary_key=True),
    sa.Column("bundle", sa.String(400), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("gray", sa.String(32), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("error", storage.Text, nullable=False),
    sa.Column("took_ms", sa.Float, nullable=False),
    sa.Column("applied_at", storage.Millis, nullable=False),
    sa.Index("ix_instance_held_bundle_id", "bundle_id"),
    sa.Index("ix_instance_held_status", "status"),
)


def instance_id(place: scope.Scope, instance: scope.Instance) -> str:
    """Give the key of an instance's row: processes of one program that share a name (forked workers) have rows of their own."""
    told = f"{place}\0{instance.name}\0{instance.host}\0{instance.process}"
    return hashlib.sha256(told.encode()).hexdigest()[:KEY_LENGTH]


def bundle_id(bundle: resource.Bundle) -> str:
    """Give the key that a bundle has in rows of what is held."""
    return hashlib.sha256(str(bundle).encode()).hexdigest()[:32]


def alive(at: int) -> sa.ColumnElement[bool]:
    """Give the condition under which an instance lives at a moment."""
    return sa.and_(instances.c.connected, instances.c.seen_at > at - ALIVE_MS)


def own_bundle(capability: str | sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Give the condition under which what is held is the bundle of the instance's own application, not one that it links to."""
    place = instances.c
    return held.c.bundle == (
        place.tenant + "/" + place.environment + "/" + place.center + "/" + place.application + ":" + capability
    )


def of_application(place: scope.Scope) -> list[sa.ColumnElement[bool]]:
    """Give the conditions under which an instance is of an application."""
    return [instances.c[part] == getattr(place, part) for part in PLACE]


class Living(NamedTuple):
    """The living instances of an application with what each holds of a bundle, null where it said nothing of it."""

    rows: sa.Join
    conditions: Sequence[sa.ColumnElement[bool]]


def living(bundle: resource.Bundle, at: int) -> Living:
    """Give where the living instances of a bundle's application are found with what they hold of it."""
    return Living(_with_held(bundle), [*of_application(bundle.scope), alive(at)])


def _with_held(bundle: resource.Bundle) -> sa.Join:
    of_it = sa.and_(held.c.instance == instances.c.id, held.c.bundle_id == bundle_id(bundle))
    return sa.outerjoin(instances, held, of_it)


async def save_instances(session: storage.Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write instances over what was known of them."""
    await session.upsert(
        instances,
        rows,
        ["cluster", "labels", "host", "process", "version", "node", "connected", "connected_at", "seen_at"],
    )


async def save_held(session: storage.Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what instances hold over what they held."""
    columns = ["epoch", "revision", "digest", "gray", "status", "error", "took_ms", "applied_at"]
    await session.upsert(held, rows, columns)


async def succeed(session: storage.Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Forget processes that have gone and whose name a new process has taken over on the same host."""
    arrived: dict[tuple[str, ...], set[tuple[str, str]]] = {}
    for row in rows:
        place = tuple(str(row[part]) for part in PLACE)
        arrived.setdefault(place, set()).add((row["name"], row["host"]))
    gone: list[str] = []
    for place, names in arrived.items():
        gone += await _gone(session, place, names)
    for start in range(0, len(gone), 500):
        some = gone[start : start + 500]
        await session.execute(sa.delete(held).where(held.c.instance.in_(some)))
        await session.execute(sa.delete(instances).where(instances.c.id.in_(some)))


async def _gone(session: storage.Session, place: tuple[str, ...], names: set[tuple[str, str]]) -> list[str]:
    """Give the keys of an application's disconnected instances with these names and hosts: many arrive at once."""
    here = [instances.c[part] == value for part, value in zip(PLACE, place, strict=True)]
    wanted = sorted({name for name, _host in names})
    found: list[str] = []
    for start in range(0, len(wanted), 500):
        statement = sa.select(instances.c.id, instances.c.name, instances.c.host).where(
            *here, instances.c.name.in_(wanted[start : start + 500]), instances.c.connected.is_(False)
        )
        found += [row.id for row in await session.all(statement) if (row.name, row.host) in names]
    return found


async def touch(session: storage.Session, keys: Sequence[str], node: str, at: int) -> None:
    """Say that instances connected to this node still live."""
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        await session.execute(
            sa.update(instances).where(instances.c.id.in_(some), instances.c.node == node).values(seen_at=at)
        )


async def leave(session: storage.Session, keys: Sequence[str], node: str, at: int) -> None:
    """Say that instances closed their stream to this node; one that moved to another node is left alone."""
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        await session.execute(
            sa.update(instances)
            .where(instances.c.id.in_(some), instances.c.node == node)
            .values(connected=False, seen_at=at)
        )


async def list_instances(
    session: storage.Session,
    bundle: resource.Bundle,
    conditions: Sequence[sa.ColumnElement[bool]] = (),
    *,
    after: str,
    limit: int,
) -> Sequence[sa.Row[Any]]:
    """Give instances of the bundle's application with what they hold of it, in order of name; `after` is what `cursor` gave."""
    columns = [column for column in held.c if column.name not in {"instance", "bundle_id", "bundle"}]
    statement = (
        sa.select(instances, *columns)
        .select_from(_with_held(bundle))
        .where(
            *of_application(bundle.scope),
            *conditions,
            sa.tuple_(instances.c.name, instances.c.id) > sa.tuple_(after[KEY_LENGTH:], after[:KEY_LENGTH]),
        )
        .order_by(instances.c.name, instances.c.id)
        .limit(limit)
    )
    return await session.all(statement)


def cursor(row: sa.Row[Any]) -> str:
    """Give where a page that ends with this row goes on."""
    return f"{row.id}{row.name}"


async def forget(session: storage.Session, before: int, limit: int = 5000) -> int:
    """Delete instances that were last seen before a moment, and what they held; give how many.

    What was held by an instance that never opened a stream goes as well.
    """
    known = sa.select(instances.c.id)
    await session.execute(sa.delete(held).where(held.c.applied_at < before, held.c.instance.not_in(known)))
    gone = [
        row.id for row in await session.all(sa.select(instances.c.id).where(instances.c.seen_at < before).limit(limit))
    ]
    for start in range(0, len(gone), 500):
        some = gone[start : start + 500]
        await session.execute(sa.delete(held).where(held.c.instance.in_(some)))
        await session.execute(sa.delete(instances).where(instances.c.id.in_(some)))
    return len(gone)
