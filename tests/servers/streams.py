"""Streams: numbers that are sent by key while something breaks: none may be lost, and of a key none seen out of its order."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Callable
from typing import cast

from qiantang.kernel import errors
from qiantang.messaging import Context, Message, MessageBus, RetryPolicy, Subscription, Topic
from qiantang.messaging.port import Broker, HoldingReceiver, Receiver, Settle
from qiantang.messaging.testing import Rig, Taker, until

QUICK = RetryPolicy(attempts=200, backoff="fixed", first=0.05, jitter=0)
LONG = 60.0


async def finished(bus: MessageBus, topic: Topic) -> None:
    """Wait until the group has finished everything; its broker may be just coming back."""
    ends = time.monotonic() + LONG
    lag: object = None
    while time.monotonic() < ends:
        with contextlib.suppress(errors.UnavailableError):
            if not (lag := await bus.lag(topic.name)).messages:
                return
        await asyncio.sleep(0.05)
    raise AssertionError(lag)


class Stream:
    """Numbers that are sent by key, each again under its id until it is accepted, and what was seen of them."""

    def __init__(self, bus: MessageBus, topic: Topic, keys: int = 5) -> None:
        self.bus, self.topic, self.keys = bus, topic, keys
        self.sent = 0
        self.seen: dict[str, list[int]] = defaultdict(list)
        self.verdicts: list[str] = []
        self.fails: Callable[[], bool] = lambda: False

    async def take(self, body: int, context: Context) -> None:
        """Take one, or fail now and then."""
        await asyncio.sleep(0.001)
        if self.fails():
            raise ValueError("now and then")
        self.seen[context.key].append(body)

    async def send(self, count: int, deadline: float = 5.0) -> None:
        """Send so many more, five at a time, one of each key: of a key the next goes out once the one before is accepted."""
        for _ in range(count // self.keys):
            await self._send_one_of_each_key(deadline)

    async def send_until(self, over: asyncio.Event, pause: float = 0.03, deadline: float = 5.0) -> None:
        """Go on sending as `send` does, a little after each five, until it is over."""
        while not over.is_set():
            await self._send_one_of_each_key(deadline)
            await asyncio.sleep(pause)

    async def _send_one_of_each_key(self, deadline: float) -> None:
        messages = [
            Message(topic=self.topic.name, body=number, key=f"k{number % self.keys}")
            for number in range(self.sent, self.sent + self.keys)
        ]
        self.sent += self.keys
        while messages:
            sent = await self.bus.send_many(messages, deadline=deadline)
            self.verdicts += [one.outcome for one in sent]
            messages = [message for message, one in zip(messages, sent, strict=True) if not one.ok]
            if messages:
                await asyncio.sleep(0.05)

    def complete(self) -> bool:
        """Whether everything was seen."""
        return sum(len(set(numbers)) for numbers in self.seen.values()) == self.sent

    def progress(self) -> dict[str, int]:
        """How many were seen of each key."""
        return {key: len(set(numbers)) for key, numbers in self.seen.items()}

    def check(self) -> None:
        """See that of a key nothing came out of its order."""
        for key in range(self.keys):
            firsts = list(dict.fromkeys(self.seen[f"k{key}"]))
            assert firsts == list(range(key, self.sent, self.keys)), "twice perhaps, never out of order"


async def consuming(rig: Rig, topic: Topic, members: int = 1) -> tuple[Stream, list[MessageBus]]:
    """Have members consume a topic in order, and give what is sent to it and seen of it."""
    buses = [await rig.bus(topic) for _ in range(members)]
    stream = Stream(buses[0], topic)
    for bus in buses:
        bus.subscribe(topic.name, order="key", retry=QUICK, concurrency=8)(stream.take)
        await rig.joined(bus, topic)
    return stream, buses


async def a_server_is_killed_twice(
    rig: Rig, kill: Callable[[], object], start: Callable[[], object], settled: float = 0.0
) -> None:
    """Have a server killed and started again while it is sent to and a tenth of what is handled fails.

    Args:
        settled: Seconds after which what was made on the server outlives a kill.
    """
    topic = rig.topic()
    stream, (bus, _) = await consuming(rig, topic, 2)
    dice = random.Random(1)
    stream.fails = lambda: dice.random() < 0.1
    await stream.send(100)
    await asyncio.sleep(settled)
    over = asyncio.Event()
    sending = asyncio.create_task(stream.send_until(over))
    for _ in range(2):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(start)
        await asyncio.sleep(2)
    over.set()
    await sending
    await until(stream.complete, stream.progress)
    stream.check()
    assert set(stream.verdicts) - {"accepted"}, "the server was away while it was sent to"
    await finished(bus, topic)


async def members_come_and_go(rig: Rig) -> None:
    """Have members come and go while a fifth of what is handled fails: nothing is lost, and the order of no key."""
    topic = rig.topic(queues=5)
    stream, (bus,) = await consuming(rig, topic)
    dice = random.Random(7)
    stream.fails = lambda: dice.random() < 0.2
    sending = asyncio.create_task(stream.send(600))
    for _ in range(3):
        other = rig.made(topic, close_seconds=2.0)
        await other.open()
        other.subscribe(topic.name, order="key", retry=QUICK, concurrency=8)(stream.take)
        await rig.joined(other, topic)
        await asyncio.sleep(1.5)
        await other.close()
    await sending
    await until(stream.complete, stream.progress)
    stream.check()
    await finished(bus, topic)


async def queues_are_shared_out(rig: Rig, seconds: float = LONG) -> tuple[Topic, Callable[[], list[int]]]:
    """Have three members come and two go: each holds its share; give the topic, and what tells how many queues each holds."""
    topic = rig.topic(queues=4)
    buses = [await rig.bus(topic) for _ in range(3)]

    def holds() -> list[int]:
        found = [consumer for bus in buses for consumer in bus.consumers(topic.name)]
        return sorted(len(one._receiver._inner.holds) for one in found if one._receiver is not None)  # type: ignore[union-attr]

    for bus, wanted in zip(buses, ([4], [2, 2], [1, 1, 2]), strict=True):
        bus.subscribe(topic.name)(Taker())
        await until(lambda wanted=wanted: holds() == wanted, holds, seconds)
    await buses.pop(0).close()
    await until(lambda: holds() == [2, 2], holds, seconds)
    await buses.pop(0).close()
    await until(lambda: holds() == [4], holds, seconds)
    return topic, holds


async def a_newcomer_gets_its_share(
    broker: Broker, topic: Topic, holds: Callable[[], list[int]], seconds: float = LONG
) -> None:
    """Have a member join over another connection, and leave while that stays."""
    group = Subscription(group="order", topic=topic.name)
    await broker.ensure(topic, [group])
    receiver = cast("HoldingReceiver", await broker.receive(group, "other"))
    await until(lambda: (holds(), len(receiver.holds)) == ([2], 2), holds, seconds)
    await receiver.close()
    await until(lambda: holds() == [4], holds, seconds)


async def take(receiver: Receiver, taken: list[str], count: int, seconds: float = LONG) -> None:
    """Take and settle until so many ids were taken in all."""
    ends = time.monotonic() + seconds
    while len(taken) < count:
        assert time.monotonic() < ends, taken
        batch = await receiver.fetch(100, 10**6, 0.5)
        taken.extend(one.frame.id for one in batch)
        await receiver.settle([Settle(taken=one) for one in batch])
