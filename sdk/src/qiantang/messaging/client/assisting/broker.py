"""Broker: one that can do what the broker behind it cannot, with the help of a store, or of the process's memory.

Held back until their time: messages whose broker holds nothing back, or not for so long, wait in the store and go out when they are
due (`relay`). Tried again later: see `receiver`. Left out by tag or age: the client does that everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Final, cast

import msgspec

from qiantang.messaging.client.assisting.parking import MemoryParking
from qiantang.messaging.client.assisting.receiver import AssistedReceiver
from qiantang.messaging.client.assisting.relay import DelayRelay
from qiantang.messaging.errors import FeatureMissingError
from qiantang.messaging.model import Frame, Subscription, Topic
from qiantang.messaging.model.message import DEFAULT_PRIORITY
from qiantang.messaging.port import (
    Broker,
    Capabilities,
    Feature,
    HoldingReceiver,
    Lag,
    Parking,
    Receiver,
    SendOutcome,
    Store,
)

BY_CLIENT: Final = frozenset({Feature.TAGS, Feature.EXPIRY})
BY_MEMORY: Final = frozenset({Feature.LATER})
BY_STORE: Final = frozenset({Feature.LATER, Feature.DELAY, Feature.CANCEL})


class AssistedBroker:
    """The broker behind `link`, which is open already; the store is opened as it is needed. `now` gives seconds since 1970."""

    def __init__(
        self, link: str, inner: Broker, store: Store | None, member: str, now: Callable[[], float] = time.time
    ) -> None:
        self._link = link
        self._inner = inner
        self._store = store
        self._now = now
        self._relay = DelayRelay(link, inner, store, member) if store is not None else None
        emulated = BY_CLIENT | (BY_STORE if store is not None else BY_MEMORY)
        self._native = inner.capabilities.native
        if store is not None and Feature.CANCEL not in self._native:
            self._native -= {Feature.DELAY}  # who holds a message back has to be able to give it back
        self._capabilities = msgspec.structs.replace(
            inner.capabilities, native=self._native, emulated=emulated - self._native
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def open(self) -> None:
        if self._relay is not None:
            self._relay.start()

    async def close(self) -> None:
        if self._relay is not None:
            await self._relay.close()
        await self._inner.close()

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        await self._inner.ensure(topic, groups)

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        if Feature.PRIORITY not in self._inner.capabilities.native and any(
            frame.rank != DEFAULT_PRIORITY for frame in frames
        ):
            return await self._without_ranks(frames)
        held = {place for place, frame in enumerate(frames) if frame.deliver_at and self._is_too_far(frame)}
        if not held:
            return await self._inner.send(frames)
        now = [frame for place, frame in enumerate(frames) if place not in held]
        late = [frame for place, frame in enumerate(frames) if place in held]
        sent = iter(await self._inner.send(now) if now else ())
        kept = iter(await self._hold(late))
        return [next(kept) if place in held else next(sent) for place in range(len(frames))]

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> Receiver:
        if subscription.broadcast and Feature.BROADCAST not in self._inner.capabilities.native:
            raise FeatureMissingError(
                f"{self._link} has no groups that end with their member, and nobody does it in its place"
            )
        if subscription.order == "key" and Feature.ORDER not in self._inner.capabilities.native:
            raise FeatureMissingError(f"{self._link} cannot keep the order of keys, and nobody does it in its place")
        if Feature.LATER in self._inner.capabilities.native:
            return await self._inner.receive(subscription, member, queues)
        parking = await self._parking(subscription)
        inner = await self._inner.receive(subscription, member, queues)
        # the port asks it of brokers without `later`
        return AssistedReceiver(cast("HoldingReceiver", inner), parking, subscription, self._now)

    async def cancel(self, topic: str, id: str) -> bool:
        found = Feature.CANCEL in self._inner.capabilities.native and await self._inner.cancel(topic, id)
        if self._relay is not None:
            return await self._relay.cancel(id) or found
        if Feature.CANCEL not in self._inner.capabilities.native:
            raise FeatureMissingError(self._missing("take a message back"))
        return found

    def queues(self, topic: str) -> int:
        return self._inner.queues(topic)

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        lag = await self._inner.lag(topic, group, first)
        if self._store is None or Feature.LATER in self._inner.capabilities.native:
            return lag
        await self._store.open()
        parked = await self._store.parked(self._link, topic, group, first)
        return Lag(
            messages=lag.messages + parked.messages,
            in_flight=lag.in_flight,
            seconds=max(lag.seconds, parked.seconds),
        )

    # -- inside ------------------------------------------------------------------------------------------

    def _is_too_far(self, frame: Frame) -> bool:
        """Whether the broker cannot hold a frame back so long."""
        if Feature.DELAY not in self._native:
            return frame.deliver_at > self._now() * 1000
        longest = self._inner.capabilities.max_delay
        return longest > 0 and frame.deliver_at > (self._now() + longest) * 1000

    async def _parking(self, subscription: Subscription) -> Parking:
        if (
            self._store is None or subscription.broadcast
        ):  # what a process retries that is a group by itself ends with it
            return MemoryParking(self._now)
        await self._store.open()
        return self._store.parking(self._link, subscription)

    async def _hold(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        if self._relay is not None:
            return await self._relay.hold(frames)
        missing = FeatureMissingError(self._missing("hold a message back until its time"))
        return [SendOutcome.refused(missing)] * len(frames)

    async def _without_ranks(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Send what has no priority; the rest is refused rather than sent as if it had none."""
        missing = FeatureMissingError(f"{self._link} keeps no priorities apart, and nobody does it in its place")
        plain = [frame.rank == DEFAULT_PRIORITY for frame in frames]
        sent = iter(await self.send([frame for frame, is_plain in zip(frames, plain, strict=True) if is_plain]))
        return [next(sent) if is_plain else SendOutcome.refused(missing) for is_plain in plain]

    def _missing(self, what: str) -> str:
        return f"{self._link} cannot {what}, and the estate has no store that does it: give it `store`, a database"
