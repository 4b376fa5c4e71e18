"""Shrinking: a topic that is to have fewer queues is sent to in the first of them alone, and nothing is lost or overtaken by it.

What has no key goes to these at once. The keys of the other queues move there once the groups have finished all that is in them.
The choice is made right before the broker, so that whatever sends goes by it: lines, offline stores, outboxes, delays.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from qiantang.kernel import errors, observe
from qiantang.messaging.client.moving import Move
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Frame, Shrinking, Subscription, Topic
from qiantang.messaging.model.spreading import queue_of_key
from qiantang.messaging.port import Broker, Capabilities, Lag, Receiver, SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))

LOOK_SECONDS = 0.1
STAYING_SECONDS = 2.0
UNKNOWN: Final = 1 << 62
_MOVING: Final = "the keys of topic {topic} are just moving to other queues"
Send = Callable[[Sequence[Frame]], Awaitable[Sequence[SendOutcome]]]
Ask = Callable[[str, str, int], Awaitable[Lag]]


class Shrink:
    """Of one topic on one broker. `count` says how many queues it has there, `ask` what a group has not finished of those from a
    number on.
    """

    def __init__(self, link: str, topic: str, said: Shrinking, count: Callable[[str], int], ask: Ask) -> None:
        self.said = said
        self.move = Move()
        self._topic = topic
        self._name = f"{topic} at {link}"
        self._count = count
        self._ask = ask
        self._changed = asyncio.Event()
        self._used = False
        self._looking: asyncio.Task[None] | None = None

    def is_leaving(self, frame: Frame) -> bool:
        """Whether a message belongs to a queue that is to become empty, by its key or since its router chose it."""
        if self.move.state == "moved" or (frame.queue < 0 and not frame.key):
            return False
        count = self._count(self._topic)
        if not count:
            return True  # nobody knows yet: better it waits for nothing than is overtaken
        return (frame.queue % count if frame.queue >= 0 else queue_of_key(frame.key, count)) >= self.said.queues

    def place(self, frame: Frame, turn: int) -> None:
        """Have a message go to one of the queues that stay."""
        queues = self.said.queues
        if frame.queue >= 0:
            frame.queue %= queues
        else:
            frame.queue = queue_of_key(frame.key, queues) if frame.key else turn % queues

    async def wait(self) -> None:
        """Wait while nothing may be sent to the queues that are to become empty."""
        while self.move.state == "holding":
            self.look()
            self._changed.clear()
            await self._changed.wait()

    def look(self) -> None:
        """Have it looked at from now on, for as long as somebody sends."""
        self._used = True
        if self.move.state != "moved" and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_on(), name=f"the shrinking of {self._name}")

    def end(self) -> None:
        """Look no more, and have nobody wait."""
        self.move.stay()
        self._changed.set()
        if self._looking is not None:
            self._looking.cancel()

    async def close(self) -> None:
        """Look no more, and wait until that is so."""
        self.end()
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def _look_on(self) -> None:
        while self._used or self.move.state == "holding":
            self._used = False
            counts = self.move.may_count(time.monotonic())
            self.move.saw(await self._unfinished(), time.monotonic(), counts=counts)
            if self.move.state != "holding":
                self._changed.set()
            if self.move.state == "moved":
                log.recovered(self._name, "the keys of queues that are to become empty moved to others")
                return
            await asyncio.sleep(LOOK_SECONDS if self.move.state == "holding" else STAYING_SECONDS)

    async def _unfinished(self) -> int:
        """Count what the groups have not finished; so much that nobody waits for it where that is not known."""
        try:
            lags = [await self._ask(self._topic, one, self.said.queues) for one in self.said.groups]
        except errors.QiantangError as error:
            log.failure(self._name, "whether queues that are to become empty are so cannot be found out", error=error)
            return UNKNOWN
        return sum(one.messages for one in lags)


class Shrinks:
    """The topics that shrink on one broker, named `link`. `count` and `ask` are as for `Shrink`."""

    def __init__(self, link: str, count: Callable[[str], int], ask: Ask) -> None:
        self._link = link
        self._count = count
        self._ask = ask
        self._turns = itertools.count()
        self._topics: dict[str, Shrink] = {}

    def __bool__(self) -> bool:
        """Whether any topic shrinks."""
        return bool(self._topics)

    def know(self, topics: Mapping[str, Topic]) -> None:
        """Have the topics as they are now; one that shrinks as before goes on."""
        before, self._topics = self._topics, {}
        for topic in topics.values():
            if topic.shrink is None:
                continue
            known = before.get(topic.name)
            if known is not None and known.said == topic.shrink:
                self._topics[topic.name] = before.pop(topic.name)
            else:
                self._topics[topic.name] = Shrink(self._link, topic.name, topic.shrink, self._count, self._ask)
        for one in before.values():
            one.end()

    async def close(self) -> None:
        """Look at nothing any more."""
        topics, self._topics = self._topics, {}
        for one in topics.values():
            await one.close()

    async def admit(self, frames: Sequence[Frame]) -> Callable[[], None] | None:
        """Wait until messages may be sent; give what to call once that is over, if any goes to queues that are to become empty."""
        while True:
            leaving = self._leaving(frames)
            waited = next((one for one in leaving if one.move.state == "holding"), None)
            if waited is None:
                break
            await waited.wait()
        for one in leaving:
            one.look()
        _begin(leaving)
        return functools.partial(_end, leaving) if leaving else None

    def _leaving(self, frames: Sequence[Frame]) -> Mapping[Shrink, int]:
        """Count, for each topic, the messages that belong to queues that are to become empty."""
        placed = ((self._topics.get(frame.topic), frame) for frame in frames)
        return Counter(one for one, frame in placed if one is not None and one.is_leaving(frame))

    async def send(self, frames: Sequence[Frame], send: Send) -> Sequence[SendOutcome]:
        """Send messages, each to a queue that it may go to; those of keys that are just moving are refused until that is over."""
        if not self._topics:
            return await send(frames)
        turn, refused, leaving = next(self._turns), dict[int, SendOutcome](), Counter[Shrink]()
        for place, frame in enumerate(frames):
            one = self._topics.get(frame.topic)
            if one is None:
                continue
            if not one.is_leaving(frame):
                one.place(frame, turn)
            elif one.move.state == "holding" and one.move.is_quiet:
                refused[place] = SendOutcome.refused(BrokerAwayError(_MOVING.format(topic=frame.topic)))
                one.look()
            else:
                leaving[one] += 1
        _begin(leaving)
        unsure = True
        try:
            outcomes = iter(await send([frame for place, frame in enumerate(frames) if place not in refused]))
            found = [refused[place] if place in refused else next(outcomes) for place in range(len(frames))]
            unsure = any(one.verdict == "unknown" for one in found)
            return found
        finally:
            _end(leaving, unsure=unsure)


def _begin(leaving: Mapping[Shrink, int]) -> None:
    for one, count in leaving.items():
        one.move.begin(count)


def _end(leaving: Mapping[Shrink, int], *, unsure: bool = False) -> None:
    for one, count in leaving.items():
        one.move.end(count, time.monotonic(), unsure=unsure)


class ShrinkingBroker:
    """A broker whose topics may shrink. All but sending is the broker's own."""

    def __init__(self, inner: Broker, shrinks: Shrinks) -> None:
        self.inner = inner
        self._shrinks = shrinks

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        await self.inner.ensure(topic, groups)

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        return await self._shrinks.send(frames, self.inner.send)

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> Receiver:
        return await self.inner.receive(subscription, member, queues)

    async def cancel(self, topic: str, id: str) -> bool:
        return await self.inner.cancel(topic, id)

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        return await self.inner.lag(topic, group, first)

    def queues(self, topic: str) -> int:
        return self.inner.queues(topic)
