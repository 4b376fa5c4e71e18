"""Work: what waits for one person in a tenant. His drafts, what he may approve, what he asked for, what fails, what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from qiantang.kernel import release, resource, wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Columns, Principal
from qiantang_server.kernel.resources import Ground, store, visibility
from qiantang_server.kernel.resources.service import asking, ground
from qiantang_server.kernel.resources.service.plan import Plan
from qiantang_server.kernel.watch import standing
from qiantang_server.kernel.watch import store as watch_store
from qiantang_server.kernel.watch.overview.bundles import living_here, visible, with_held

MAX_WAITING = 500
"""How many waiting requests are looked through for those that somebody may decide."""
ASKED = ("waiting", "scheduled", "failed")

_bundle, _draft, _request = store.bundles.c, store.drafts.c, store.requests.c
_instance, _held = watch_store.instances.c, watch_store.held.c
_PLACE = (_bundle.tenant, _bundle.environment, _bundle.center, _bundle.application, _bundle.capability)


class Desk:
    """Gathers a person's work, each list newest first."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    async def read(self, principal: Principal, tenant: str, environment: str = "", *, limit: int = 20) -> release.Work:
        """Give what waits for the principal in a tenant, or in one environment of it; at most `limit` of each, all counted."""
        here = [_bundle.tenant == tenant, visible(principal, self._parts)]
        lives = [_instance.tenant == tenant]
        if environment:
            here.append(_bundle.environment == environment)
            lives.append(_instance.environment == environment)
        at = self._parts.clock()
        async with self._parts.database.reading() as session:
            drafts, draft_count = await _drafts(session, principal, here, limit)
            approvals = await self._approvals(session, principal, here)
            asked, asked_count = await _asked(session, principal, here, limit)
            failing, failing_count = await self._failing(
                session, principal, sa.and_(*lives, watch_store.alive(at)), limit
            )
            releases = await _releases(session, here, limit)
            counts = release.WorkCounts(
                drafts=draft_count,
                approvals=len(approvals),
                asked=asked_count,
                failing=failing_count,
                bundles=await _count(session, sa.select(sa.func.count()).select_from(store.bundles).where(*here)),
                instances=await self._living(session, principal, sa.and_(*lives, watch_store.alive(at))),
                behind=await _behind(session, here, at),
            )
        return release.Work(
            drafts=drafts, approvals=approvals[:limit], asked=asked, failing=failing, releases=releases, counts=counts
        )

    async def _approvals(
        self, session: storage.Session, principal: Principal, here: Sequence[sa.ColumnElement[bool]]
    ) -> list[release.WorkRequest]:
        """Give what waits for a second person whom the principal can be: the rule that decides is the use case's own."""
        statement = (
            sa.select(store.requests, *_PLACE)
            .join(store.bundles, _bundle.id == _request.bundle)
            .where(*here, visible(principal, self._parts, "approve"), _request.state == "waiting")
            .where(_request.author_id != principal.id)
            .order_by(_request.created_at.desc(), _request.id.desc())
            .limit(MAX_WAITING)
        )
        rows = await session.all(statement)
        return [
            _asked_for(row) for row in rows if not asking.is_own(principal, row, wire.decode(bytes(row.plan), Plan))
        ]

    def _own_and_readable(self, principal: Principal) -> sa.ColumnElement[bool]:
        """Give the condition under which what an instance holds is its own application's and may be read."""
        kinds = self._parts.kinds
        return sa.or_(
            sa.false(),
            *(sa.and_(watch_store.own_bundle(name), self._readable(principal, name)) for name in kinds.capabilities()),
        )

    def _readable(self, principal: Principal, capability: str) -> sa.ColumnElement[bool]:
        columns = Columns(_instance.tenant, _instance.environment, _instance.center, _instance.application)
        return visibility.bundles(principal, self._parts.kinds, "read", columns, sa.literal(capability))

    async def _failing(
        self, session: storage.Session, principal: Principal, lives: sa.ColumnElement[bool], limit: int
    ) -> tuple[list[release.WorkInstance], int]:
        joined = sa.join(watch_store.held, watch_store.instances, _instance.id == _held.instance)
        condition = sa.and_(lives, standing.failed(), self._own_and_readable(principal))
        statement = (
            sa.select(_instance.name, _instance.cluster, *(_held[name] for name in _FAILED))
            .select_from(joined)
            .where(condition)
            .order_by(_held.applied_at.desc(), _held.instance)
            .limit(limit)
        )
        count = await _count(session, sa.select(sa.func.count()).select_from(joined).where(condition))
        return [_failed(row) for row in await session.all(statement)], count

    async def _living(self, session: storage.Session, principal: Principal, lives: sa.ColumnElement[bool]) -> int:
        some = sa.or_(sa.false(), *(self._readable(principal, name) for name in self._parts.kinds.capabilities()))
        return await _count(session, sa.select(sa.func.count()).select_from(watch_store.instances).where(lives, some))


