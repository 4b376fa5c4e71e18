"""Memory: a broker inside the process, for tests and for programs that talk to themselves.

All brokers of a process that name the same address are one: `memory://orders`. What they hold ends with the process. Any
number of buses, on any loops and threads, may use it at once.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

from qiantang.messaging.adapters.memory.groups import Entry, Group
from qiantang.messaging.errors import BrokerAwayError, BusClosedError, UnknownTopicError
from qiantang.messaging.model import Frame, Resource, Subscription, Taken, Topic
from qiantang.messaging.port import Capabilities, Feature, Lag, SendOutcome, Settle

CAPABILITIES: Final = Capabilities(native=frozenset(Feature), version="1")


class _Topic:
    """A topic with its queues and groups."""

    def __init__(self, queues: int) -> None:
        self.queues = queues
        self.groups: dict[str, Group] = {}
        self.positions = [0] * queues
        self.turns = itertools.count()


class Space:
    """What all brokers of one address share. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.away = False
        self._lock = threading.RLock()
        self._topics: dict[str, _Topic] = {}
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._number = 0

    def ensure(self, topic: Topic, groups: Collection[Subscription]) -> None:
        """Make a topic, more queues of it, and groups."""
        with self._lock:
            held = self._topics.setdefault(topic.name, _Topic(topic.queues))
            if topic.queues > held.queues:
                held.positions += [0] * (topic.queues - held.queues)
                held.queues = topic.queues
            for one in groups:
                held.groups.setdefault(one.group, Group(ordered=one.order == "key", tags=one.tags))

    def send(self, frames: Sequence[Frame]) -> list[SendOutcome]:
        """Put frames into all groups of their topics."""
        with self._lock:
            self.require()
            outcomes = [self._put(frame) for frame in frames]
        self.wake()
        return outcomes

    def end(self, topic: str, group: str) -> None:
        """End a group with all that waits for it."""
        with self._lock:
            self._topics[topic].groups.pop(group, None)

    def group(self, topic: str, group: str) -> Group:
        """Find a group."""
        held = self._topics.get(topic)
        found = held.groups.get(group) if held is not None else None
        if found is None:
            raise UnknownTopicError(f"the broker has no group {group!r} of a topic {topic!r}")
        return found

    def queues(self, topic: str) -> int:
        """Say how many queues a topic has; 0 where there is none."""
        held = self._topics.get(topic)
        return held.queues if held is not None else 0

    def require(self) -> None:
        """Pass where the broker is there; a test may take it away."""
        if self.away:
            raise BrokerAwayError("the broker in memory is away")

    def locked(self) -> threading.RLock:
        """The lock of all that it holds."""
        return self._lock

    def cancel(self, topic: str, id: str) -> bool:
        """Take a held back frame out of every group."""
        with self._lock:
            held = self._topics.get(topic)
            found = [group.cancel(id, self.clock()) for group in held.groups.values()] if held is not None else []
        return any(found)

    def wake(self) -> None:
        """Have everybody who waits look again: something came, or time was moved."""
        with self._lock:
            waiting = list(self._waiting)
        for loop, event in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def waits(self, event: asyncio.Event) -> tuple[asyncio.AbstractEventLoop, asyncio.Event]:
        """Have an event of the running loop set at each wake, until `leaves`."""
        waiter = (asyncio.get_running_loop(), event)
        with self._lock:
            self._waiting.add(waiter)
        return waiter

    def leaves(self, waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event]) -> None:
        """Forget one that waits."""
        with self._lock:
            self._waiting.discard(waiter)

    def _put(self, frame: Frame) -> SendOutcome:
        held = self._topics.get(frame.topic)
        if held is None:
            return SendOutcome.refused(UnknownTopicError(f"the broker has no topic {frame.topic!r}"))
        queue = frame.queue_of(held.queues, held.turns)
        position = held.positions[queue]
        held.positions[queue] += 1
        now = self.clock()
        for group in held.groups.values():
            self._number += 1
            group.add(Entry(frame, self._number, f"{queue}", position, frame.deliver_at / 1000 or now), now)
        return SendOutcome(verdict="accepted", queue=f"{queue}", position=position)


