"""Runtime: the one background thread whose event loop carries the I/O of every client in a process.

A program may be blocking, threaded or built on any event loop: clients always do their I/O here, so that a
thousand of them cost one thread. The thread starts at first use. A forked child starts with none: it closes
its copies of the parent's sockets without a word on the wire, and tells each registered client, which opens
again at its next use.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import functools
import os
import queue
import selectors
import socket
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar

from qiantang.kernel import errors

T = TypeVar("T")
P = ParamSpec("P")

WORKERS = 4
WORKER_IDLE_SECONDS = 10.0
STOP_SECONDS = 1.0


class Forkable(Protocol):
    """A client that holds something of the loop."""

    def after_fork(self) -> None:
        """Forget, in a forked child, what belonged to the parent's loop: no I/O, no waiting, no thread."""


class _Loop(asyncio.SelectorEventLoop):
    """A loop that a forked child can forget silently."""

    def __init__(self) -> None:
        self._polled = selectors.DefaultSelector()
        self._forgotten = False
        super().__init__(self._polled)

    def forget(self) -> None:
        """Close the child's copies of the descriptors.

        Nothing is unregistered from the selector: an epoll set is shared with the parent, which waits on it.
        """
        self._forgotten = True
        self.set_exception_handler(lambda _loop, _context: None)
        with contextlib.suppress(OSError):
            self._polled.close()
        for name in ("_ssock", "_csock"):
            end: socket.socket | None = getattr(self, name, None)
            if end is not None:
                end.close()

    def __del__(self) -> None:
        if not self._forgotten:
            super().__del__()


class _Workers:
    """A few daemon threads for blocking work; unlike an executor's they never hold up the exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._alive = 0
        self._idle = 0

    def put(self, job: Callable[[], None]) -> None:
        with self._lock:
            self._jobs.put(job)
            start = self._jobs.qsize() > self._idle and self._alive < WORKERS
            self._alive += start
        if start:
            threading.Thread(target=self._work, name="qiantang-worker", daemon=True).start()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            self._idle += 1
        try:
            return self._jobs.get(timeout=WORKER_IDLE_SECONDS)
        except queue.Empty:
            return self._last_job()
        finally:
            with self._lock:
                self._idle -= 1

    def _last_job(self) -> Callable[[], None] | None:
        with self._lock:
            if not self._jobs.empty():
                return self._jobs.get()
            self._alive -= 1
            return None


class Runtime:
    """The thread, its loop, and what has to be told of a fork."""

    def __init__(self, name: str = "qiantang-io") -> None:
        self._name = name
        self._clients: weakref.WeakSet[Forkable] = weakref.WeakSet()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._forgotten: list[object] = []
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._loop: _Loop | None = None
        self._thread: threading.Thread | None = None
        self._workers = _Workers()

    def loop(self) -> asyncio.AbstractEventLoop:
        """Give the loop, starting the thread at first use."""
        loop = self._loop
        return loop if loop is not None else self._start()

    def inside(self) -> bool:
        """Say whether the caller runs on the runtime's thread."""
        return self._thread is threading.current_thread()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start a coroutine on the loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop())

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine on the loop and wait for it, from any thread but the runtime's own.

        Raises:
            DeadlineError: not done in `timeout` seconds; the coroutine was cancelled.
            RuntimeError: called on the runtime's own thread, where waiting could never end.
        """
        if self.inside():
            coroutine.close()
            raise RuntimeError("a blocking call on the thread that does the I/O never ends: await it instead")
        future = self.submit(coroutine)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError as error:
            if future.done():
                raise  # the coroutine's own
            future.cancel()
            raise errors.DeadlineError(f"not done within {timeout:g} seconds") from error
        except BaseException:
            future.cancel()
            raise

    async def bridge(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine that must run on the loop, from whatever loop the caller is on."""
        if self.inside():
            return await coroutine
        return await asyncio.wrap_future(self.submit(coroutine))

    async def offload(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work (a name look-up, a disk write) on a worker thread; abandoned if cancelled."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        work = functools.partial(function, *args, **kwargs)
        self._workers.put(functools.partial(_perform, loop, future, work))
        return await future

    def register(self, client: Forkable) -> None:
        """Have `client.after_fork()` called in every forked child, as long as the client lives."""
        self._clients.add(client)

    def own(self, connection: socket.socket) -> None:
        """Have the child's copy of this socket closed in every forked child."""
        self._sockets.add(connection)

    def _start(self) -> _Loop:
        with self._lock:
            if self._loop is not None:
                return self._loop
            loop = _Loop()
            self._thread = threading.Thread(target=_run, args=(loop,), name=self._name, daemon=True)
            self._thread.start()
            self._loop = loop
            return loop

    def after_fork(self) -> None:
        """Forget the parent's thread, loop and sockets; what the loop held is kept from being finalized."""
        loop = self._loop
        if loop is not None:
            self._forgotten += [loop, asyncio.all_tasks(loop)]
            loop.forget()
        for connection in list(self._sockets):
            connection.close()
        self._sockets.clear()
        self._reset()
        for client in list(self._clients):
            client.after_fork()

    def stop(self) -> None:
        """Cancel what runs, end the thread and close the loop, within about a second."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        stopping = asyncio.run_coroutine_threadsafe(_cancel_all(), loop)
        with contextlib.suppress(Exception):
            stopping.result(STOP_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_SECONDS)
        if not thread.is_alive():
            loop.close()
        for connection in list(self._sockets):
            connection.close()


def _run(loop: _Loop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=STOP_SECONDS / 2)
    await asyncio.get_running_loop().shutdown_asyncgens()


async def on(other: asyncio.AbstractEventLoop | None, work: Coroutine[Any, Any, T]) -> T:
    """Have something done on another event loop, and give what came of it; on this one where it is that, or none is named."""
    if other is None or other is asyncio.get_running_loop():
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, other))


def _perform(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:  # handed to whoever awaits
        settle = functools.partial(_fail, future, error)
    else:
        settle = functools.partial(_succeed, future, result)
    with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(settle)


def _succeed(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


_runtime = Runtime()
os.register_at_fork(after_in_child=_runtime.after_fork)
atexit.register(_runtime.stop)

loop = _runtime.loop
inside = _runtime.inside
submit = _runtime.submit
call = _runtime.call
bridge = _runtime.bridge
offload = _runtime.offload
register = _runtime.register
own = _runtime.own
