"""Blocking: the bus for threads. What several threads send at the same time crosses to the loop together."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar, Unpack

from qiantang.kernel import errors, runtime
from qiantang.messaging.client.options import (
    REDRIVES_PER_SECOND,
    SEND_SECONDS,
    DeadFilter,
    Properties,
    Resending,
    message_of,
)
from qiantang.messaging.client.sender import Sender
from qiantang.messaging.errors import BusClosedError
from qiantang.messaging.model import DeadAction, DeadCause, DeadLetter, DeadOutcome, Frame, Header, Message, Sent
from qiantang.messaging.port import Lag

T = TypeVar("T")
GRACE_SECONDS: Final = 15.0
"""How much longer a thread waits than the loop should need: connecting comes before the deadline of a send begins."""


class _Waiting:
    """A thread that waits for what becomes of its message."""

    __slots__ = ("deadline", "frame", "lock", "sent")

    def __init__(self, frame: Frame, deadline: float) -> None:
        self.frame = frame
        self.deadline = deadline
        self.sent: Sent | None = None
        self.lock = threading.Lock()
        self.lock.acquire()

    def settle(self, sent: Sent) -> None:
        self.sent = sent
        self.lock.release()


class AsyncBus(Protocol):
    """What this face asks of the bus: see `MessageBus`."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def send_many(self, messages: Iterable[Message[Any]], *, deadline: float = ...) -> list[Sent]: ...
    def oneway(self, topic: str, body: Any, **properties: Unpack[Properties]) -> str: ...
    async def request(
        self, topic: str, body: Any, *, reply: Any = ..., deadline: float = ..., **properties: Unpack[Properties]
    ) -> Any: ...
    async def cancel(self, topic: str, id: str) -> bool: ...
    async def pause(self, topic: str, group: str = "") -> None: ...
    async def resume(self, topic: str, group: str = "") -> None: ...
    async def lag(self, topic: str, group: str = "", *, first: int = 0) -> Lag: ...
    async def dead_letters(self, **asked: Unpack[DeadFilter]) -> list[DeadLetter]: ...
    async def dead_causes(self, **asked: Unpack[DeadFilter]) -> list[DeadCause]: ...
    async def dead_letter(self, number: int) -> DeadLetter: ...
    def dead_body(self, frame: Frame) -> Any: ...
    async def resend(
        self,
        number: int,
        *,
        by: str,
        reason: str = ...,
        body: Any = ...,
        headers: Mapping[str, Header] | None = ...,
        key: str | None = ...,
        tag: str | None = ...,
        deadline: float = ...,
    ) -> Sent: ...
    async def resend_many(
        self, numbers: Iterable[int], *, by: str, reason: str = ..., per_second: float = ..., deadline: float = ...
    ) -> list[DeadOutcome]: ...
    async def delete_dead(self, numbers: Iterable[int], *, by: str, reason: str = ...) -> list[DeadOutcome]: ...
    async def dead_history(self, **asked: Unpack[DeadFilter]) -> list[DeadAction]: ...
    async def dead_action(self, number: int) -> DeadAction: ...


