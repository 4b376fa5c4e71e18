"""Heads: what this server knows of each bundle. A hint may make it ask again; only the database says what is true."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from qiantang.kernel import errors, resource, wire
from qiantang_server.kernel import storage
from qiantang_server.kernel.access import Principal
from qiantang_server.kernel.cache.port import ReleaseCache
from qiantang_server.kernel.resources import state as states
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service import ground
from qiantang_server.kernel.resources.service.ground import Ground, Published
from qiantang_server.kernel.resources.service.publishing import Step, append
from qiantang_server.kernel.resources.state import State

log = logging.getLogger(__name__)
MAX_HEADS = 50_000
MAX_EPOCHS_AHEAD = 1000
MAX_REVISION = 1 << 50
CLAIM_EVERY_MS = 60_000
CLAIMS_AMONG = 50
"""How many of the newest releases are looked through for an earlier claim."""


@dataclass(frozen=True, slots=True)
class Known:
    """A bundle as this server last saw it."""

    key: int
    position: resource.Position
    state: State

    @classmethod
    def of(cls, published: Published) -> Known:
        """Give what is known of a bundle right after its release."""
        return cls(published.key, published.position, published.state)


EMPTY = Known(0, resource.NOWHERE, State())


class Heads:
    """A bounded cache of heads, filled from the release cache or the database, corrected by hints and reconciling."""

    def __init__(self, parts: Ground, cache: ReleaseCache, principal: Principal) -> None:
        self._parts = parts
        self._cache = cache
        self._principal = principal
        self._known: OrderedDict[resource.Bundle, Known] = OrderedDict()

    def clock(self) -> int:
        """Give this server's clock in milliseconds."""
        return self._parts.clock()

    def learn(self, published: Published) -> None:
        """Take over what a transaction of this server just made durable."""
        self._keep(published.bundle, Known.of(published))

    def hint(self, bundle: resource.Bundle, position: resource.Position) -> bool:
        """Hear that a bundle has reached a position; say whether that is news to this server."""
        known = self._known.get(bundle)
        if known is None:
            return True
        if known.position >= position:
            return False
        del self._known[bundle]
        return True

    async def get(self, bundle: resource.Bundle, at_least: resource.Position = resource.NOWHERE) -> Known:
        """Give a bundle at a position not older than `at_least`.

        A caller that has seen a position which the database has not proves that the database was set back to an older
        copy: the epoch rises, so that every receiver takes what is there now.

        Raises:
            UnavailableError: neither memory nor the database could tell.
        """
        known = self._known.get(bundle)
        if known is not None and known.position >= at_least:
            return known
        found = await self._from_cache(bundle, at_least)
        if found is None:
            found = await self._from_database(bundle)
            if found.position < at_least:
                found = await self._restored(bundle, at_least, claimed=True)
        return self._keep(bundle, found)

    async def reconcile(self, bundles: Iterable[resource.Bundle]) -> list[tuple[resource.Bundle, resource.Position]]:
        """Compare bundles with the database; give those that moved without this server hearing of it.

        One that is behind what is known here proves that the database was set back while this server ran, or while the
        release cache kept what it had: that is repaired.
        """
        watched = list(bundles)
        wanted = {known.key: bundle for bundle in watched if (known := self._known.get(bundle)) and known.key}
        unknown = [bundle for bundle in watched if (known := self._known.get(bundle)) is None or not known.key]
        async with self._parts.database.reading() as session:
            rows = await store.positions(session, list(wanted))
        there = {wanted[row.id]: resource.Position(epoch=row.epoch, revision=row.revision) for row in rows}
        moved: list[tuple[resource.Bundle, resource.Position]] = []
        for bundle in wanted.values():
            position = there.get(bundle, resource.NOWHERE)
            known = self._known.get(bundle)
            if known is not None and position < known.position:
                moved += await self._if_set_back(bundle, known)
            elif self.hint(bundle, position):
                moved.append((bundle, position))
        async with self._parts.database.reading() as session:
            begun = await store.begun(session, unknown)
        for bundle in begun:
            found = self._keep(bundle, await self._from_database(bundle))
            moved.append((bundle, found.position))
        return moved

    async def prove(self, bundle: resource.Bundle) -> None:
        """Compare one bundle with the database: something that is known of it here is not there."""
        known = self._known.get(bundle)
        if known is not None:
            await self._if_set_back(bundle, known)

    async def _if_set_back(
        self, bundle: resource.Bundle, known: Known
    ) -> list[tuple[resource.Bundle, resource.Position]]:
        """Repair a bundle that the database holds at an older position; another server's publish may have been faster."""
        found = await self._restored(bundle, known.position)
        self._keep(bundle, found)
        return [(bundle, found.position)] if found.position != known.position else []

    def encoded(self, known: Known) -> bytes:
        """Write what the release cache keeps of a revision: its state, under the key of its bundle."""
        return wire.encode({"key": known.key, "state": known.state})

    async def _from_cache(self, bundle: resource.Bundle, at_least: resource.Position) -> Known | None:
        if at_least == resource.NOWHERE:
            return None
        try:
            position = await self._cache.get_head(str(bundle))
            if position is None or position < at_least:
                return None
            blob = await self._cache.get_release(str(bundle), position)
        except errors.UnavailableError:
            return None
        if blob is None:
            return None
        try:
            held = wire.decode(blob, _Cached)
        except errors.InvalidRequestError:  # put there by a server of another version, while they are being replaced
            return None
        return Known(held.key, position, held.state)

    async def _from_database(self, bundle: resource.Bundle) -> Known:
        async with self._parts.database.reading() as session:
            head = await ground.head(session, bundle)
        return Known(head.key, head.position, head.state)

    async def _restored(self, bundle: resource.Bundle, seen: resource.Position, *, claimed: bool = False) -> Known:
        """Move a bundle above a position that the database has not.

        A receiver may only claim to have seen it. What a liar can do with that is bounded: the epoch rises by little, and
        not again for a while.

        Raises:
            InvalidRequestError: no server can have given that position.
            UnavailableError: it was raised a moment ago upon another claim.
        """

        async def work(session: storage.Session) -> bool:
            if claimed and await store.find_bundle(session, bundle) is None:
                await self._parts.directory.require_application(session, bundle.scope)
            row = await store.lock_bundle(session, bundle, self._parts.clock())
            head = await ground.head_of(session, row)
            position = states.restored(head.position, seen)
            if position is None:
                return False
            if claimed:
                await self._require_credible(session, bundle, head, seen)
            raised = ground.Head(head.key, position, head.state)
            step = Step(
                action="restore",
                principal=self._principal,
                message=f"the database was set back: {seen} had been seen, it held {head.position}",
                state=head.state,
                changed=[],
            )
            await append(session, self._parts, bundle, raised, step)
            return True

        if await self._parts.database.write(work):
            log.error(
                "the database was set back to an older copy; receivers take over what it holds now",
                extra={"bundle": str(bundle), "seen": str(seen)},
            )
        return await self._from_database(bundle)

    async def _require_credible(
        self, session: storage.Session, bundle: resource.Bundle, head: ground.Head, seen: resource.Position
    ) -> None:
        if seen.epoch > max(head.position.epoch, 1) + MAX_EPOCHS_AHEAD or seen.revision > MAX_REVISION:
            raise errors.InvalidRequestError(f"no server of this platform ever gave the position {seen} of {bundle}")
        last = await store.list_releases(session, head.key, head.position.revision + 1, CLAIMS_AMONG)
        since = self._parts.clock() - CLAIM_EVERY_MS
        if any(row.action == "restore" and row.created_at > since for row in last):
            raise errors.UnavailableError(
                f"{bundle} was raised above what had been seen a moment ago: {seen} is looked at again in a minute",
                retry_after=CLAIM_EVERY_MS / 1000,
            )

    def _keep(self, bundle: resource.Bundle, known: Known) -> Known:
        """Keep what was found, unless something newer was heard of while it was looked for; give what is kept."""
        held = self._known.get(bundle)
        if held is not None and held.position > known.position:
            return held
        self._known[bundle] = known
        self._known.move_to_end(bundle)
        while len(self._known) > MAX_HEADS:
            self._known.popitem(last=False)
        return known


class _Cached(wire.Wire, frozen=True):
    key: int
    state: State
