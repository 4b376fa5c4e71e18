"""Sender: frames on their way to RocketMQ: those of a queue one batch after the other, those of several queues side by side.

A broker works on what comes over a connection in any order, so the next batch of a queue waits for the answer to the one before.
Messages that are held back go one by one, since no batch may hold such.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq import failing, messages
from qiantang.messaging.adapters.rocketmq.connection import Remotes
from qiantang.messaging.adapters.rocketmq.routes import Queue, Route
from qiantang.messaging.adapters.rocketmq.wire import Code
from qiantang.messaging.errors import BrokerAwayError, InvalidMessageError, OutcomeUnknownError
from qiantang.messaging.model import Frame
from qiantang.messaging.model.bands import queue_of
from qiantang.messaging.port import SendOutcome

SEND_SECONDS = 10.0
"""After so long without an answer a message's outcome is unknown."""
BATCH_MESSAGES: Final = 500
BATCH_BYTES: Final = 512 * 1024
HELD_AT_A_TIME: Final = 64
MOST_HELD: Final = 100_000
"""So many messages that are held back can be taken back; of more, those that are due first cannot any more."""
CLOSE_SECONDS: Final = 5.0
PRODUCER: Final = "qiantang"
_FIELDS: Final = {"a": PRODUCER, "c": "TBW102", "d": "4", "f": "0", "h": "0", "j": "0", "k": "false"}
"""What every message says: who sends it, of what to make its topic (which brokers do not do here), flags, attempts."""


class Home(NamedTuple):
    """Where messages of a topic and band lie: the topic's name in the estate and on RocketMQ, its band, and its queues."""

    topic: str
    name: str
    band: str
    route: Route


class Held(NamedTuple):
    """What takes a message back: its topic on RocketMQ, its queue, its handle there, until when (seconds since 1970)."""

    name: str
    queue: Queue
    handle: str
    until: float


class _One(NamedTuple):
    """A message on its way: its place in the call, what is written of it, and until when it is held back (0: not at all)."""

    place: int
    frame: Frame
    properties: str
    until: int


class _Lane(NamedTuple):
    """Messages of one queue: where that is, and its number in the topic."""

    home: Home
    queue: Queue
    number: int

    @property
    def name(self) -> str:
        """The name of the physical queue."""
        return queue_of(self.home.band, self.number)