class SyncBus:
    """The same bus for blocking code: `with bus.sync:` opens it on the background thread of the sdk, and closes it again.

    Where the bus is open on an event loop already, the threads beside that loop use this face of it as it is.
    """

    def __init__(self, bus: AsyncBus, sender: Sender, now: Callable[[], float]) -> None:
        self._bus = bus
        self._sender = sender
        self._now = now
        self._queue: deque[_Waiting] = deque()
        self._guard = threading.Lock()
        self._called = False
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        runtime.call(self._bus.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runtime.call(self._bus.close())

    def send(self, topic: str, body: Any, *, deadline: float = SEND_SECONDS, **properties: Unpack[Properties]) -> Sent:
        """Send a message and wait for the broker; see `MessageBus.send`."""
        loop = self._loop()
        message = message_of(topic, body, properties, self._now)
        try:
            waiting = _Waiting(self._sender.framed(message), deadline)
        except errors.QiantangError as error:
            self._sender.tell(message, Sent(id=message.id, outcome="refused", error=error), None)
            raise
        self._hand_over(loop, waiting)
        if not waiting.lock.acquire(timeout=deadline + GRACE_SECONDS) or waiting.sent is None:
            raise errors.DeadlineError(f"the loop of the bus gave no answer within {deadline + GRACE_SECONDS:g} s")
        self._sender.tell(message, waiting.sent, waiting.frame)
        if waiting.sent.error is not None:
            raise waiting.sent.error
        return waiting.sent

    def send_many(self, messages: Iterable[Message[Any]], *, deadline: float = SEND_SECONDS) -> list[Sent]:
        """Send messages and wait; see `MessageBus.send_many`."""
        return self._call(self._bus.send_many(messages, deadline=deadline))

    def oneway(self, topic: str, body: Any, **properties: Unpack[Properties]) -> str:
        """Send a message and ask for nothing; give its id. That it was handed over is all that is waited for."""

        async def hand_over() -> str:
            return self._bus.oneway(topic, body, **properties)

        return self._call(hand_over())

    def request(
        self,
        topic: str,
        body: Any,
        *,
        reply: Any = Any,
        deadline: float = SEND_SECONDS,
        **properties: Unpack[Properties],
    ) -> Any:
        """Send a request and wait for its reply; see `MessageBus.request`."""
        return self._call(self._bus.request(topic, body, reply=reply, deadline=deadline, **properties))

    def cancel(self, topic: str, id: str) -> bool:
        """Take a message back that is held until its time; see `MessageBus.cancel`."""
        return self._call(self._bus.cancel(topic, id))

    def pause(self, topic: str, group: str = "") -> None:
        """Take nothing new of a subscription."""
        self._call(self._bus.pause(topic, group))

    def resume(self, topic: str, group: str = "") -> None:
        """Take messages of a subscription again."""
        self._call(self._bus.resume(topic, group))

    def lag(self, topic: str, group: str = "", *, first: int = 0) -> Lag:
        """Say what a group has not finished of a topic, with `first` of the queues from that number on."""
        return self._call(self._bus.lag(topic, group, first=first))

    # -- dead letters ------------------------------------------------------------------------------------

    def dead_letters(self, **asked: Unpack[DeadFilter]) -> list[DeadLetter]:
        """Give the dead letters in the estate's store, without their frames, the newest first."""
        return self._call(self._bus.dead_letters(**asked))

    def dead_causes(self, **asked: Unpack[DeadFilter]) -> list[DeadCause]:
        """Give dead letters by what they died of; see `MessageBus.dead_causes`."""
        return self._call(self._bus.dead_causes(**asked))

    def dead_letter(self, number: int) -> DeadLetter:
        """Give one dead letter, with its frame."""
        return self._call(self._bus.dead_letter(number))

    def dead_body(self, frame: Frame) -> Any:
        """Read the body of a dead letter's frame; see `MessageBus.dead_body`. It waits for nothing, and needs no loop."""
        return self._bus.dead_body(frame)

    def resend(self, number: int, **how: Unpack[Resending]) -> Sent:
        """Send a dead letter again, for the group in which it died alone; see `MessageBus.resend`."""
        return self._call(self._bus.resend(number, **how))

    def resend_many(
        self,
        numbers: Iterable[int],
        *,
        by: str,
        reason: str = "",
        per_second: float = REDRIVES_PER_SECOND,
        deadline: float = SEND_SECONDS,
    ) -> list[DeadOutcome]:
        """Send dead letters again as they are; see `MessageBus.resend_many`."""
        sending = self._bus.resend_many(numbers, by=by, reason=reason, per_second=per_second, deadline=deadline)
        return self._call(sending)

    def delete_dead(self, numbers: Iterable[int], *, by: str, reason: str = "") -> list[DeadOutcome]:
        """Delete dead letters, which the history keeps; see `MessageBus.delete_dead`."""
        return self._call(self._bus.delete_dead(numbers, by=by, reason=reason))

    def dead_history(self, **asked: Unpack[DeadFilter]) -> list[DeadAction]:
        """Give what was done with dead letters, without frames, the newest first."""
        return self._call(self._bus.dead_history(**asked))

    def dead_action(self, number: int) -> DeadAction:
        """Give one thing that was done, with the letter's frame and the message as it was sent."""
        return self._call(self._bus.dead_action(number))

    # -- inside ------------------------------------------------------------------------------------------

    def _loop(self) -> asyncio.AbstractEventLoop:
        loop = self._bus.loop
        if loop is None:
            raise BusClosedError("the bus is not open: use it inside `with bus.sync`")
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return loop
        if running is loop:
            raise RuntimeError("a blocking call on the bus's own loop never ends: await the bus itself instead")
        return loop

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            loop = self._loop()
        except BaseException:
            coroutine.close()
            raise
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(coroutine, loop)
        return future.result()

    def _hand_over(self, loop: asyncio.AbstractEventLoop, waiting: _Waiting) -> None:
        with self._guard:
            self._queue.append(waiting)
            first, self._called = not self._called, True
        if first:
            loop.call_soon_threadsafe(self._take_over)

    def _take_over(self) -> None:
        with self._guard:
            waiting, self._queue = list(self._queue), deque()
            self._called = False
        task = asyncio.create_task(self._send(waiting))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, waiting: list[_Waiting]) -> None:
        groups: dict[float, list[_Waiting]] = {}
        for one in waiting:
            groups.setdefault(one.deadline, []).append(one)
        for deadline, some in groups.items():
            try:
                sent = await self._sender.send_frames([one.frame for one in some], deadline)
            except errors.QiantangError as error:
                sent = [Sent(id=one.frame.id, outcome="refused", error=error) for one in some]
            for one, found in zip(some, sent, strict=True):
                one.settle(found)
