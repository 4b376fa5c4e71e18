"""Convergence: how far the newest release of a bundle has come among the living instances, and whom a gray rule would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from qiantang.kernel import release, resource, scope, wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import Ground, store
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.watch import standing
from qiantang_server.kernel.watch import store as watch_store

MAX_SHOWN = 300
MAX_NAMES = 100

_instance, _held = watch_store.instances.c, watch_store.held.c
_RANK = {"failed": 0, "behind": 1, "current": 2}


@dataclass(frozen=True, slots=True)
class _Head:
    position: resource.Position
    published_at: int


class Progress:
    """Watches a release arrive. The counts are of all instances; the rows that are shown are bounded."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    async def read(self, bundle: resource.Bundle) -> release.Convergence:
        """Say how the living instances of the bundle's application stand to its newest release."""
        living = watch_store.living(bundle, self._parts.clock())
        async with self._parts.database.reading() as session:
            head = await _head(session, bundle)
            counted = await _counted(session, living, head)
            times = await _times(session, living, head)
            rows = await _rows(session, living, head)
        stands: Counter[str] = Counter()
        clusters: dict[str, Counter[str]] = {}
        for cluster, state, number in counted:
            stands[state] += number
            clusters.setdefault(cluster, Counter())[state] += number
        return release.Convergence(
            position=head.position,
            published_at=head.published_at,
            total=stands.total(),
            current=stands["current"],
            behind=stands["behind"],
            failed=stands["failed"],
            p50_ms=_percentile(times, 50),
            p99_ms=_percentile(times, 99),
            instances=[_shown(row, head) for row in rows],
            by_cluster=[
                release.ConvergenceCluster(
                    cluster=cluster, total=one.total(), current=one["current"], failed=one["failed"]
                )
                for cluster, one in sorted(clusters.items())
            ],
        )

    async def preview(self, bundle: resource.Bundle, rule: release.GrayRule) -> release.GrayPreview:
        """Say which living instances a gray rule would take, if it were published over the head as it is now.

        The seats of `count` that nobody holds yet are counted and not named: whoever comes first takes them.
        """
        at = self._parts.clock()
        columns = (_instance.name, _instance.cluster, _instance.labels)
        places = watch_store.of_application(bundle.scope)
        statement = sa.select(*columns).where(*places, watch_store.alive(at)).order_by(_instance.name)
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
            gray = states.would_be(bundle, head.position, head.state.gray, rule)
            seats = set(await store.live_seats(session, gray.id, await session.now()) if rule.count else [])
            rows = await session.all(statement)
        taken = [row.name for row in rows if states.takes_gray(gray, _instance_of(row)) or row.name in seats]
        free = max(0, rule.count - len(seats))
        return release.GrayPreview(
            total=len(rows),
            matching=min(len(rows), len(taken) + free),
            instances=list(dict.fromkeys(taken))[:MAX_NAMES],
        )


def _instance_of(row: sa.Row[Any]) -> scope.Instance:
    return scope.Instance(name=row.name, cluster=row.cluster, labels=wire.decode(row.labels, dict[str, str]))


async def _head(session: storage.Session, bundle: resource.Bundle) -> _Head:
    row = await store.find_bundle(session, bundle)
    if row is None:
        return _Head(resource.NOWHERE, 0)
    released = await store.read_release(session, row.id, row.revision) if row.revision else None
    at = released.created_at if released is not None else 0
    return _Head(resource.Position(epoch=row.epoch, revision=row.revision), at)


async def _counted(session: storage.Session, living: watch_store.Living, head: _Head) -> list[tuple[str, str, int]]:
    groups = (_instance.cluster, _held.status, _held.epoch, _held.revision)
    statement = (
        sa.select(*groups, sa.func.count().label("number")).select_from(living.rows).where(*living.conditions)
    ).group_by(*groups)
    rows = await session.all(statement)
    return [(row.cluster, standing.of_row(row, head.position), row.number) for row in rows]


def _ms(head: _Head, connected_at: int, applied_at: int) -> int | None:
    """Give the time that a release took; None for one that connected after it: it then only said what it held already."""
    return max(0, applied_at - head.published_at) if connected_at <= head.published_at else None


async def _times(session: storage.Session, living: watch_store.Living, head: _Head) -> list[int]:
    statement = (
        sa.select(_held.applied_at)
        .select_from(living.rows)
        .where(*living.conditions, standing.is_at(head.position), _instance.connected_at <= head.published_at)
    )
    return sorted(max(0, row.applied_at - head.published_at) for row in await session.all(statement))


async def _rows(session: storage.Session, living: watch_store.Living, head: _Head) -> Sequence[sa.Row[Any]]:
    failed, current = standing.failed(), standing.is_at(head.position)
    rank = sa.case((failed, _RANK["failed"]), (current, _RANK["current"]), else_=_RANK["behind"])
    instance = (_instance.name, _instance.cluster, _instance.host, _instance.connected_at)
    held = (_held.status, _held.error, _held.gray, _held.epoch, _held.revision, _held.applied_at)
    statement = (
        sa.select(*instance, *held)
        .select_from(living.rows)
        .where(*living.conditions)
        .order_by(rank, _instance.name, _instance.id)
        .limit(MAX_SHOWN)
    )
    return await session.all(statement)


def _shown(row: sa.Row[Any], head: _Head) -> release.ConvergenceInstance:
    if row.epoch is None:
        return release.ConvergenceInstance(name=row.name, cluster=row.cluster, host=row.host, status="unknown")
    current = standing.of_row(row, head.position) == "current"
    return release.ConvergenceInstance(
        name=row.name,
        cluster=row.cluster,
        host=row.host,
        status=row.status,
        error=row.error,
        current=current,
        gray=row.gray,
        position=resource.Position(epoch=row.epoch, revision=row.revision),
        ms=_ms(head, row.connected_at, row.applied_at) if current else None,
    )


def _percentile(times: Sequence[int], percent: int) -> int | None:
    """Give the nearest-rank percentile of sorted times; None where there are none."""
    return times[max(0, -(-len(times) * percent // 100) - 1)] if times else None
