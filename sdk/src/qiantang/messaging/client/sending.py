"""Sending: frames wait for their broker in one line each, and go out in batches as large as what gathered meanwhile.

A line is in order, one batch at a time, so that two messages of a key never change places. It is bounded: who sends into a
full line waits, and is refused when the deadline comes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from qiantang.kernel import observe
from qiantang.messaging.client.counting import SendCounts
from qiantang.messaging.errors import BrokerAwayError, BusClosedError, OutcomeUnknownError
from qiantang.messaging.model import Frame
from qiantang.messaging.port import SendOutcome

log = observe.BoundedLog(logging.getLogger(__name__))

BATCH: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
WAITING: Final = 10_000
WATCH_SECONDS: Final = 0.05
WAITING_BYTES: Final = 64 * 1024 * 1024


class _Ticket:
    """What somebody who sends waits for: an outcome for each of his frames."""

    __slots__ = ("ends", "future", "handed", "left", "outcomes")

    def __init__(self, count: int, ends: float) -> None:
        self.ends = ends
        self.outcomes: list[SendOutcome | None] = [None] * count
        self.left = count
        self.handed = [False] * count
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, place: int, outcome: SendOutcome) -> None:
        if self.outcomes[place] is None:
            self.outcomes[place] = outcome
            self.left -= 1
        if not self.left and not self.future.done():
            self.future.set_result(None)


class Sends(Protocol):
    """What a line needs of a broker."""

    async def send(self, frames: Sequence[Frame]) -> Sequence[SendOutcome]:
        """Send frames in their order; give an outcome for each."""
        ...


def _nobody() -> None:
    """Nothing leaves the line."""


Elsewhere = Callable[[Sequence[Frame], Sequence[SendOutcome], float], Awaitable[Sequence[SendOutcome]]]
"""Sends frames that a line refused, with what it said of each, to other brokers within so many seconds; gives their outcomes."""


async def _nowhere(
    _frames: Sequence[Frame], outcomes: Sequence[SendOutcome], _deadline: float
) -> Sequence[SendOutcome]:
    return outcomes


class Line:
    """The line before one broker. Of one event loop. While that stands still, `leaving` gives what says of a message without a key
    whether another broker can take it: such ones leave at once, and not at their deadline. They are refused, for who sent them to
    send elsewhere; where something is awaited still of what was sent with them, the line does that, by `elsewhere`.
    """

    def __init__(self, name: str, broker: Sends) -> None:
        self.name = name
        self.broker = broker
        self._waiting: deque[tuple[Frame, _Ticket, int, int]] = deque()
        self._bytes = 0
        self._pump: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._closing = False
        self._tickets: set[_Ticket] = set()
        self._watch: asyncio.TimerHandle | None = None
        self._counts = SendCounts(name)
        self.leaving: Callable[[], Callable[[Frame], bool] | None] = _nobody
        self.elsewhere: Elsewhere = _nowhere
        self._left: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Count the frames that wait."""
        return len(self._waiting)

    async def send(self, frames: Sequence[Frame], deadline: float) -> list[SendOutcome]:
        """Send frames in their order; give an outcome for each within `deadline` seconds. Never raises for the broker's sake.

        What was not handed to the broker by then is refused; of what was, the outcome is unknown.
        """
        ticket = _Ticket(len(frames), asyncio.get_running_loop().time() + deadline)
        try:
            if self._is_full or self._closing:
                async with asyncio.timeout(deadline):
                    await self._have_room()
            self._put(frames, ticket)
            await ticket.future
        except TimeoutError:
            self._give_up(ticket)
        except BusClosedError as error:
            return [SendOutcome.refused(error)] * len(frames)
        return [one for one in ticket.outcomes if one is not None]

    async def close(self) -> None:
        """Take nothing more, and wait until what waits is sent. Cancelled, it refuses what waits still."""
        self._closing = True
        self._room.set()
        try:
            while self._pump is not None and not self._pump.done():
                await asyncio.wait({self._pump})
            if self._left:
                await asyncio.wait(set(self._left))
        finally:
            self._refuse(BusClosedError("the bus was closed before the message was sent"))
            for one in self._left:
                one.cancel()
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None

    @property
    def _is_full(self) -> bool:
        return len(self._waiting) >= WAITING or self._bytes >= WAITING_BYTES

    async def _have_room(self) -> None:
        while self._is_full:
            if self._closing:
                break
            self._room.clear()
            await self._room.wait()
        if self._closing:
            raise BusClosedError("the bus is being closed and takes no more messages")

    def _put(self, frames: Sequence[Frame], ticket: _Ticket) -> None:
        for place, frame in enumerate(frames):
            size = frame.size
            self._waiting.append((frame, ticket, place, size))
            self._bytes += size
        self._tickets.add(ticket)
        if self._watch is None:
            self._watch = ticket.future.get_loop().call_later(WATCH_SECONDS, self._look)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._run(), name=f"messages to {self.name}")

    async def _run(self) -> None:
        await asyncio.sleep(0)  # what is sent in the same turn of the loop goes together
        while batch := self._next():
            frames = [frame for frame, _, _ in batch]
            outcomes = await self._send(frames)
            self._counts.add(frames, outcomes, len(self._waiting))
            for (_, ticket, place), outcome in zip(batch, outcomes, strict=True):
                ticket.settle(place, outcome)
            self._room.set()

    def _next(self) -> list[tuple[Frame, _Ticket, int]]:
        batch: list[tuple[Frame, _Ticket, int]] = []
        whole = 0
        while self._waiting and len(batch) < BATCH and whole < BATCH_BYTES:
            frame, ticket, place, size = self._waiting.popleft()
            self._bytes -= size
            if ticket.outcomes[place] is not None:
                continue  # given up meanwhile
            ticket.handed[place] = True
            whole += size
            batch.append((frame, ticket, place))
        return batch

    async def _send(self, frames: list[Frame]) -> Sequence[SendOutcome]:
        try:
            outcomes = await self.broker.send(frames)
        except Exception as error:
            log.failure(self.name, "an adapter failed to send", error=error)
            return self._unknown(len(frames), f"sending through {self.name} broke off: {error}")
        if len(outcomes) != len(frames):
            return self._unknown(len(frames), f"{self.name} answered {len(outcomes)} times for {len(frames)} messages")
        return outcomes

    def _unknown(self, count: int, why: str) -> list[SendOutcome]:
        return [SendOutcome.unknown(OutcomeUnknownError(why))] * count

    def _look(self) -> None:
        """Give up what has run out of time; one look for all costs less than a timer for each."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._tickets = {one for one in self._tickets if not one.future.done()}
        for ticket in [one for one in self._tickets if one.ends <= now]:
            self._give_up(ticket)
        if self._waiting and (may := self.leaving()) is not None:
            self._let_leave(may)
        self._watch = loop.call_later(WATCH_SECONDS, self._look) if self._tickets else None

    def _let_leave(self, may: Callable[[Frame], bool]) -> None:
        """Let go of what another broker can take, and what was given up; the rest stays in its order."""
        going: dict[_Ticket, list[tuple[Frame, int]]] = {}
        staying: deque[tuple[Frame, _Ticket, int, int]] = deque()
        for frame, ticket, place, size in self._waiting:
            if ticket.outcomes[place] is None and (frame.key or not may(frame)):
                staying.append((frame, ticket, place, size))
                continue
            self._bytes -= size
            if ticket.outcomes[place] is None:
                going.setdefault(ticket, []).append((frame, place))
        self._waiting = staying
        self._room.set()
        for ticket, placed in going.items():
            self._leave(ticket, placed)

    def _leave(self, ticket: _Ticket, placed: Sequence[tuple[Frame, int]]) -> None:
        still = SendOutcome.refused(BrokerAwayError(f"{self.name} stands still"))
        if ticket.left == len(placed):
            for _, place in placed:
                ticket.settle(place, still)
            return
        for _, place in placed:
            ticket.handed[place] = True  # from now on another broker may have it
        task = asyncio.create_task(self._send_elsewhere(ticket, placed, still), name=f"messages from {self.name}")
        self._left.add(task)
        task.add_done_callback(self._left.discard)

    async def _send_elsewhere(self, ticket: _Ticket, placed: Sequence[tuple[Frame, int]], still: SendOutcome) -> None:
        frames = [frame for frame, _ in placed]
        deadline = ticket.ends - asyncio.get_running_loop().time()
        try:
            outcomes = await self.elsewhere(frames, [still] * len(frames), deadline)
        except Exception as error:
            log.failure(self.name, "messages could not be sent elsewhere", error=error)
            outcomes = self._unknown(len(frames), f"sending in the place of {self.name} broke off: {error}")
        for (_, place), outcome in zip(placed, outcomes, strict=True):
            ticket.settle(place, outcome)

    def _give_up(self, ticket: _Ticket) -> None:
        for place, outcome in enumerate(ticket.outcomes):
            if outcome is not None:
                continue
            if ticket.handed[place]:
                error: OutcomeUnknownError | BrokerAwayError = OutcomeUnknownError(
                    f"{self.name} gave no answer in time: the message may be there"
                )
                ticket.settle(place, SendOutcome.unknown(error))
            else:
                error = BrokerAwayError(f"the message did not get its turn at {self.name} in time")
                ticket.settle(place, SendOutcome.refused(error))

    def _refuse(self, error: BusClosedError) -> None:
        while self._waiting:
            _, ticket, place, size = self._waiting.popleft()
            self._bytes -= size
            ticket.settle(place, SendOutcome.refused(error))
        for ticket in list(self._tickets):
            self._give_up(ticket)
        if self._pump is not None and not self._pump.done():
            with contextlib.suppress(RuntimeError):
                self._pump.cancel()
