"""Survey: looks into the database for what no fact of this server tells. Instances, what other servers' people edit, and rows.

Whatever changes a row of a list writes it into the audit trail in the same transaction, numbered without a gap: what is done
on any server is read from there, in its order.

Only for what somebody follows. What was seen is remembered for a while beyond that, so that who comes back hears of what changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from qiantang.kernel import resource
from qiantang_server.kernel import audit, storage
from qiantang_server.kernel.access.target import ANY
from qiantang_server.kernel.resources import Ground
from qiantang_server.kernel.resources import store as resource_store
from qiantang_server.kernel.resources.service.requests import OPEN
from qiantang_server.kernel.watch import standing, store
from qiantang_server.kernel.watch.tally import NOTHING, Tally, tally
from qiantang_server.kernel.watch.topics.board import Change
from qiantang_server.kernel.watch.topics.topic import Row

MAX_BUNDLES = 5_000
MAX_TENANTS = 200
MAX_CHAINS = 5_000

_Seen = dict[tuple[str, resource.Bundle], tuple[Any, ...]]
_bundle = resource_store.bundles.c
_PLACE = (_bundle.tenant, _bundle.environment, _bundle.center, _bundle.application, _bundle.capability)


class Survey:
    """Compares what is there with what it saw last. What it sees for the first time is a change: whoever follows it read it
    before this look, and what happened in between nobody would tell of.
    """

    def __init__(self, parts: Ground) -> None:
        self._parts = parts
        self._bundles: OrderedDict[resource.Bundle, Tally] = OrderedDict()
        self._tenants: OrderedDict[tuple[str, bool], _Seen] = OrderedDict()
        self._trails: OrderedDict[str, int] = OrderedDict()

    async def bundles(self, bundles: Sequence[resource.Bundle]) -> list[Change]:
        """Give the bundles whose living instances changed, with how they stand now.

        Raises:
            UnavailableError: the database is away.
        """
        async with self._parts.database.reading() as session:
            found = await tally(session, bundles, self._parts.clock())
            changed = [one for one in bundles if self._bundles.get(one, NOTHING) != found.get(one, NOTHING)]
            heads = await resource_store.begun(session, changed)
        for one in bundles:
            _keep(self._bundles, one, found.get(one, NOTHING), MAX_BUNDLES)
        return [
            Change(
                about=one,
                reason="instances",
                counted=found.get(one, NOTHING).counted(heads.get(one, resource.NOWHERE)),
            )
            for one in changed
        ]

    async def tenants(self, tenants: Sequence[str], *, edits: bool) -> list[Change]:
        """Give what changed of the bundles of tenants: their instances, and with `edits` their drafts and requests.

        Raises:
            UnavailableError: the database is away.
        """
        found: dict[str, _Seen] = {one: {} for one in tenants}
        async with self._parts.database.reading() as session:
            rows = await self._instances(session, tenants)
            if edits:
                rows |= await _drafts(session, tenants)
                rows |= await _requests(session, tenants)
        for key, seen in rows.items():
            found[key[1].scope.tenant][key] = seen
        changes: list[Change] = []
        for tenant, seen in found.items():
            before = self._tenants.get((tenant, edits), {})
            changed = [key for key in {**before, **seen} if before.get(key) != seen.get(key)]
            changes += [Change(about=bundle, reason=reason) for reason, bundle in changed]
            _keep(self._tenants, (tenant, edits), seen, MAX_TENANTS)
        return changes

    async def lists(self, tenants: Collection[str]) -> list[Change]:
        """Give the rows of lists that were made, changed or deleted in tenants since the last look; `*` stands for all of them.

        Raises:
            UnavailableError: the database is away.
        """
        async with self._parts.database.reading() as session:
            ends, deeds = await audit.done_since(session, self._trails, None if ANY in tenants else tenants)
        for chain, seq in ends.items():
            _keep(self._trails, chain, seq, MAX_CHAINS)
        rows = (Row(deed.action.partition(":")[0], deed.target, deed.actor) for deed in deeds)
        return [Change(about=row, reason="rows") for row in dict.fromkeys(rows)]

    async def _instances(self, session: storage.Session, tenants: Sequence[str]) -> _Seen:
        held, instances = store.held.c, store.instances.c
        own = sa.or_(sa.false(), *(store.own_bundle(name) for name in self._parts.kinds.capabilities()))
        failed = sa.func.sum(sa.case((standing.failed(), 1), else_=0))
        statement = (
            sa.select(held.bundle, sa.func.count(), failed, sa.func.sum(held.revision), sa.func.max(held.applied_at))
            .join(store.instances, instances.id == held.instance)
            .where(instances.tenant.in_(tenants), store.alive(self._parts.clock()), own)
            .group_by(held.bundle)
        )
        return {
            ("instances", resource.Bundle.parse(row[0])): tuple(map(int, row[1:]))
            for row in await session.all(statement)
        }


async def _drafts(session: storage.Session, tenants: Sequence[str]) -> _Seen:
    drafts = resource_store.drafts.c
    statement = (
        sa.select(*_PLACE, sa.func.count(), sa.func.max(drafts.version))
        .join(resource_store.drafts, drafts.bundle == _bundle.id)
        .where(_bundle.tenant.in_(tenants))
        .group_by(*_PLACE)
    )
    return {("draft", resource_store.address(row)): tuple(row[5:]) for row in await session.all(statement)}


async def _requests(session: storage.Session, tenants: Sequence[str]) -> _Seen:
    requests = resource_store.requests.c
    waiting = sa.func.sum(sa.case((requests.state == "waiting", 1), else_=0)).label("waiting")
    statement = (
        sa.select(*_PLACE, sa.func.count().label("number"), waiting, sa.func.max(requests.id).label("newest"))
        .join(resource_store.requests, requests.bundle == _bundle.id)
        .where(_bundle.tenant.in_(tenants), requests.state.in_(OPEN))
        .group_by(*_PLACE)
    )
    return {
        ("request", resource_store.address(row)): (row.number, int(row.waiting), row.newest)
        for row in await session.all(statement)
    }


def _keep(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
