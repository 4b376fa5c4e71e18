"""Workers: the few threads on which an application's plain functions run, apart from the network.

One pool serves the process. A function that overruns its time is given up: it cannot be stopped, so its thread
is written off and a new one may take its place. Each callback has one run at a time, so at most as many threads
are written off as there are callbacks.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

SIZE = 8
IDLE_SECONDS = 10.0


class Job:
    """A function handed over to be run once."""

    __slots__ = ("given_up", "run", "started")

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.started = False
        self.given_up = False


class Workers:
    """At most `size` threads that count, started at need, ended when idle; they never hold up the exit."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self.reset()

    def reset(self) -> None:
        """Forget, in a forked child, the parent's threads and jobs."""
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._counted = 0
        self._idle = 0

    def put(self, run: Callable[[], None]) -> Job:
        """Have a function run as soon as a thread is free."""
        job = Job(run)
        with self._lock:
            self._jobs.put(job)
            start = self._wanting()
        if start:
            self._start()
        return job

    def give_up(self, job: Job) -> None:
        """Stop counting on a job: one not begun is never begun, one that runs loses its thread its place."""
        with self._lock:
            if job.given_up:
                return
            job.given_up = True
            if job.started:
                self._counted -= 1
            start = self._wanting()
        if start:
            self._start()

    def _wanting(self) -> bool:
        start = self._jobs.qsize() > self._idle and self._counted < self._size
        self._counted += start
        return start

    def _start(self) -> None:
        threading.Thread(target=self._work, name="qiantang-callback", daemon=True).start()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            with self._lock:
                if job.given_up:
                    continue
                job.started = True
            job.run()
            with self._lock:
                if job.given_up:
                    return  # the place was given to another thread
                job.given_up = True

    def _next(self) -> Job | None:
        with self._lock:
            self._idle += 1
        try:
            return self._jobs.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return self._last()
        finally:
            with self._lock:
                self._idle -= 1

    def _last(self) -> Job | None:
        with self._lock:
            if not self._jobs.empty():
                return self._jobs.get()
            self._counted -= 1
            return None


workers = Workers()
os.register_at_fork(after_in_child=workers.reset)