_FAILED = ("bundle", "status", "error", "epoch", "revision", "applied_at")


async def _count(session: storage.Session, statement: sa.Select[Any]) -> int:
    return int(await session.scalar(statement) or 0)


async def _drafts(
    session: storage.Session, principal: Principal, here: Sequence[sa.ColumnElement[bool]], limit: int
) -> tuple[list[release.WorkDraft], int]:
    joined = sa.join(store.drafts, store.bundles, _bundle.id == _draft.bundle)
    condition = sa.and_(_draft.author == (principal.name or principal.id), *here)
    columns = (_draft.kind, _draft.name, _draft.removes, _draft.base, _draft.author, _draft.edited_at)
    statement = (
        sa.select(*columns, *_PLACE)
        .select_from(joined)
        .where(condition)
        .order_by(_draft.edited_at.desc(), _draft.bundle, _draft.kind, _draft.name)
        .limit(limit)
    )
    found = [
        release.WorkDraft(
            bundle=store.address(row),
            kind=row.kind,
            name=row.name,
            action="remove" if row.removes else ("change" if row.base else "add"),
            author=row.author,
            edited_at=row.edited_at,
        )
        for row in await session.all(statement)
    ]
    return found, await _count(session, sa.select(sa.func.count()).select_from(joined).where(condition))


async def _asked(
    session: storage.Session, principal: Principal, here: Sequence[sa.ColumnElement[bool]], limit: int
) -> tuple[list[release.WorkRequest], int]:
    joined = sa.join(store.requests, store.bundles, _bundle.id == _request.bundle)
    condition = sa.and_(_request.state.in_(ASKED), _request.author_id == principal.id, *here)
    statement = (
        sa.select(store.requests, *_PLACE)
        .select_from(joined)
        .where(condition)
        .order_by(_request.created_at.desc(), _request.id.desc())
        .limit(limit)
    )
    found = [_asked_for(row) for row in await session.all(statement)]
    return found, await _count(session, sa.select(sa.func.count()).select_from(joined).where(condition))


async def _releases(
    session: storage.Session, here: Sequence[sa.ColumnElement[bool]], limit: int
) -> list[release.WorkRelease]:
    columns = [column for column in store.releases.c if column.name not in {"state", "bundle"}]
    # their keys first: only those that are shown are read whole
    newest = (
        sa.select(store.releases.c.bundle, store.releases.c.revision)
        .join(store.bundles, _bundle.id == store.releases.c.bundle)
        .where(*here)
        .order_by(store.releases.c.created_at.desc(), store.releases.c.bundle, store.releases.c.revision.desc())
        .limit(limit)
        .subquery()
    )
    shown = sa.and_(store.releases.c.bundle == newest.c.bundle, store.releases.c.revision == newest.c.revision)
    statement = (
        sa.select(*columns, *_PLACE)
        .select_from(newest)
        .join(store.releases, shown)
        .join(store.bundles, _bundle.id == newest.c.bundle)
    )
    rows = sorted(await session.all(statement), key=lambda row: (-row.created_at, _address(row), -row.revision))
    return [release.WorkRelease(bundle=store.address(row), release=ground.release_view(row)) for row in rows]


def _address(row: sa.Row[Any]) -> str:
    return str(store.address(row))


async def _behind(session: storage.Session, here: Sequence[sa.ColumnElement[bool]], at: int) -> int:
    statement = (
        sa.select(sa.func.count())
        .select_from(with_held(sa.join(store.bundles, watch_store.instances, living_here(at))))
        .where(*here, _bundle.revision > 0, standing.behind(_bundle.epoch, _bundle.revision))
    )
    return await _count(session, statement)


def _asked_for(row: sa.Row[Any]) -> release.WorkRequest:
    return release.WorkRequest(bundle=store.address(row), request=asking.view(row))


def _failed(row: sa.Row[Any]) -> release.WorkInstance:
    return release.WorkInstance(
        bundle=resource.Bundle.parse(row.bundle),
        name=row.name,
        cluster=row.cluster,
        status=row.status,
        error=row.error,
        position=resource.Position(epoch=row.epoch, revision=row.revision),
        applied_at=row.applied_at,
    )
