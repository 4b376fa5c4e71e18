"""Rows of revisions: how far the registry of a place has come, and which of its microservices changed when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from qiantang_server.kernel import storage
from qiantang_server.registry.store.tables import Place, definitions, microservices, nodes, overrides, places

AT_ONCE = 1_000
_COUNT_UP = (
    sa.update(places)
    .where(places.c.tenant == sa.bindparam("of"), places.c.environment == sa.bindparam("within"))
    .values(revision=places.c.revision + 1)
)
_REVISION = sa.select(places.c.revision).where(
    places.c.tenant == sa.bindparam("of"), places.c.environment == sa.bindparam("within")
)


def _at(place: Place) -> dict[str, str]:
    return {"of": place.tenant, "within": place.environment}


async def count_up(session: storage.Session, place: Place) -> int:
    """Count the revision of a place up and give it; whoever else does waits until this transaction ends."""
    if not await session.execute(_COUNT_UP, _at(place)):
        await session.insert_new(places, [{"tenant": place.tenant, "environment": place.environment, "revision": 0}])
        await session.execute(_COUNT_UP, _at(place))
    return await revision(session, place)


async def revision(session: storage.Session, place: Place) -> int:
    """Give how far a place has come; 0 where nothing was ever registered."""
    row = await session.first(_REVISION, _at(place))
    return 0 if row is None else int(row.revision)


async def revisions(session: storage.Session, wanted: Iterable[Place]) -> dict[Place, int]:
    """Give how far places have come."""
    columns = (places.c.tenant, places.c.environment)
    rows = await session.all(
        sa.select(*columns, places.c.revision).where(sa.tuple_(*columns).in_([tuple(one) for one in wanted]))
    )
    return {Place(row.tenant, row.environment): int(row.revision) for row in rows}


async def changed(session: storage.Session, place: Place, since: int) -> list[str]:
    """Name the microservices that changed after a revision."""
    at = microservices.c
    rows = await session.all(
        sa.select(at.name).where(at.tenant == place.tenant, at.environment == place.environment, at.revision > since)
    )
    return [row.name for row in rows]


async def existing(session: storage.Session, place: Place, names: Sequence[str]) -> list[str]:
    """Name those of the microservices that there are."""
    at, found = microservices.c, list[str]()
    for start in range(0, len(names), AT_ONCE):
        some = at.name.in_(names[start : start + AT_ONCE])
        of = (at.tenant == place.tenant, at.environment == place.environment)
        found += [row.name for row in await session.all(sa.select(at.name).where(*of, some))]
    return found


async def center_of(session: storage.Session, place: Place, microservice: str) -> str | None:
    """Give the center whose application a microservice is; None where there is no such microservice."""
    at = microservices.c
    row = await session.first(
        sa.select(at.center).where(
            at.tenant == place.tenant, at.environment == place.environment, at.name == microservice
        )
    )
    return None if row is None else str(row.center)


async def note(session: storage.Session, place: Place, microservice: str, center: str, revision: int) -> None:
    """Note that a microservice of a center's application changed."""
    row = {
        "tenant": place.tenant,
        "environment": place.environment,
        "name": microservice,
        "center": center,
        "revision": revision,
        "changed_at": await session.now(),
    }
    await session.upsert(microservices, [row], ["center", "revision", "changed_at"])


async def note_again(session: storage.Session, place: Place, names: Sequence[str], revision: int) -> None:
    """Note that microservices which are known changed."""
    at = microservices.c
    await session.execute(
        sa.update(microservices)
        .where(at.tenant == place.tenant, at.environment == place.environment, at.name.in_(names))
        .values(revision=revision, changed_at=storage.now())
    )


async def forget_unused(session: storage.Session, before: int) -> int:
    """Forget microservices that nothing is left of and nothing happened to since a moment: their names are free again."""
    at = microservices.c

    def unused(table: sa.Table) -> sa.ColumnElement[bool]:
        return ~sa.exists().where(
            table.c.tenant == at.tenant, table.c.environment == at.environment, table.c.microservice == at.name
        )

    return await session.execute(
        sa.delete(microservices).where(at.changed_at < before, unused(nodes), unused(definitions), unused(overrides))
    )
