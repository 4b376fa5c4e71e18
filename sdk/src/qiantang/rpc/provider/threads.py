"""Threads: where handlers that are plain functions run: so many at a time, with a queue that has an end.

An executor's own queue has none, and keeps what was given up until a thread is free. Here a call that waits counts until a thread
has looked at it, one whose time is over is not begun, and how long calls wait is told to what sheds them.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from qiantang.rpc.errors import DeadlineError, DrainingError, OverloadedError
from qiantang.rpc.governance.shedding import Load
from qiantang.rpc.model.context import current
from qiantang.rpc.provider.host import NotBegunError

MOST_WAITS: Final = 1_000
"""Waits that are kept until the next look."""

Answer = asyncio.Future[Any]
Wait = tuple[float, float]
"""When a call began to wait, and when its time ends."""


class Threads:
    """Of one provider. `run` is called on its loop; nobody waits there."""

    def __init__(self, node: str, threads: int, queue: int) -> None:
        self._node = node
        self._queue = queue
        self._most = threads + queue
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="qiantang-rpc")
        self._lock = threading.Lock()
        self._inside = 0
        self._waiting: deque[Wait] = deque()
        self._waited: deque[tuple[float, float]] = deque(maxlen=MOST_WAITS)

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Awaitable[Any]:
        """Have a thread call a function, with the context of the call that is being handled; its result is waited for.

        Raises:
            NotBegunError: too many wait already, or the provider has ended.
        """
        work = functools.partial(contextvars.copy_context().run, function, *arguments)
        return self._submit(work, current.get().deadline, is_new=True)

    def step(self, work: Callable[[], Any]) -> Answer:
        """Have a thread go on with a call that was let in, as with the next item of a stream: it is not refused for how many wait,
        and who asks looks at its time.

        Raises:
            NotBegunError: the provider has ended.
        """
        return self._submit(work, math.inf, is_new=False)

    def _submit(self, work: Callable[[], Any], deadline: float, *, is_new: bool) -> Answer:
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        with self._lock:
            if is_new and self._inside >= self._most:
                many = f"{self._queue:,} calls wait for a thread of {self._node}, as many as may"
                raise NotBegunError(OverloadedError(many))
            self._inside += 1
            self._waiting.append((time.monotonic(), deadline))
        try:
            self._pool.submit(self._work, loop, answer, work, deadline)
        except RuntimeError as error:
            with self._lock:
                self._waiting.pop()
                self._inside -= 1
            raise NotBegunError(DrainingError(f"{self._node} has ended: another node answers")) from error
        return answer

    def tell(self, load: Load) -> None:
        """Tell how long calls waited since the last time, and how long the first of those that wait does."""
        while self._waited:
            load.waited(*self._waited.popleft())
        with self._lock:
            first = self._waiting[0] if self._waiting else None
        if first is not None:
            since, deadline = first
            load.waited(time.monotonic() - since, deadline - since)

    def close(self) -> None:
        """Begin nothing more; what runs in a thread runs to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, loop: asyncio.AbstractEventLoop, answer: Answer, work: Callable[[], Any], deadline: float) -> None:
        now = time.monotonic()
        with self._lock:
            since, until = self._waiting.popleft()  # threads take calls in their order, so it is this one's, or as good
        self._waited.append((now - since, until - since))
        result, error = (None, None) if answer.cancelled() else self._tried(work, is_late=now >= deadline)
        with self._lock:
            self._inside -= 1  # before it is told: who hears it may call again
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_set, answer, result, error)

    def _tried(self, work: Callable[[], Any], *, is_late: bool) -> tuple[Any, Exception | None]:
        if is_late:
            why = f"the call waited for a thread of {self._node} until its time was over, and did not begin"
            return None, DeadlineError(why)
        try:
            return work(), None
        except StopIteration as raised:  # which no future takes
            return None, RuntimeError(f"the handler raised {raised!r}")
        except Exception as raised:
            return None, raised
        except BaseException as raised:  # of this call, and not of the worker that it would end
            return None, RuntimeError(f"the handler raised {raised!r}")


def _set(answer: Answer, result: Any, error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(result)
    else:
        answer.set_exception(error)
