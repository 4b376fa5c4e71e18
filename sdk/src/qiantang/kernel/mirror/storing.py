"""Storing: the copies on disk, written off the loop, one at a time; of views that wait only the latest is written."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from qiantang.kernel import resource, runtime
from qiantang.kernel.mirror.disk import Copy, LastGoodCopy

CLOSE_SECONDS = 1.0


class Storing:
    """Belongs to one loop; a forked child makes a new one. Without a folder it holds nothing and gives nothing."""

    def __init__(self, copies: LastGoodCopy | None, clock: Callable[[], float]) -> None:
        self._copies = copies
        self._clock = clock
        self._waiting: list[resource.Snapshot] | None = None
        self._forgetting = False
        self._task: asyncio.Task[None] | None = None

    async def load(self) -> Copy | None:
        """Give the newest copy that can be trusted, if there is one."""
        return await runtime.offload(self._copies.load) if self._copies is not None else None

    def save(self, snapshots: Iterable[resource.Snapshot]) -> None:
        """Have a view kept, soon."""
        self._waiting = list(snapshots)
        self._start()

    def forget(self) -> None:
        """Have all copies removed, and what waits to be kept not kept."""
        self._waiting = None
        self._forgetting = True
        self._start()

    async def close(self) -> None:
        """Wait for what is being written, not for long."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await asyncio.shield(self._task)

    def _start(self) -> None:
        if self._copies is not None and self._task is None:
            self._task = asyncio.ensure_future(self._run(self._copies))

    async def _run(self, copies: LastGoodCopy) -> None:
        try:
            while self._forgetting or self._waiting is not None:
                if self._forgetting:
                    self._forgetting = False
                    await runtime.offload(copies.forget)
                elif self._waiting is not None:
                    snapshots, self._waiting = self._waiting, None
                    await runtime.offload(copies.save, snapshots, self._clock())
        finally:
            self._task = None
