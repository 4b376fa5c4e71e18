"""Bundles: the list of a tenant's bundles with how each stands, in a bounded number of queries per page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from qiantang.kernel import errors, release, resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Columns, Principal
from qiantang_server.kernel.resources import Ground, store, visibility
from qiantang_server.kernel.storage.words import holding
from qiantang_server.kernel.watch import standing
from qiantang_server.kernel.watch import store as watch_store
from qiantang_server.kernel.watch.tally import NOTHING, Tally, tally

State = Literal["", "drafts", "requests", "gray", "failing", "behind"]
MAX_WORDS = 200

_bundle = store.bundles.c
_order = (_bundle.environment, _bundle.center, _bundle.application, _bundle.capability)
COLUMNS = Columns(_bundle.tenant, _bundle.environment, _bundle.center, _bundle.application)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which bundles are asked for; what is empty asks for all. `words` are looked for in center and application."""

    environment: str = ""
    center: str = ""
    application: str = ""
    capability: str = ""
    words: str = ""
    state: State = ""


class Bundles:
    """Lists bundles in order of environment, center, application and capability."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    async def list_bundles(
        self, principal: Principal, tenant: str, wanted: Wanted, *, after: str = "", limit: int = 100
    ) -> release.Page[release.BundleRow]:
        """Give a page of the bundles in which something was ever drafted or published, and that the principal may read.

        Raises:
            InvalidRequestError: `after` is not what a page gave.
        """
        at = self._parts.clock()
        statement = (
            sa.select(store.bundles, *(store.releases.c[name].label(f"release_{name}") for name in _SHOWN))
            .outerjoin(store.releases, _head_release())
            .where(_bundle.tenant == tenant, visible(principal, self._parts), *_filters(wanted, at))
            .order_by(*_order)
            .limit(limit + 1)
        )
        if after:
            statement = statement.where(sa.tuple_(*_order) > sa.tuple_(*_place_after(tenant, after)))
        async with self._parts.database.reading() as session:
            rows = list(await session.all(statement))
            counts = await _counts(session, rows[:limit], at)
        items = [counts.row(row) for row in rows[:limit]]
        return release.Page(items=items, next=str(items[-1].bundle).partition("/")[2] if len(rows) > limit else "")


_SHOWN = ("created_at", "author", "message")


def visible(principal: Principal, parts: Ground, verb: str = "read") -> sa.ColumnElement[bool]:
    """Give the condition under which the principal has a verb on a bundle."""
    return visibility.bundles(principal, parts.kinds, verb, COLUMNS, _bundle.capability)


def living_here(at: int) -> sa.ColumnElement[bool]:
    """Give the condition under which an instance of the bundle's application lives."""
    return sa.and_(
        *(watch_store.instances.c[part] == _bundle[part] for part in watch_store.PLACE), watch_store.alive(at)
    )


def with_held(instances: sa.FromClause) -> sa.Join:
    """Give instances with what each holds of the bundle, if anything."""
    of_it = sa.and_(
        watch_store.held.c.instance == watch_store.instances.c.id, watch_store.own_bundle(_bundle.capability)
    )
    return sa.outerjoin(instances, watch_store.held, of_it)


def _head_release() -> sa.ColumnElement[bool]:
    return sa.and_(store.releases.c.bundle == _bundle.id, store.releases.c.revision == _bundle.revision)


def _place_after(tenant: str, after: str) -> tuple[str, ...]:
    try:
        bundle = resource.Bundle.parse(f"{tenant}/{after}")
    except errors.InvalidRequestError as error:
        raise errors.InvalidRequestError("`after` is not what an earlier page gave as `next`") from error
    place = bundle.scope
    return (place.environment, place.center, place.application, bundle.capability)


def _filters(wanted: Wanted, at: int) -> list[sa.ColumnElement[bool]]:
    found = [
        _bundle[part] == value
        for part in ("environment", "center", "application", "capability")
        if (value := getattr(wanted, part))
    ]
    if wanted.words.strip():
        found.append(holding(wanted.words.strip()[:MAX_WORDS], _bundle.center, _bundle.application))
    if wanted.state:
        found.append(_in_state(wanted.state, at))
    return found


def _in_state(state: State, at: int) -> sa.ColumnElement[bool]:
    if state == "drafts":
        return sa.exists().where(store.drafts.c.bundle == _bundle.id)
    if state == "requests":
        return sa.exists().where(store.requests.c.bundle == _bundle.id, store.requests.c.state == "waiting")
    if state == "gray":
        return _bundle.gray != ""
    condition = standing.failed() if state == "failing" else standing.behind(_bundle.epoch, _bundle.revision)
    among = sa.select(sa.literal(1)).select_from(with_held(watch_store.instances)).where(living_here(at), condition)
    return sa.and_(_bundle.revision > 0, among.correlate(store.bundles).exists())


@dataclass(frozen=True, slots=True)
class _Counts:
    """What was counted for a page: drafts and requests by the bundle's key, instances by bundle."""

    drafts: dict[int, int]
    requests: dict[int, int]
    instances: dict[resource.Bundle, Tally]

    def row(self, row: sa.Row[Any]) -> release.BundleRow:
        """Put a row together."""
        bundle = store.address(row)
        head = resource.Position(epoch=row.epoch, revision=row.revision)
        instances = self.instances.get(bundle, NOTHING).counted(head)
        return release.BundleRow(
            bundle=bundle,
            position=head,
            drafts=self.drafts.get(row.id, 0),
            requests=self.requests.get(row.id, 0),
            gray=bool(row.gray),
            instances=instances.total,
            current=instances.current,
            failed=instances.failed,
            published_at=row.release_created_at or 0,
            published_by=row.release_author or "",
            message=row.release_message or "",
        )


async def _counts(session: storage.Session, rows: Sequence[sa.Row[Any]], at: int) -> _Counts:
    keys = [row.id for row in rows]
    drafts, requests = store.drafts.c, store.requests.c
    by_key = await _by_key(session, drafts.bundle, drafts.bundle.in_(keys))
    waiting = await _by_key(session, requests.bundle, sa.and_(requests.bundle.in_(keys), requests.state == "waiting"))
    return _Counts(by_key, waiting, await tally(session, [store.address(row) for row in rows], at))


async def _by_key(
    session: storage.Session, key: sa.ColumnElement[int], condition: sa.ColumnElement[bool]
) -> dict[int, int]:
    statement = sa.select(key.label("key"), sa.func.count().label("number")).where(condition).group_by(key)
    return {row.key: row.number for row in await session.all(statement)}
