"""Parts: what a bus has of its estate: the brokers, the store, the outbox with its relay, the offline stores.

An estate that comes while the bus runs is taken in as a whole or not at all: everything that may be wrong with it is found out
before anything changes.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from qiantang.kernel import errors
from qiantang.messaging.client.ground import Ground, known_topics
from qiantang.messaging.client.links import Link, Make, Plan, make_store, plan_links
from qiantang.messaging.client.offline import Offline
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.client.spools import Spools
from qiantang.messaging.client.transactions import Relay, make_outbox
from qiantang.messaging.model import Estate, Frame, Topic
from qiantang.messaging.port import Crashed, Outbox, Store


class Next(NamedTuple):
    """An estate that is about to come, with what it needs that is not there yet."""

    estate: Estate
    plan: Plan
    topics: Mapping[str, Topic]
    store: Store | None
    outbox: Outbox | None


class Parts:
    """Of one bus. `refused` makes the dead letter of a message that a broker will never take."""

    def __init__(
        self,
        ground: Ground,
        sender: Sender,
        adapters: Mapping[str, Make] | None,
        refused: Callable[[Frame, BaseException], Frame],
    ) -> None:
        self.estate = Estate()
        self.outbox: Outbox | None = None
        self._ground = ground
        self._sender = sender
        self._adapters = adapters
        self._refused = refused
        self._relay: Relay | None = None
        self._spools: Spools | None = None
        self._shelter: Relay | None = None
        self.crashed: Crashed | None = None
        self._opened = False

    def plan(self, estate: Estate) -> Next:
        """Make what an estate needs, and change nothing yet.

        Raises:
            MisconfiguredError: it cannot work.
        """
        before, member = self.estate, self._ground.member
        _require_store(estate)
        store = self._ground.store if estate.store == before.store else make_store(estate)
        outbox = self.outbox if estate.outbox == before.outbox else make_outbox(estate, member)
        all_move = store is not self._ground.store
        plan = plan_links(self._ground.links, estate, self._adapters, store, member, all_move=all_move)
        for link in plan.new:
            link.others = functools.partial(self._sender.has_other, link)
            link.line.elsewhere = functools.partial(self._sender.elsewhere, link)
        return Next(estate, plan, known_topics(estate, plan.links), store, outbox)

    def adopt(self, coming: Next) -> None:
        """Have the first estate, on a bus that is being made."""
        self.estate, self._ground.store, self.outbox = coming.estate, coming.store, coming.outbox
        self._ground.links = coming.plan.links
        self._sender.know(coming.topics)

    async def change(self, coming: Next) -> None:
        """Have another estate. Consumers of what leaves were closed before, so that nobody receives from it any more.

        Raises:
            QiantangError: the offline stores cannot be opened; messages of those brokers are not kept then.
        """
        plan, before = coming.plan, self.estate
        had_store, had_outbox = self._ground.store, self.outbox
        self.estate, self._ground.store, self.outbox = coming.estate, coming.store, coming.outbox
        self._ground.links = plan.links
        await self._sender.change(coming.topics)
        for link, resource in plan.kept:
            link.know(resource, coming.topics)
        for link, adapter, broker in plan.moved:
            await link.move(adapter, broker, coming.store)
        if self._opened:
            await self._change_relay(had_outbox)
            await self._ground.failures.change(self.estate.failures, self._ground.store)
        await self._let_go(plan.gone)
        if had_store is not None and had_store is not self._ground.store:
            await had_store.close()
        if self._opened:
            await self._change_spools(before, plan)

    async def open(self) -> None:
        """Begin. Connects to no broker.

        Raises:
            QiantangError: the offline stores cannot be opened.
        """
        await self._open_spools()
        self._opened = True
        await self._change_relay(None)
        await self._ground.failures.change(self.estate.failures, self._ground.store)

    async def close_relay(self) -> None:
        """Send nothing any more of what applications commit; it waits for the next process."""
        relay, self._relay = self._relay, None
        if relay is not None:
            await relay.close()

    async def close_shelter(self) -> None:
        """Send nothing any more of what brokers did not take and is in the store; others do, or the next process."""
        relay, self._shelter, self.crashed = self._shelter, None, None
        if relay is not None:
            await relay.close()

    async def finish(self) -> None:
        """Send what waits, or have it on disk."""
        await asyncio.gather(*(one.finish() for one in self._ground.all_links()))
        await self._close_spools()

    async def disconnect(self) -> None:
        """Let go of brokers and store."""
        try:
            await asyncio.gather(*(one.close() for one in self._ground.all_links()))
            await self._ground.failures.close()
        finally:
            if self._ground.store is not None:
                await self._ground.store.close()

    # -- inside ------------------------------------------------------------------------------------------

    async def _change_relay(self, had: Outbox | None) -> None:
        if self.outbox is had:
            return
        await self.close_relay()
        if self.outbox is not None:
            self._relay = Relay(self.outbox, self._sender, self._refused)
            self._relay.start()

    async def _let_go(self, links: Sequence[Link]) -> None:
        await asyncio.gather(*(one.finish() for one in links))
        if self._spools is not None:
            await self._spools.remove([one.name for one in links])
        await asyncio.gather(*(one.close() for one in links))

    async def _change_spools(self, before: Estate, plan: Plan) -> None:
        moves = self.estate.offline is not None and self.estate.offline.to_store_after is not None
        if before.offline != self.estate.offline or (moves and before.store != self.estate.store):
            await self._close_spools()
            await self._open_spools()
        elif self._spools is not None:
            ways = {link.name: link for link in plan.new}
            self._go_offline(ways, await self._spools.add(ways))

    async def _open_spools(self) -> None:
        offline, store = self.estate.offline, self._ground.store
        if offline is not None:
            if offline.to_store_after is not None and store is not None:
                self.crashed = store.crashed(self._ground.member)
                self._shelter = Relay(self.crashed, self._sender, self._refused, "crash table")
                self._shelter.start()
            self._spools = Spools(offline, self._ground.member, self._refused, self.crashed)
            ways = {link.name: link for link in self._ground.all_links()}
            self._go_offline(ways, await self._spools.open(ways))

    async def _close_spools(self) -> None:
        spools, self._spools = self._spools, None
        if spools is not None:
            for link in self._ground.all_links():
                link.go(None)
            await spools.close()
        await self.close_shelter()

    def _go_offline(self, links: Mapping[str, Link], ways: Mapping[str, Offline]) -> None:
        for name, offline in ways.items():
            offline.others = links[name].others
            links[name].go(offline)


def _require_store(estate: Estate) -> None:
    """Refuse what needs a store where there is none."""
    if estate.store is not None:
        return
    if estate.failures is not None:
        raise errors.MisconfiguredError("failures are written to the estate's store, and it has none: give it `store`")
    if estate.dead_letters is not None:
        raise errors.MisconfiguredError("dead letters move to the estate's store, and it has none: give it `store`")
    if estate.offline is not None and estate.offline.to_store_after is not None:
        raise errors.MisconfiguredError(
            "what is kept on disk is to move to the estate's store, and it has none: give it `store`"
        )
    shared = next((one.name for one in estate.topics if any(limit.shared for limit in one.limits)), None)
    if shared is not None:
        raise errors.MisconfiguredError(
            f"topic {shared} has a rate that processes share over the estate's store, and it has none: give it `store`"
        )
