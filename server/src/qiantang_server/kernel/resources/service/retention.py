"""Retention: revisions that nobody looks back to, requests long decided, and contents that nothing refers to any more."""

from __future__ import annotations

from dataclasses import dataclass

from qiantang.kernel import wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.resources import retention_store, store
from qiantang_server.kernel.resources.service.ground import Ground
from qiantang_server.kernel.resources.service.plan import Plan
from qiantang_server.kernel.resources.service.requests import OPEN
from qiantang_server.kernel.resources.state import State

DAY_MS = 24 * 3600 * 1000
BUNDLES_AT_ONCE = 200
REVISIONS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows went."""

    revisions: int = 0
    requests: int = 0
    contents: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        """Add them up."""
        return Pruned(self.revisions + other.revisions, self.requests + other.requests, self.contents + other.contents)


class Retention:
    """Deletes history that is old and far back; what is released now, and what anything refers to, always stays."""

    def __init__(self, parts: Ground) -> None:
        self._parts = parts

    async def prune(self, *, kept: int, kept_days: int) -> Pruned:
        """Delete each revision that has at least `kept` newer ones and is older than `kept_days`, and each request decided
        before that; then the contents that only they referred to. Idempotent: what is cut off is done by the next run.
        """
        until = self._parts.clock() - kept_days * DAY_MS
        found, after = Pruned(), 0
        while True:
            async with self._parts.database.reading() as session:
                keys = await retention_store.prunable(
                    session, kept=kept, until=until, open_states=OPEN, after=after, limit=BUNDLES_AT_ONCE
                )
            for key in keys:
                found += await self._prune_bundle(key, kept, until)
            if len(keys) < BUNDLES_AT_ONCE:
                return found
            after = keys[-1]

    async def _prune_bundle(self, key: int, kept: int, until: int) -> Pruned:
        async def work(session: storage.Session) -> Pruned:
            # publishing, the only one that adds contents, waits for this lock
            await store.lock_bundle_by_id(session, key)
            revisions = await retention_store.drop_releases(
                session, key, kept=kept, until=until, limit=REVISIONS_AT_ONCE
            )
            requests = await retention_store.drop_requests(session, key, until=until, open_states=OPEN)
            if not (revisions or requests):
                return Pruned()
            contents = await retention_store.keep_contents(session, key, await _referred(session, key))
            return Pruned(revisions, requests, contents)

        found = Pruned()
        while True:
            done = await self._parts.database.write(work)
            found += done
            if done.revisions < REVISIONS_AT_ONCE:
                return found


async def _referred(session: storage.Session, key: int) -> set[str]:
    """Give the digests that kept revisions, drafts and open requests refer to."""
    digests = {row.base for row in await store.list_drafts(session, key)}
    for row in await store.list_requests(session, key, OPEN, 1 << 30):
        for line in wire.decode(bytes(row.plan), Plan).lines:
            digests |= {line.base, line.digest}
    async for body in retention_store.each_state(session, key):
        state = wire.decode(body, State)
        lines = [*state.items, *(state.gray.put if state.gray else [])]
        digests |= {line.digest for line in lines}
    return digests