class RocketSender:
    """Of one broker. `delay_until` gives until when a frame is to be held back, as RocketMQ has to be told; 0 for not at all."""

    def __init__(self, remotes: Remotes, delay_until: Callable[[Frame], int]) -> None:
        self._remotes = remotes
        self._delay_until = delay_until
        self._turns = itertools.count()
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()
        self._few = asyncio.Semaphore(HELD_AT_A_TIME)
        self._sending: set[asyncio.Future[list[None]]] = set()

    async def send(self, frames: Sequence[Frame], homes: Sequence[Home]) -> list[SendOutcome]:
        """Send frames, each to its home; give an outcome for each. Those of a queue keep their order."""
        outcomes: list[SendOutcome | None] = [None] * len(frames)
        lanes: dict[_Lane, list[_One]] = {}
        work: list[Coroutine[Any, Any, None]] = []
        for place, (frame, home) in enumerate(zip(frames, homes, strict=True)):
            number = self._choose(frame, home.route)
            lane = _Lane(home, home.route.queues[number], number)
            until = self._delay_until(frame)
            one = _One(place, frame, messages.properties_of(frame, until), until)
            if len(one.properties.encode()) > messages.MOST_PROPERTIES:
                outcomes[place] = SendOutcome.refused(_too_many(frame))
            elif until:
                work.append(self._send_held(lane, one, outcomes))
            else:
                lanes.setdefault(lane, []).append(one)
        work += [self._send_lane(lane, some, outcomes) for lane, some in lanes.items()]
        sending = asyncio.gather(*work)
        self._sending.add(sending)
        try:
            await sending
        finally:
            self._sending.discard(sending)
        return [one for one in outcomes if one is not None]

    async def cancel(self, topic: str, id: str) -> bool:
        """Take back a message that this process sent, if it is held still.

        Raises:
            BrokerAwayError: there is no answer.
        """
        held = self._held.get((topic, id))
        if held is None or held.until <= time.time():
            return False
        connection = await self._remotes.get(held.queue.host)
        fields = {
            "topic": held.name,
            "bname": held.queue.broker,
            "recallHandle": held.handle,
            "producerGroup": PRODUCER,
        }
        await connection.ask(Code.RECALL, fields, doing=f"taking the message {id} of {topic} back")
        return self._held.pop((topic, id), None) is not None

    async def close(self) -> None:
        """Wait for what is being sent."""
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=CLOSE_SECONDS)

    # -- inside ------------------------------------------------------------------------------------------

    def _choose(self, frame: Frame, route: Route) -> int:
        """Choose a queue; what may go to any does not go to a broker that is away, as long as there is another."""
        number = frame.queue_of(len(route.queues), self._turns)
        if frame.key or frame.queue >= 0:
            return number
        turns = [(number + step) % len(route.queues) for step in range(len(route.queues))]
        return next((one for one in turns if not self._remotes.is_away(route.queues[one].host)), number)

    async def _send_lane(self, lane: _Lane, some: Sequence[_One], outcomes: list[SendOutcome | None]) -> None:
        """Send messages of one queue. After a batch that may be there, or was not taken for now, the rest is not sent."""
        failed: SendOutcome | None = None
        waiting = deque(_batches(some))
        while waiting:
            batch = waiting.popleft()
            if failed is not None:
                for one in batch:
                    outcomes[one.place] = failed
                continue
            found, _ = await self._send_batch(lane, batch)
            if len(batch) > 1 and isinstance(found.error, errors.InvalidRequestError):
                waiting.extendleft([one] for one in reversed(batch))  # one of them is wrong: which one it is told then
                continue
            for count, one in enumerate(batch):
                outcomes[one.place] = _at(found, lane.name, count)
            if found.verdict != "accepted" and found.may_pass:
                failed = SendOutcome.refused(
                    BrokerAwayError(
                        f"a message to {lane.home.topic} was not sent, for one before it failed: {found.error}"
                    )
                )

    async def _send_held(self, lane: _Lane, one: _One, outcomes: list[SendOutcome | None]) -> None:
        async with self._few:
            found, handle = await self._send_batch(lane, [one])
        outcomes[one.place] = _at(found, lane.name, 0)
        if handle and found.verdict == "accepted":
            held = Held(lane.home.name, lane.queue, handle, one.until / 1000)
            self._held[lane.home.topic, one.frame.id] = held
            while len(self._held) > MOST_HELD:
                self._held.popitem(last=False)

    async def _send_batch(self, lane: _Lane, batch: Sequence[_One]) -> tuple[SendOutcome, str]:
        """Send a batch; give the outcome of its first message, and what takes it back, where it is held."""
        is_batch = len(batch) > 1
        bodies = [messages.body_of(one.frame) for one in batch]
        properties = [one.properties for one in batch]
        body = messages.batch_of(zip(properties, bodies, strict=True)) if is_batch else bodies[0]
        fields = {
            **_FIELDS,
            "b": lane.home.name,
            "e": str(lane.queue.number),
            "g": str(int(time.time() * 1000)),
            "i": messages.joined({"WAIT": "true"}) if is_batch else properties[0],
            "m": "true" if is_batch else "false",
            "n": lane.queue.broker,
        }
        try:
            connection = await self._remotes.get(lane.queue.host)
            code = Code.SEND_BATCH if is_batch else Code.SEND
            answer = await connection.call(code, fields, body, seconds=SEND_SECONDS)
        except OutcomeUnknownError as error:
            return SendOutcome.unknown(error), ""
        except errors.QiantangError as error:
            return SendOutcome.refused(error), ""
        if answer.header.code not in failing.STORED:
            return failing.outcome(answer, lane.home.topic), ""
        position = int(answer.fields.get("queueOffset") or -1)
        return SendOutcome(verdict="accepted", position=position), answer.fields.get("recallHandle", "")


def _batches(some: Sequence[_One]) -> list[list[_One]]:
    """Part messages into batches that are neither too many nor too large."""
    found: list[list[_One]] = []
    size = 0
    for one in some:
        own = len(one.frame.body) + len(one.properties)
        if not found or len(found[-1]) == BATCH_MESSAGES or size + own > BATCH_BYTES:
            found.append([])
            size = 0
        found[-1].append(one)
        size += own
    return found


def _at(found: SendOutcome, queue: str, count: int) -> SendOutcome:
    """Give the outcome of a message in a batch: positions follow one another."""
    if found.verdict != "accepted":
        return found
    position = found.position + count if found.position >= 0 else -1
    return SendOutcome(verdict="accepted", queue=queue, position=position)


def _too_many(frame: Frame) -> InvalidMessageError:
    return InvalidMessageError(
        f"the headers of message {frame.id[:64]!r} are over RocketMQ's {messages.MOST_PROPERTIES} bytes for all properties"
    )
