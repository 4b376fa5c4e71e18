"""Pulse: how late a provider's event loop is and how much of its one core it uses, and who holds it up.

A handler that blocks the loop stops every other call of its worker, and nothing that runs on the loop can say so meanwhile: a
thread looks at what the loop's thread is doing, once it has been late for a while.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from types import FrameType
from typing import Final, Self

from qiantang.kernel.observe import BoundedLog
from qiantang.rpc.governance.shedding import Load
from qiantang.rpc.provider.threads import Threads

BEAT_SECONDS: Final = 0.05
BLOCKED_SECONDS: Final = 0.5
"""A loop that is late by so much is held up by somebody, who is named."""
FRAMES: Final = 6


class Pulse:
    """Of the loop on which it begins. It also has the `threads` tell how long calls wait for them."""

    def __init__(self, load: Load, log: BoundedLog, threads: Threads | None = None) -> None:
        self._load = load
        self._threads = threads
        self._log = log
        self._thread = threading.get_ident()
        self._beat = time.monotonic()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="qiantang-rpc-pulse", daemon=True)
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> Self:
        """Begin."""
        self._thread = threading.get_ident()
        self._beat = time.monotonic()
        self._task = asyncio.create_task(self._run(), name="pulse of the loop")
        self._watcher.start()
        return self

    def end(self) -> None:
        """End; the thread follows within a moment."""
        self._ended.set()
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        used = time.thread_time()
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
            now, use = time.monotonic(), time.thread_time()
            if self._threads is not None:
                self._threads.tell(self._load)
            self._load.observe(max(0.0, now - before - BEAT_SECONDS), (use - used) / (now - before))
            self._beat, used = now, use

    def _watch(self) -> None:
        told = 0.0
        while not self._ended.wait(BLOCKED_SECONDS / 2):
            beat = self._beat
            if time.monotonic() - beat - BEAT_SECONDS > BLOCKED_SECONDS and beat != told:
                told = beat  # once for each time that it is held up
                frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # there is no other way to see a thread
                self._tell(frames.get(self._thread), time.monotonic() - beat)

    def _tell(self, frame: FrameType | None, late: float) -> None:
        if frame is None:
            return
        stack = traceback.extract_stack(frame)[-FRAMES:]
        where = f"{stack[-1].filename}:{stack[-1].lineno} in {stack[-1].name}"
        self._log.failure(
            f"blocked {stack[-1].name}",
            "a handler blocks the event loop: no other call of this worker goes on",
            extra={"seconds": round(late, 2), "where": where, "stack": " < ".join(one.name for one in reversed(stack))},
        )
