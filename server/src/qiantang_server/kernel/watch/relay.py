"""Relay: carries each new position out of the database. Redis first, then the coordination service, then the streams.

Every step is idempotent and sets only what is newer, and the outbox row goes last: a crash at any point only delays,
because the next sweep of any server does the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Mapping
from types import MappingProxyType

from qiantang.kernel import errors, resource
from qiantang_server.kernel import storage
from qiantang_server.kernel.cache.port import ReleaseCache
from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.kernel.resources import store
from qiantang_server.kernel.resources.service.ground import Published
from qiantang_server.kernel.watch.delivery import Deliveries, links_of
from qiantang_server.kernel.watch.heads import Heads, Known
from qiantang_server.kernel.watch.hub import Hub

log = logging.getLogger(__name__)
SWEEP_SECONDS = 1.0
GRACE_MS = 1500
BATCH = 200
LOG_EVERY = 30.0
MAX_TOLD = 10_000


class Relay:
    """Relays what this server publishes at once, and sweeps up what any server left in the outbox.

    `announce_first`: a coordination service of its own (ZooKeeper) hears before the streams, as CONF-03 has it. Where the
    database coordinates, the announcement is one more transaction that only other servers need, so the streams go first.
    """

    def __init__(
        self,
        database: storage.Database,
        heads: Heads,
        hub: Hub,
        *,
        cache: ReleaseCache,
        coordination: Coordination,
        deliveries: Deliveries,
        announce_first: bool,
    ) -> None:
        self._deliveries = deliveries
        self._announce_first = announce_first
        self._database = database
        self._heads = heads
        self._hub = hub
        self._cache = cache
        self._coordination = coordination
        self._fresh: deque[Published] = deque(maxlen=10_000)
        self._wake = asyncio.Event()
        self._told: OrderedDict[resource.Bundle, resource.Position] = OrderedDict()
        self._complained = 0.0

    def published(self, published: Published) -> None:
        """Hear of a committed position; called on the loop, right after the commit."""
        self._heads.learn(published)
        self._fresh.append(published)
        self._wake.set()

    def has_told(self, bundle: resource.Bundle, position: resource.Position) -> bool:
        """Say whether every stream here was told of this position or a newer one: this server relayed it itself."""
        told = self._told.get(bundle)
        return told is not None and told >= position

    async def run(self) -> None:
        """Relay until cancelled."""
        swept = 0.0
        while True:
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            while self._fresh:
                one = self._fresh.popleft()
                await self._relay(one.bundle, Known.of(one), one.notice, one.contents)
            if time.monotonic() - swept >= SWEEP_SECONDS:
                await self.sweep()
                swept = time.monotonic()

    async def sweep(self) -> int:
        """Relay what has waited in the outbox longer than its own server needs; give how many rows were finished."""
        finished = 0
        try:
            async with self._database.reading() as session:
                until = await session.now() - GRACE_MS
                rows = await store.waiting_notices(session, until, BATCH)
        except errors.QiantangError as error:
            self._complain("the outbox could not be swept", error)
            return 0
        for row in rows:
            bundle = store.address(row)
            position = resource.Position(epoch=row.at_epoch, revision=row.at_revision)
            try:
                known = await self._heads.get(bundle, position)
                finished += await self._relay(bundle, known, row.notice)
            except errors.QiantangError as error:  # one that cannot be relayed does not hold up those behind it
                self._complain("a notice in the outbox could not be relayed", error)
        return finished

    async def _relay(
        self,
        bundle: resource.Bundle,
        known: Known,
        notice: int,
        contents: Mapping[str, bytes] = MappingProxyType({}),
    ) -> bool:
        change = asyncio.create_task(self._change(bundle, known, contents), name="watch-change")
        try:
            return await self._carry(bundle, known, notice, change)
        finally:
            change.cancel()

    async def _carry(
        self, bundle: resource.Bundle, known: Known, notice: int, change: asyncio.Task[bytes | None]
    ) -> bool:
        done = await self._step("the release cache", self._to_cache(bundle, known))
        if not self._announce_first:
            self._tell(bundle, known, await change)
        done &= await self._step("the coordination service", self._coordination.announce(str(bundle), known.position))
        if self._announce_first:
            self._tell(bundle, known, await change)
        if done:
            done = await self._step(
                "the outbox", self._database.write(lambda session: store.finish_notices(session, [notice]))
            )
        return done

    def _tell(self, bundle: resource.Bundle, known: Known, delta: bytes | None) -> None:
        """Tell the streams once: while a part is away the same notice is swept up every second."""
        if self.has_told(bundle, known.position):
            return
        self._told[bundle] = known.position
        self._told.move_to_end(bundle)
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        self._hub.watch_links(bundle, links_of(bundle, known.state))
        self._hub.notice(bundle, known.position, delta)

    async def tell(self, bundle: resource.Bundle, known: Known) -> None:
        """Tell the streams of a position that another server announced."""
        self._hub.notice(bundle, known.position, await self._change(bundle, known))

    async def _change(
        self, bundle: resource.Bundle, known: Known, contents: Mapping[str, bytes] = MappingProxyType({})
    ) -> bytes | None:
        if self._hub.is_watched(bundle) and not self.has_told(bundle, known.position):
            with contextlib.suppress(errors.QiantangError):  # then it is fetched, and whoever fetches hears why not
                return await self._deliveries.change(bundle, known, contents)
        return None

    async def _to_cache(self, bundle: resource.Bundle, known: Known) -> None:
        # side by side: a head whose release is not there yet is read from the database
        await asyncio.gather(
            self._cache.put_release(str(bundle), known.position, self._heads.encoded(known)),
            self._cache.set_head(str(bundle), known.position),
        )

    async def _step(self, what: str, doing: Awaitable[object]) -> bool:
        try:
            await doing
        except errors.QiantangError as error:
            self._complain(f"{what} did not take a position; it is tried again", error)
            return False
        return True

    def _complain(self, message: str, error: errors.QiantangError) -> None:
        at = time.monotonic()
        if at - self._complained > LOG_EVERY:
            self._complained = at
            log.warning("a notice is delayed", extra={"reason": message, "error": error.detail})
