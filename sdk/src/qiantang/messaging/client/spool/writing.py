"""Writing: what is to be appended waits in one line, and goes to disk in as few writes as it can.

One write at a time; what gathers meanwhile is the next. The line is bounded: who comes while it is full waits, in his turn.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, Final

from qiantang.messaging.client.spool.slots import Slot

WAITING_BYTES: Final = 16 * 1024 * 1024
"""How much may wait to be written."""
WRITE_BYTES: Final = 4 * 1024 * 1024
"""What gathers goes in writes of about this size."""


class Append:
    """Records that are kept together or not at all, and who waits for that."""

    __slots__ = ("counts", "data", "kept")

    def __init__(self, data: bytes, counts: Counter[Slot]) -> None:
        self.data = data
        self.counts = counts
        self.kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()


Write = Callable[[Sequence[Append]], Coroutine[Any, Any, None]]


class Line:
    """The line before one store. `write` keeps appends, or fails for all of them. Of one event loop."""

    def __init__(self, name: str, write: Write) -> None:
        self._name = name
        self._write = write
        self._waiting: deque[Append] = deque()
        self._bytes = 0
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def size(self) -> int:
        """How many bytes wait, or are being written."""
        return self._bytes

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Wait for a place in the line; turns come in the order in which they were asked for, and at once where there is room."""
        async with self._turn:
            while self._bytes >= WAITING_BYTES and not self._closing:
                self._room.clear()
                await self._room.wait()
            yield

    def put(self, append: Append) -> None:
        """Take the place; in one's turn."""
        self._waiting.append(append)
        self._bytes += len(append.data)
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._run(), name=f"spool {self._name}")

    async def close(self) -> None:
        """Let those who wait for a place go on, and wait until all that has one is written or has failed."""
        self._closing = True
        self._room.set()
        while self._pump is not None and not self._pump.done():
            await asyncio.wait({self._pump})

    async def _run(self) -> None:
        await asyncio.sleep(0)  # what is appended in the same turn of the loop goes together
        while group := self._gathered():
            error: Exception | None = None
            try:
                await self._write(group)
            except Exception as raised:
                error = raised
            self._bytes -= sum(len(one.data) for one in group)
            self._room.set()
            for one in group:
                if error is None:
                    one.kept.set_result(None)
                else:
                    one.kept.set_exception(error)

    def _gathered(self) -> list[Append]:
        group: list[Append] = []
        size = 0
        while self._waiting and size < WRITE_BYTES:
            group.append(self._waiting.popleft())
            size += len(group[-1].data)
        return group
