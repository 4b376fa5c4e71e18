"""Relay: messages that wait in the store until their time, and go to their broker then.

They lie on a topic of the store that belongs to the link. Every process that uses the link takes part in sending them when they are
due, so that one is enough. They are sent before the store is told, under the id that they had: twice at worst, never not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from qiantang.kernel import errors, observe
from qiantang.messaging.model import Frame, Subscription, Taken, Topic, envelope
from qiantang.messaging.port import Broker, Receiver, SendOutcome, Settle, Store

log = observe.BoundedLog(logging.getLogger(__name__))

GOAL: Final = "mf-to"
"""The header that says where a message goes that lies on the relay's topic."""
GROUP: Final = "mf-relay"
QUEUES: Final = 4
MOST: Final = 200
MOST_BYTES: Final = 4 * 1024 * 1024
FETCH_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 5.0
REFUSED_SECONDS: Final = 300.0
"""How long a message waits that its broker will not have: until somebody mends that, or it expires. It is never given up."""
FAILED_SECONDS: Final = 1.0


class DelayRelay:
    """Of one link."""

    def __init__(self, link: str, inner: Broker, store: Store, member: str) -> None:
        self._inner = inner
        self._store = store
        self._member = member
        self._link = link
        self._topic = Topic(name=f"delay.{link.replace('/', '.')}"[:100], clusters=["store"], queues=QUEUES)
        self._known: set[str] = set()
        self._ready = False
        self._turn = asyncio.Lock()
        self._receiver: Receiver | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take part in sending."""
        self._task = asyncio.create_task(self._run(), name=f"delayed messages of {self._link}")

    async def close(self) -> None:
        """Take no part any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        if self._receiver is not None:
            await self._receiver.close()

    async def hold(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Keep frames until their time."""
        name = self._topic.name
        try:
            broker = await self._opened()
        except errors.QiantangError as error:
            return [SendOutcome.refused(error)] * len(frames)
        return await broker.send(
            [
                # in turns over the queues: these have no order among themselves, their times are their order
                msgspec.structs.replace(one, topic=name, key="", queue=-1, text={**one.text, GOAL: one.topic})
                for one in frames
            ]
        )

    async def cancel(self, id: str) -> bool:
        """Take one back; say whether it was still there."""
        return await (await self._opened()).cancel(self._topic.name, id)

    # -- inside ------------------------------------------------------------------------------------------

    async def _opened(self) -> Broker:
        """Give the store's broker, with the topic on it."""
        async with self._turn:
            if not self._ready:
                await self._store.open()
                await self._store.broker.ensure(self._topic, [self._group])
                self._ready = True
        return self._store.broker

    @property
    def _group(self) -> Subscription:
        return Subscription(group=GROUP, topic=self._topic.name)

    async def _run(self) -> None:
        while True:
            try:
                await self._relay()
                log.recovered(self._link, "delayed messages go out again")
            except Exception as error:
                log.failure(self._link, "delayed messages cannot be sent", error=error)
                await asyncio.sleep(FAILED_SECONDS)

    async def _relay(self) -> None:
        if self._receiver is None:
            self._receiver = await (await self._opened()).receive(self._group, self._member)
        due = await self._receiver.fetch(MOST, MOST_BYTES, FETCH_SECONDS)
        if not due:
            return
        frames = [_restored(one) for one in due]
        await self._have(frames)
        outcomes = await self._inner.send(frames)
        settles = [self._settled(taken, outcome) for taken, outcome in zip(due, outcomes, strict=True)]
        await self._receiver.settle(settles)

    async def _have(self, frames: Sequence[Frame]) -> None:
        """Have the broker know topics that only another process has sent to: they are there already."""
        for name in {one.topic for one in frames} - self._known:
            await self._inner.ensure(Topic(name=name, clusters=["store"], queues=1))
            self._known.add(name)

    def _settled(self, taken: Taken, outcome: SendOutcome) -> Settle:
        if outcome.verdict == "accepted":
            return Settle(taken=taken)
        error = outcome.error or errors.UnavailableError("no reason was given")
        log.failure(self._link, "a delayed message could not be sent, and is tried again", error=error)
        return Settle(taken=taken, what="later", after=AGAIN_SECONDS if error.retryable else REFUSED_SECONDS)


def _restored(taken: Taken) -> Frame:
    """Give the frame as it was, but that it need not be held back any more."""
    frame = taken.frame
    text = dict(frame.text)
    topic = text.pop(GOAL, "")
    return msgspec.structs.replace(envelope.framed(topic, frame.body, text, frame.binary), deliver_at=0)