class MemoryReceiver:
    """One member's hold."""

    def __init__(self, space: Space, subscription: Subscription, member: str, queues: Collection[str]) -> None:
        self._space = space
        self._topic, self._name = subscription.topic, subscription.group
        self._ends_group = subscription.broadcast
        self._member = member
        self._held: set[int] = set()
        with space.locked():
            space.group(self._topic, self._name).ask(member, queues)
        self._hold = 1
        self._paused = False
        self._closed = False
        self._event = asyncio.Event()
        self._waiter = space.waits(self._event)

    async def fetch(self, count: int, size: int, wait: float) -> list[Taken]:
        ends = time.monotonic() + wait
        while True:
            self._event.clear()
            taken, due = self._take(count, size)
            left = ends - time.monotonic()
            if taken or left <= 0:
                return taken
            await self._wait(left if due is None else min(left, max(0.001, due)))

    async def settle(self, settles: Sequence[Settle]) -> None:
        if self._closed:
            return
        with self._space.locked():
            self._space.require()
            group = self._space.group(self._topic, self._name)
            for one in settles:
                number: int = one.taken.handle
                if one.taken.hold != self._hold or number not in self._held:
                    continue
                self._held.discard(number)
                if one.what == "done":
                    group.done([number])
                elif one.what == "back":
                    group.back([number])
                else:
                    group.later(number, self._space.clock() + one.after)
        self._space.wake()

    async def pause(self) -> None:
        self._paused = True

    async def resume(self) -> None:
        self._paused = False
        self._event.set()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._space.leaves(self._waiter)
        with self._space.locked():
            group = self._space.group(self._topic, self._name)
            group.back(self._held)
            group.ask(self._member, ())
            self._held.clear()
            if self._ends_group:
                self._space.end(self._topic, self._name)
        self._space.wake()
        self._event.set()

    def lose(self) -> None:
        """Lose the connection, as a test wants it: what is held goes to others, and what is settled later is too late."""
        with self._space.locked():
            self._space.group(self._topic, self._name).drop(self._member)
            self._held.clear()
            self._hold += 1
        self._space.wake()

    def _take(self, count: int, size: int) -> tuple[list[Taken], float | None]:
        if self._closed:
            raise BusClosedError(f"the receiver of {self._name} is closed")
        if self._paused:
            return [], None
        with self._space.locked():
            self._space.require()
            now = self._space.clock()
            group = self._space.group(self._topic, self._name)
            entries = group.take(self._member, count, size, now)
            self._held.update(one.number for one in entries)
            due = group.next_due()
        taken = [
            Taken(
                frame=one.frame,
                handle=one.number,
                queue=one.queue,
                position=one.position,
                attempt=one.attempt,
                hold=self._hold,
            )
            for one in entries
        ]
        return taken, None if due is None else due - now

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return


class MemoryBroker:
    """A connection to a space."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._receivers: list[MemoryReceiver] = []

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def open(self) -> None:
        self.space.require()

    async def close(self) -> None:
        receivers, self._receivers = self._receivers, []
        for one in receivers:
            await one.close()

    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None:
        self.space.require()
        self.space.ensure(topic, groups)

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        try:
            return self.space.send(frames)
        except BrokerAwayError as error:
            return [SendOutcome.refused(error)] * len(frames)

    async def receive(self, subscription: Subscription, member: str, queues: Collection[str] = ()) -> MemoryReceiver:
        self.space.require()
        self.space.group(subscription.topic, subscription.group)
        receiver = MemoryReceiver(self.space, subscription, member, queues)
        self._receivers.append(receiver)
        return receiver

    async def cancel(self, topic: str, id: str) -> bool:
        return self.space.cancel(topic, id)

    async def lag(self, topic: str, group: str, first: int = 0) -> Lag:
        with self.space.locked():
            held, now = self.space.group(topic, group), self.space.clock()
            return Lag(messages=held.unfinished(first), in_flight=held.in_flight, seconds=held.oldest(now))

    def queues(self, topic: str) -> int:
        return self.space.queues(topic)


_spaces: dict[str, Space] = {}
_guard = threading.Lock()


def space_of(url: str) -> Space:
    """Give the space of an address, made at the first call."""
    with _guard:
        if url not in _spaces:
            _spaces[url] = Space()
        return _spaces[url]


def make(resource: Resource) -> MemoryBroker:
    """Make a broker for a resource whose address is `memory://<name>`."""
    return MemoryBroker(space_of(resource.url))
