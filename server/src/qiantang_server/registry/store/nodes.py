"""Rows of nodes, votes and definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from qiantang_server.kernel import storage
from qiantang_server.registry.store.tables import Place, definitions, nodes, overrides, sessions, votes

Row = sa.Row[Any]
Condition = sa.ColumnElement[bool]
_FIND = sa.select(nodes.c.session, nodes.c.started_at, nodes.c.size, nodes.c.body, nodes.c.registered_at).where(
    nodes.c.tenant == sa.bindparam("of"),
    nodes.c.environment == sa.bindparam("within"),
    nodes.c.microservice == sa.bindparam("microservice"),
    nodes.c.name == sa.bindparam("name"),
)
_WITH_OVERRIDES = nodes.outerjoin(
    overrides,
    sa.and_(
        overrides.c.tenant == nodes.c.tenant,
        overrides.c.environment == nodes.c.environment,
        overrides.c.microservice == nodes.c.microservice,
        overrides.c.node == nodes.c.name,
    ),
)
_LISTED = (
    sa.select(nodes.c.body, overrides.c.state, overrides.c.weight)
    .select_from(_WITH_OVERRIDES)
    .where(
        nodes.c.tenant == sa.bindparam("of"),
        nodes.c.environment == sa.bindparam("within"),
        nodes.c.microservice == sa.bindparam("microservice"),
    )
    .order_by(nodes.c.name)
    .limit(sa.bindparam("most"))
)


class Size(NamedTuple):
    """How many nodes there are, and their bytes."""

    nodes: int
    size: int


def of(table: sa.Table, place: Place, microservice: str) -> list[Condition]:
    """Give the condition for the rows of a microservice."""
    return [
        table.c.tenant == place.tenant,
        table.c.environment == place.environment,
        table.c.microservice == microservice,
    ]


async def find(session: storage.Session, place: Place, microservice: str, name: str) -> Row | None:
    """Give the row of a node."""
    at = {"of": place.tenant, "within": place.environment, "microservice": microservice, "name": name}
    return await session.first(_FIND, at)


async def size(session: storage.Session, place: Place, microservice: str) -> Size:
    """Give how much of a microservice is registered."""
    row = await session.first(
        sa.select(sa.func.count().label("number"), sa.func.coalesce(sa.func.sum(nodes.c.size), 0).label("bytes")).where(
            *of(nodes, place, microservice)
        )
    )
    return Size(0, 0) if row is None else Size(int(row.number), int(row.bytes))


async def save(session: storage.Session, row: Mapping[str, Any]) -> None:
    """Write a node, in place of the one of its name."""
    await session.upsert(nodes, [row], ["session", "state", "started_at", "size", "body", "registered_at"])


async def remove(session: storage.Session, place: Place, microservice: str, name: str, key: str) -> bool:
    """Remove a node if it is of this session; say whether it was."""
    where = [*of(nodes, place, microservice), nodes.c.name == name, nodes.c.session == key]
    return await session.execute(sa.delete(nodes).where(*where)) > 0


async def listed(session: storage.Session, place: Place, microservice: str, most: int) -> Sequence[Row]:
    """Give the nodes of a microservice in order of name, each with what is laid over it."""
    at = {"of": place.tenant, "within": place.environment, "microservice": microservice, "most": most}
    return await session.all(_LISTED, at)


async def count_votes(session: storage.Session, place: Place, microservice: str, key: str) -> tuple[int, int]:
    """Count the votes of a microservice, and those of a session."""
    row = await session.first(
        sa.select(
            sa.select(sa.func.count()).where(*of(votes, place, microservice)).scalar_subquery().label("of_all"),
            sa.select(sa.func.count()).where(votes.c.session == key).scalar_subquery().label("of_session"),
        )
    )
    return (0, 0) if row is None else (int(row.of_all), int(row.of_session))


async def has_vote(session: storage.Session, vote: str) -> bool:
    """Say whether a vote is there."""
    return await session.first(sa.select(votes.c.id).where(votes.c.id == vote)) is not None


async def save_vote(session: storage.Session, row: Mapping[str, Any]) -> None:
    """Write a vote, in place of the one of its key."""
    await session.upsert(votes, [row], ["session", "body"])


async def remove_vote(session: storage.Session, vote: str, key: str) -> None:
    """Remove a vote if it is of this session."""
    await session.execute(sa.delete(votes).where(votes.c.id == vote, votes.c.session == key))


async def list_votes(session: storage.Session, place: Place, microservice: str, most: int) -> list[bytes]:
    """Give the votes of a microservice that have a session."""
    rows = await session.all(
        sa.select(votes.c.body)
        .join(sessions, sessions.c.id == votes.c.session)
        .where(*of(votes, place, microservice))
        .order_by(votes.c.id)
        .limit(most)
    )
    return [bytes(row.body) for row in rows]


async def count_definitions(session: storage.Session, place: Place, microservice: str) -> int:
    """Count the services of a microservice."""
    statement = sa.select(sa.func.count()).where(*of(definitions, place, microservice))
    return int(await session.scalar(statement))


async def find_definition(session: storage.Session, place: Place, microservice: str, service: str) -> Row | None:
    """Give what a service offers."""
    return await session.first(
        sa.select(definitions).where(*of(definitions, place, microservice), definitions.c.service == service)
    )


async def save_definition(session: storage.Session, row: Mapping[str, Any]) -> None:
    """Write what a service offers, in place of what it offered."""
    await session.upsert(definitions, [row], ["digest", "size", "body", "published_at"])


async def list_definitions(
    session: storage.Session, place: Place, microservice: str, after: str, limit: int
) -> Sequence[Row]:
    """Give what services offer whose names come after one."""
    return await session.all(
        sa.select(definitions)
        .where(*of(definitions, place, microservice), definitions.c.service > after)
        .order_by(definitions.c.service)
        .limit(limit)
    )
