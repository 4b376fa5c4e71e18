"""Runner: one run of an application's function or coroutine, apart from the network and within a time limit."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import time
from collections.abc import Callable
from typing import Any

from qiantang.config.client.workers import Job, workers
from qiantang.kernel import errors, runtime

POLITE_SECONDS = 1.0
"""How long a cancelled coroutine may take to end before its loop is taken to be blocked."""


class OverdueError(errors.DeadlineError):
    """An application's function did not end within its time."""

    code = "config.callback_overdue"


class Run:
    """One run. To be awaited on the runtime's loop.

    `result` ends at the time limit; `ended` only when the function really has. What a function gives after it was
    given up goes to `late`.
    """

    def __init__(self, late: Callable[[Any], None] | None = None) -> None:
        self._io = asyncio.get_running_loop()
        self._outcome: asyncio.Future[Any] = self._io.create_future()
        self._over = asyncio.Event()
        self._late = late
        self._cancel: Callable[[], None] = lambda: None
        self._shared: asyncio.AbstractEventLoop | None = None
        self.began_at: float | None = None

    async def result(self, limit: float | None) -> Any:
        """Give what the function gives, or raise what it raises.

        Raises:
            OverdueError: it did not end within `limit` seconds from its beginning; it was cancelled or given up.
        """
        try:
            while not self._outcome.done():
                left = self._left(limit)
                if left is not None and left <= 0:
                    self._overrun()
                    raise OverdueError(f"did not end within {limit:g} seconds")
                await asyncio.wait({self._outcome}, timeout=left)
            return self._outcome.result()
        except asyncio.CancelledError:
            if not self._outcome.done():
                self._cancel()
            raise
        finally:
            if not self._outcome.done():
                self._outcome.cancel()

    def _left(self, limit: float | None) -> float | None:
        if limit is None:
            return None
        return limit if self.began_at is None else self.began_at + limit - time.monotonic()

    def _overrun(self) -> None:
        self._cancel()
        if self._shared is not None:
            self._io.call_later(POLITE_SECONDS, self._leave_loop, self._shared)

    def _leave_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self.over:
            _loops.abandon(loop)  # it does not even cancel: somebody blocks it

    async def ended(self) -> None:
        """Wait until the function has ended, however late."""
        await self._over.wait()

    @property
    def over(self) -> bool:
        """Whether the function has ended."""
        return self._over.is_set()

    def on_thread(self, function: Callable[[], Any]) -> None:
        """Begin a plain function on a worker thread."""
        job = workers.put(functools.partial(self._perform, function))
        self._cancel = functools.partial(self._give_up, job)

    def on_shared_loop(self, function: Callable[[], Any]) -> None:
        """Begin a coroutine function on the loop for programs that have none."""
        self._shared = _loops.loop()
        self.on_loop(function, self._shared)

    def on_loop(self, function: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        """Begin a coroutine function on a loop; its time counts from now."""
        self.began_at = time.monotonic()
        tasks: list[asyncio.Task[None]] = []

        def begin() -> None:
            tasks.append(loop.create_task(self._await(function)))

        def cancel() -> None:
            for task in tasks:
                task.cancel()

        try:
            loop.call_soon_threadsafe(begin)
        except RuntimeError:
            error = errors.UnavailableError("the event loop that it was registered on is closed: register it again")
            self._settle(None, error)
            return
        self._cancel = functools.partial(_tell, loop, cancel)

    def _give_up(self, job: Job) -> None:
        workers.give_up(job)
        if not job.started:
            self._over.set()

    def _perform(self, function: Callable[[], Any]) -> None:
        self.began_at = time.monotonic()
        try:
            result = function()
            _refuse_awaitable(result)
        except BaseException as error:  # told to whoever waits; a worker goes on
            self._tell(None, error)
        else:
            self._tell(result, None)

    async def _await(self, function: Callable[[], Any]) -> None:
        try:
            result = await function()
        except BaseException as error:  # SystemExit too: it must not end the application's loop
            self._tell(None, error)
        else:
            self._tell(result, None)

    def _tell(self, result: Any, error: BaseException | None) -> None:
        _tell(self._io, functools.partial(self._settle, result, error))

    def _settle(self, result: Any, error: BaseException | None) -> None:
        self._over.set()
        if not self._outcome.done():
            if error is None:
                self._outcome.set_result(result)
            else:
                self._outcome.set_exception(_foreign(error))
        elif error is None and self._late is not None:
            self._late(result)


class StoppedError(errors.RejectedError):
    """An application's function was cancelled or wanted to end the process."""

    code = "config.callback_stopped"


def _foreign(error: BaseException) -> Exception:
    """Give an error that is safe to raise on the runtime's loop: no cancellation, no exit."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = StoppedError(f"raised {type(error).__name__}: {error}".rstrip(": "))
    wrapped.__cause__ = error
    return wrapped


def _refuse_awaitable(result: Any) -> None:
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise TypeError("it gave a coroutine, which nobody awaits here: give the coroutine function itself")


def _tell(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:
        return  # the loop was closed: nobody waits there any more


class _Loops:
    """The loop for coroutines of programs that have none: a thread of its own, replaced when somebody blocks it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget, in a forked child, the parent's thread."""
        self._runtime: runtime.Runtime | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """Give the loop, starting its thread at first use; called on the runtime's loop only."""
        if self._runtime is None:
            self._runtime = runtime.Runtime("qiantang-coroutines")
        return self._runtime.loop()

    def abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use another thread from now on."""
        if self._runtime is not None and self._runtime.loop() is loop:
            self._runtime = None


_loops = _Loops()
os.register_at_fork(after_in_child=_loops.reset)


async def run(
    function: Callable[[], Any],
    *,
    coroutine: bool,
    limit: float | None,
    loop: asyncio.AbstractEventLoop | None = None,
    late: Callable[[Any], None] | None = None,
) -> Any:
    """Run a function on a worker thread, or a coroutine function on `loop` or on the loop for those without.

    Raises:
        OverdueError: not done within `limit` seconds.
        Exception: whatever the function raised.
    """
    begun = begin(function, coroutine=coroutine, loop=loop, late=late)
    return await begun.result(limit)


def begin(
    function: Callable[[], Any],
    *,
    coroutine: bool,
    loop: asyncio.AbstractEventLoop | None = None,
    late: Callable[[Any], None] | None = None,
) -> Run:
    """Begin a run without waiting for it."""
    begun = Run(late)
    if not coroutine:
        begun.on_thread(function)
    elif loop is None:
        begun.on_shared_loop(function)
    else:
        begun.on_loop(function, loop)
    return begun
