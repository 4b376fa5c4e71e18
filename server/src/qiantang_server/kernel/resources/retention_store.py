"""Rows of retention: which revisions, requests and contents of a bundle are old, and their end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence

import sqlalchemy as sa

from qiantang_server.kernel import storage
from qiantang_server.kernel.resources.store import bundles, contents, releases, requests


async def prunable(
    session: storage.Session, *, kept: int, until: int, open_states: Sequence[str], after: int, limit: int
) -> list[int]:
    """Give keys of bundles above `after` that have revisions or decided requests to prune, in order."""
    old = sa.exists().where(
        releases.c.bundle == bundles.c.id,
        releases.c.revision <= bundles.c.revision - kept,
        releases.c.created_at < until,
    )
    decided = sa.exists().where(
        requests.c.bundle == bundles.c.id, requests.c.state.not_in(open_states), requests.c.decided_at < until
    )
    statement = sa.select(bundles.c.id).where(bundles.c.id > after, sa.or_(old, decided))
    return [row.id for row in await session.all(statement.order_by(bundles.c.id).limit(limit))]


async def drop_releases(session: storage.Session, key: int, *, kept: int, until: int, limit: int) -> int:
    """Delete at most `limit` of the oldest revisions that have `kept` newer ones and were made before `until`; give how many."""
    head = sa.select(bundles.c.revision).where(bundles.c.id == key).scalar_subquery()
    statement = sa.select(releases.c.revision).where(
        releases.c.bundle == key, releases.c.revision <= head - kept, releases.c.created_at < until
    )
    rows = await session.all(statement.order_by(releases.c.revision).limit(limit))
    gone = [row.revision for row in rows]
    await session.execute(sa.delete(releases).where(releases.c.bundle == key, releases.c.revision.in_(gone)))
    return len(gone)


async def drop_requests(session: storage.Session, key: int, *, until: int, open_states: Sequence[str]) -> int:
    """Delete requests of a bundle that were decided before a moment; give how many."""
    return await session.execute(
        sa.delete(requests).where(
            requests.c.bundle == key, requests.c.state.not_in(open_states), requests.c.decided_at < until
        )
    )


async def each_state(session: storage.Session, key: int) -> AsyncIterator[bytes]:
    """Give the state of every revision of a bundle, a few at a time in memory."""
    after = 0
    while True:
        statement = sa.select(releases.c.revision, releases.c.state).where(
            releases.c.bundle == key, releases.c.revision > after
        )
        rows = await session.all(statement.order_by(releases.c.revision).limit(50))
        for row in rows:
            yield bytes(row.state)
        if len(rows) < 50:
            return
        after = rows[-1].revision


async def keep_contents(session: storage.Session, key: int, wanted: Collection[str]) -> int:
    """Delete every content of a bundle but those of the digests; give how many."""
    rows = await session.all(sa.select(contents.c.digest).where(contents.c.bundle == key))
    gone = sorted({row.digest for row in rows} - set(wanted))
    for start in range(0, len(gone), 500):
        some = gone[start : start + 500]
        await session.execute(sa.delete(contents).where(contents.c.bundle == key, contents.c.digest.in_(some)))
    return len(gone)
