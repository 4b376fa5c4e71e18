"""CPU: what the framework itself costs for a message of 1 KB with key, tag and header, over a broker that costs next to nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from bench.figures import Value, rounded
from qiantang.kernel import scope
from qiantang.messaging import Cluster, Context, Estate, Message, MessageBus, Packing, Resource, Subscription, Topic
from qiantang.messaging.model import Frame, Taken
from qiantang.messaging.port import Capabilities, Feature, Lag, SendOutcome, Settle

MESSAGES = 20_000
ROUNDS = 7
PLACE = scope.Scope(tenant="bench", environment="bench", center="trade", application="order")


class Order(msgspec.Struct):
    """About a kilobyte as JSON."""

    id: int
    customer: str
    lines: list[str]


BODY = Order(4711, "customer-0815", ["line of an order with some text in it " * 2] * 12)


class Nothing:
    """A broker that takes everything and gives what was sent to it, a batch at a time: a list, and no more."""

    capabilities = Capabilities(native=frozenset(Feature))

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.settled = 0
        self.gate = asyncio.Event()

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def ensure(self, topic: Topic, groups: Collection[Subscription] = ()) -> None: ...

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        self.frames += frames
        return [SendOutcome(verdict="accepted")] * len(frames)

    async def receive(self, _subscription: Subscription, _member: str, _queues: Collection[str] = ()) -> Nothing:
        return self

    async def fetch(self, count: int, _size: int, wait: float) -> list[Taken]:
        if not (self.gate.is_set() and self.frames):
            await asyncio.sleep(min(wait, 0.01))
            return []
        taken, self.frames = self.frames[:count], self.frames[count:]
        return [Taken(frame=one, queue="0", position=0) for one in taken]

    async def settle(self, settles: Sequence[Settle]) -> None:
        self.settled += len(settles)

    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    async def cancel(self, _topic: str, _id: str) -> bool:
        return False

    async def lag(self, _topic: str, _group: str, _first: int = 0) -> Lag:
        return Lag(messages=0)

    def queues(self, _topic: str) -> int:
        return 4


def measure() -> dict[str, Value]:
    """Take the best of several rounds: what disturbs a round only adds to it."""
    found = asyncio.run(_measure())
    return {
        "send_cpu_us": rounded(min(found["many"])),
        "consume_cpu_us": rounded(min(found["consume"])),
        "consume_ordered_cpu_us": rounded(min(found["ordered"])),
        "send_one_cpu_us": rounded(min(found["one"])),
        "body_bytes": len(msgspec.json.encode(BODY)),
    }


async def _measure() -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"many": [], "one": [], "consume": [], "ordered": []}
    for _ in range(ROUNDS):
        found["many"].append(await _send(many=True))
        found["one"].append(await _send(many=False))
        found["consume"].append(await _consume(order="none"))
        found["ordered"].append(await _consume(order="key"))
    return found


def _bus(broker: Nothing) -> MessageBus:
    cluster = Cluster(name="main", adapter="nothing", resources=[Resource(name="one", url="nothing://")])
    topic = Topic(name="orders", clusters=["main"], packing=Packing(codec="json"))
    made: Any = lambda _resource: broker  # noqa: E731
    return MessageBus(Estate(clusters=[cluster], topics=[topic]), PLACE, adapters={"nothing": made})


async def _send(*, many: bool) -> float:
    async with _bus(Nothing()) as bus:
        await bus.send("orders", BODY)
        began = time.process_time()
        if many:
            for start in range(0, MESSAGES, 500):
                await bus.send_many([_message(number) for number in range(start, start + 500)])
        else:
            for start in range(0, MESSAGES, 500):
                sends = (
                    bus.send("orders", BODY, key=f"k{number % 100}", tag="vip", headers={"region": "hz"})
                    for number in range(start, start + 500)
                )
                await asyncio.gather(*sends)
        return (time.process_time() - began) / MESSAGES * 1e6


def _message(number: int) -> Message[Order]:
    return Message(topic="orders", body=BODY, key=f"k{number % 100}", tag="vip", headers={"region": "hz"})


async def _consume(*, order: Any) -> float:
    broker = Nothing()
    bus = _bus(broker)
    done = asyncio.Event()
    count = 0

    @bus.subscribe("orders", order=order, concurrency=250)
    async def take(_body: Order, _context: Context) -> None:
        nonlocal count
        count += 1
        if count == MESSAGES:
            done.set()

    async with bus:
        for start in range(0, MESSAGES, 500):
            await bus.send_many([_message(number) for number in range(start, start + 500)])
        began = time.process_time()
        broker.gate.set()
        await done.wait()
        return (time.process_time() - began) / MESSAGES * 1e6
