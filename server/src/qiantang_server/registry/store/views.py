"""Rows as people see them: microservices with counts, nodes with what is laid over them, and the overrides themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Columns
from qiantang_server.kernel.storage.words import holding
from qiantang_server.registry.store.nodes import of
from qiantang_server.registry.store.tables import (
    Place,
    definitions,
    microservices,
    nodes,
    overrides,
    sessions,
)

Row = sa.Row[Any]
COLUMNS = Columns(microservices.c.tenant, microservices.c.environment, microservices.c.center, microservices.c.name)
"""Where a microservice says what it belongs to, for `access.visible`."""
_JOINED = sa.and_(
    overrides.c.tenant == nodes.c.tenant,
    overrides.c.environment == nodes.c.environment,
    overrides.c.microservice == nodes.c.microservice,
    overrides.c.node == nodes.c.name,
)
_STATE = sa.case((sa.func.coalesce(overrides.c.state, "") != "", overrides.c.state), else_=nodes.c.state)


async def list_microservices(
    session: storage.Session, place: Place, visible: sa.ColumnElement[bool], *, words: str, after: str, limit: int
) -> Sequence[Row]:
    """Give microservices in order of name."""
    at = microservices.c
    found = [holding(words, at.name)] if words else []
    return await session.all(
        sa.select(at.name, at.center, at.changed_at)
        .where(at.tenant == place.tenant, at.environment == place.environment, at.name > after, visible, *found)
        .order_by(at.name)
        .limit(limit)
    )


async def count_nodes(session: storage.Session, place: Place, names: Sequence[str]) -> Sequence[Row]:
    """Count the nodes of microservices by state as callers see them, and of each how many have an override."""
    return await session.all(
        sa.select(
            nodes.c.microservice,
            _STATE.label("state"),
            sa.func.count().label("number"),
            sa.func.count(overrides.c.node).label("overridden"),
        )
        .select_from(nodes.outerjoin(overrides, _JOINED))
        .where(
            nodes.c.tenant == place.tenant, nodes.c.environment == place.environment, nodes.c.microservice.in_(names)
        )
        .group_by(nodes.c.microservice, _STATE)
    )


async def count_definitions(session: storage.Session, place: Place, names: Sequence[str]) -> dict[str, int]:
    """Count of how many services microservices have published what they offer."""
    at = definitions.c
    rows = await session.all(
        sa.select(at.microservice, sa.func.count().label("number"))
        .where(at.tenant == place.tenant, at.environment == place.environment, at.microservice.in_(names))
        .group_by(at.microservice)
    )
    return {row.microservice: int(row.number) for row in rows}


async def list_nodes(
    session: storage.Session, place: Place, microservice: str, *, name: str = "", after: str = "", limit: int
) -> Sequence[Row]:
    """Give the nodes that are there or have an override, in order of name; or the one named."""
    known = sa.union(
        sa.select(nodes.c.name.label("name")).where(*of(nodes, place, microservice)),
        sa.select(overrides.c.node.label("name")).where(*of(overrides, place, microservice)),
    ).subquery()
    joined = (
        known.outerjoin(nodes, sa.and_(nodes.c.name == known.c.name, *of(nodes, place, microservice)))
        .outerjoin(overrides, sa.and_(overrides.c.node == known.c.name, *of(overrides, place, microservice)))
        .outerjoin(sessions, sessions.c.id == nodes.c.session)
    )
    return await session.all(
        sa.select(
            known.c.name,
            nodes.c.body,
            nodes.c.registered_at,
            overrides.c.state.label("laid_state"),
            overrides.c.weight.label("laid_weight"),
            overrides.c.reason,
            overrides.c.set_by,
            overrides.c.set_at,
            sessions.c.center,
            sessions.c.application,
            (storage.now() - sessions.c.opened_at).label("session_age"),
        )
        .select_from(joined)
        .where(known.c.name == name if name else known.c.name > after)
        .order_by(known.c.name)
        .limit(limit)
    )


async def list_definitions(
    session: storage.Session, place: Place, microservice: str, after: str, limit: int
) -> Sequence[Row]:
    """Give what services offer, without the documents."""
    at = definitions.c
    return await session.all(
        sa.select(at.service, at.digest, at.size, at.published_at)
        .where(*of(definitions, place, microservice), at.service > after)
        .order_by(at.service)
        .limit(limit)
    )


async def find_override(session: storage.Session, place: Place, microservice: str, node: str) -> Row | None:
    """Give what is laid over a node."""
    return await session.first(
        sa.select(overrides).where(*of(overrides, place, microservice), overrides.c.node == node)
    )


async def count_overrides(session: storage.Session, place: Place, microservice: str) -> int:
    """Count what is laid over nodes of a microservice."""
    return int(await session.scalar(sa.select(sa.func.count()).where(*of(overrides, place, microservice))))


async def save_override(session: storage.Session, row: Mapping[str, Any]) -> None:
    """Lay something over a node, in place of what was."""
    await session.upsert(overrides, [row], ["state", "weight", "reason", "set_by", "set_at", "seen_at"])


async def remove_override(session: storage.Session, place: Place, microservice: str, node: str) -> None:
    """Take back what is laid over a node."""
    await session.execute(sa.delete(overrides).where(*of(overrides, place, microservice), overrides.c.node == node))


async def see_overrides(session: storage.Session) -> None:
    """Note that the nodes are there of which something is laid over."""
    there = sa.exists().where(
        nodes.c.tenant == overrides.c.tenant,
        nodes.c.environment == overrides.c.environment,
        nodes.c.microservice == overrides.c.microservice,
        nodes.c.name == overrides.c.node,
    )
    await session.execute(sa.update(overrides).where(there).values(seen_at=storage.now()))


async def forget_overrides(session: storage.Session, kept: int) -> int:
    """Forget what is laid over nodes that were not there for `kept` milliseconds."""
    return await session.execute(sa.delete(overrides).where(overrides.c.seen_at < storage.now() - kept))
