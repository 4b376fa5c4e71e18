"""Tally: how the living instances of many bundles stand, counted in two queries whatever their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from qiantang.kernel import release, resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.watch import standing, store

AT_ONCE = 200


class Said(NamedTuple):
    """What a number of instances say alike of a bundle, and when the last of them said it."""

    status: str
    position: resource.Position
    number: int
    latest: int


@dataclass(frozen=True, slots=True)
class Tally:
    """The living instances of a bundle's application, when the newest of them connected, and what they say that they hold."""

    living: int = 0
    connected_at: int = 0
    said: tuple[Said, ...] = ()

    def counted(self, head: resource.Position) -> release.Counted:
        """Count how they stand to a head."""
        stands = {"current": 0, "failed": 0, "behind": 0}
        for one in self.said:
            stands[standing.standing(one.status, one.position, head)] += one.number
        return release.Counted(total=self.living, current=stands["current"], failed=stands["failed"])


NOTHING = Tally()


async def tally(session: storage.Session, bundles: Sequence[resource.Bundle], at: int) -> dict[resource.Bundle, Tally]:
    """Count for each of the bundles; those of whose applications no instance lives may be missing."""
    found: dict[resource.Bundle, Tally] = {}
    for start in range(0, len(bundles), AT_ONCE):
        found |= await _tally(session, bundles[start : start + AT_ONCE], at)
    return found


async def _tally(session: storage.Session, bundles: Sequence[resource.Bundle], at: int) -> dict[resource.Bundle, Tally]:
    place = [store.instances.c[part] for part in store.PLACE]
    places = sorted({tuple(getattr(one.scope, part) for part in store.PLACE) for one in bundles})
    lives = sa.and_(sa.tuple_(*place).in_(places), store.alive(at))
    newest = sa.func.max(store.instances.c.connected_at).label("newest")
    statement = sa.select(*place, sa.func.count().label("number"), newest).where(lives).group_by(*place)
    living = {"/".join(row[:4]): row for row in await session.all(statement)}
    said = await _said(session, bundles, lives) if living else {}
    return {
        one: Tally(row.number, row.newest, tuple(sorted(said.get(store.bundle_id(one), ()))))
        for one in bundles
        if (row := living.get(str(one.scope))) is not None
    }


async def _said(
    session: storage.Session, bundles: Sequence[resource.Bundle], lives: sa.ColumnElement[bool]
) -> dict[str, list[Said]]:
    """Count what living instances say of their own application's bundles: a few lines per bundle."""
    held = store.held.c
    groups = (held.bundle_id, held.status, held.epoch, held.revision)
    own = sa.or_(*(store.own_bundle(name) for name in sorted({one.capability for one in bundles})))
    statement = (
        sa.select(*groups, sa.func.count().label("number"), sa.func.max(held.applied_at).label("latest"))
        .join(store.instances, store.instances.c.id == held.instance)
        .where(held.bundle_id.in_([store.bundle_id(one) for one in bundles]), lives, own)
        .group_by(*groups)
    )
    found: dict[str, list[Said]] = {}
    for row in await session.all(statement):
        position = resource.Position(epoch=row.epoch, revision=row.revision)
        found.setdefault(row.bundle_id, []).append(Said(row.status, position, row.number, row.latest))
    return found
