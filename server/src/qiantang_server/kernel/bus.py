"""Bus: facts inside one process. What happened below is told upward here, after it is durable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from qiantang.kernel.observe import BoundedLog

log = logging.getLogger(__name__)
F = TypeVar("F")
QUEUE = 10_000
DRAIN_SECONDS = 2.0
HANDLER_SECONDS = 60.0


class _Subscription:
    """One handler with its own queue: facts in order, one at a time; the oldest is dropped when it falls far behind."""

    def __init__(self, handler: Callable[[Any], Awaitable[None]], failures: BoundedLog) -> None:
        self._handler = handler
        self._name = getattr(handler, "__qualname__", repr(handler))
        self._failures = failures
        self._queue: asyncio.Queue[Any] = asyncio.Queue(QUEUE)
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    def offer(self, fact: Any) -> None:
        if self._queue.full():
            self._queue.get_nowait()
            self._queue.task_done()
            self._dropped += 1
            if self._dropped == 1 or self._dropped % QUEUE == 0:
                log.warning(
                    "a listener is too slow; facts were dropped", extra={"listener": self._name, "count": self._dropped}
                )
        self._queue.put_nowait(fact)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"bus-{self._name}")

    async def _run(self) -> None:
        while True:
            fact = await self._queue.get()
            try:
                async with asyncio.timeout(HANDLER_SECONDS):
                    await self._handler(fact)
            except Exception as error:
                fields = {"listener": self._name, "fact": type(fact).__name__}
                self._failures.failure(self._name, "a listener failed on a fact", error=error, extra=fields)
            finally:
                self._queue.task_done()

    async def close(self) -> None:
        if self._task is None:
            return
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._queue.join()
        except TimeoutError:
            log.warning(
                "facts were left untold at the stop", extra={"listener": self._name, "count": self._queue.qsize()}
            )
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Bus:
    """Tells facts to whoever subscribed to their type. A listener that fails or hangs hurts no other and not the teller.

    Facts live in this process only and can be lost: with the process, and to a listener 10,000 facts behind. Whoever
    must not miss one compares with the database from time to time.
    """

    def __init__(self) -> None:
        self._subscriptions: dict[type, list[_Subscription]] = {}
        self._failures = BoundedLog(log)
        self._closed = False

    async def __aenter__(self) -> Self:
        """Open."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let the listeners finish what they were told, within two seconds each."""
        self._closed = True
        every = [one for some in self._subscriptions.values() for one in some]
        await asyncio.gather(*(one.close() for one in every))
        self._failures.flush()

    def subscribe(self, fact: type[F], handler: Callable[[F], Awaitable[None]]) -> None:
        """Have `handler` hear every fact of exactly this type from now on, in the order in which they were published.

        It is called with one fact at a time, and broken off after a minute.
        """
        self._subscriptions.setdefault(fact, []).append(_Subscription(handler, self._failures))

    def publish(self, fact: object) -> None:
        """Tell a fact; call it after the commit, on the loop. Returns at once. Facts told after the close are dropped."""
        if not self._closed:
            for subscription in self._subscriptions.get(type(fact), ()):
                subscription.offer(fact)
