"""Life cycle: the parts of a process opened in order and closed in reverse, within deadlines that hold.

Each part lives in a task of its own that enters it, waits, and leaves it: enter and exit share one task (task groups
and cancel scopes need that), and a part that hangs can be given up without holding the others.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Literal, TypeVar

import msgspec

from qiantang.kernel import errors

log = logging.getLogger(__name__)
T = TypeVar("T")

POLITE = 0.8
"""Part of a closing share that a part may use before it is cancelled; the rest is for obeying."""


class Closed(msgspec.Struct, frozen=True):
    """How closing a part went. `hung`: it was cancelled when its share ran out, or given up when it ignored that."""

    name: str
    outcome: Literal["closed", "failed", "hung"]
    seconds: float
    reason: str = ""


class _Keeper(Generic[T]):
    """One part in its own task."""

    def __init__(self, name: str, part: AbstractAsyncContextManager[T], share: float) -> None:
        self.name = name
        self.share = share
        self._part = part
        self._opened: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._leave = asyncio.Event()
        self._task = asyncio.create_task(self._live(), name=f"part {name}")

    async def _live(self) -> None:
        try:
            async with self._part as entered:
                self._opened.set_result(entered)
                await self._leave.wait()
        except BaseException as error:
            if not self._opened.done():
                self._opened.set_exception(error)
                self._opened.exception()  # whoever waits gets it; when nobody waits any more it is not news
                return
            if not self._leave.is_set():
                log.exception("a part fell while in use", extra={"part": self.name})
            raise

    async def opened(self, within: float | None) -> T:
        done, _ = await self._wait(self._opened, within)
        if not done:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=within)
            raise errors.DeadlineError(f"{self.name} did not open within {within:g} s")
        return self._opened.result()

    async def _wait(self, future: asyncio.Future[T], within: float | None) -> tuple[Any, Any]:
        try:
            return await asyncio.wait({future}, timeout=within)
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=within)
            raise

    async def close(self, within: float) -> Closed:
        clock = asyncio.get_running_loop().time
        started = clock()
        self._leave.set()
        await asyncio.wait({self._task}, timeout=within * POLITE)
        hung = not self._task.done()
        if hung:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=within * (1 - POLITE))
        seconds = clock() - started
        if hung:
            obeyed = "was cancelled" if self._task.done() else "ignored its cancellation and was given up"
            self._task.add_done_callback(_retrieve)
            return Closed(self.name, "hung", seconds, f"not closed after {within * POLITE:.2g} s; {obeyed}")
        error = asyncio.CancelledError() if self._task.cancelled() else self._task.exception()
        if error is not None:
            return Closed(self.name, "failed", seconds, f"{type(error).__name__}: {error}"[:500])
        return Closed(self.name, "closed", seconds)


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


async def _close(keeper: _Keeper[Any], within: float) -> Closed:
    closed = await keeper.close(within)
    if closed.outcome != "closed":
        log.error(
            "a part did not close well",
            extra={"part": closed.name, "outcome": closed.outcome, "reason": closed.reason},
        )
    return closed


class Lifecycle:
    """Parts opened in order. Leaving closes them in reverse within `close_within` seconds in all.

    Each part gets, of the time left, what its share is among the parts left: a part that hangs or fails is reported by
    name (in the log and in `closed`) and the rest still close. When opening a part fails, leaving closes the others.
    """

    def __init__(self, *, close_within: float = 5.0) -> None:
        self.close_within = close_within
        self.closed: list[Closed] = []
        self._keepers: list[_Keeper[Any]] = []

    @property
    def parts(self) -> list[str]:
        """Name the open parts, in the order of their opening."""
        return [keeper.name for keeper in self._keepers]

    async def open(
        self, name: str, part: AbstractAsyncContextManager[T], *, within: float | None = None, share: float = 1.0
    ) -> T:
        """Enter a part and keep it until the end; `share` weighs its claim on the time for closing.

        Raises:
            DeadlineError: it did not open within `within` seconds; it was cancelled.
            Exception: whatever entering it raised.
        """
        keeper = _Keeper(name, part, share)
        entered = await keeper.opened(within)
        self._keepers.append(keeper)
        return entered

    async def close(self) -> list[Closed]:
        """Close every open part, the youngest first; never raises for a part. A second call has nothing to do."""
        clock = asyncio.get_running_loop().time
        ends = clock() + self.close_within
        while self._keepers:
            shares = sum(keeper.share for keeper in self._keepers)
            keeper = self._keepers.pop()
            left = max(0.0, ends - clock())
            self.closed.append(await _close(keeper, left * keeper.share / shares))
        return self.closed

    async def __aenter__(self) -> Lifecycle:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Swap(Generic[T]):
    """One part that is replaced while in use: the new one opens first, and where that fails the old one stays.

    An async context manager itself, so that a life cycle can hold it.
    """

    def __init__(
        self, name: str, first: AbstractAsyncContextManager[T], *, open_within: float = 10.0, close_within: float = 5.0
    ) -> None:
        self.name = name
        self._first = first
        self._open_within = open_within
        self._close_within = close_within
        self._turn = asyncio.Lock()
        self._keeper: _Keeper[T] | None = None
        self._current: T | None = None

    @property
    def current(self) -> T:
        """The part in use. Take it anew for each piece of work; one that is held is closed after a swap."""
        if self._keeper is None:
            raise errors.UnavailableError(f"{self.name} is not open")
        return self._current  # type: ignore[return-value]  # set together with the keeper

    async def replace(self, part: AbstractAsyncContextManager[T]) -> T:
        """Open `part`, put it in use, close the one before; replacements wait for each other.

        Raises:
            UnavailableError: the swap itself is not open.
            DeadlineError: the new part did not open in time; the old one stays in use.
            Exception: whatever opening the new part raised; the old one stays in use.
        """
        async with self._turn:
            if self._keeper is None:
                raise errors.UnavailableError(f"{self.name} is not open")
            before = self._keeper
            entered = await self._take(part)
            await _close(before, self._close_within)
            return entered

    async def _take(self, part: AbstractAsyncContextManager[T]) -> T:
        keeper = _Keeper(self.name, part, 1.0)
        entered = await keeper.opened(self._open_within)
        self._keeper, self._current = keeper, entered
        return entered

    async def __aenter__(self) -> Swap[T]:
        async with self._turn:
            await self._take(self._first)
        return self

    async def __aexit__(self, *_: object) -> None:
        async with self._turn:
            keeper, self._keeper, self._current = self._keeper, None, None
            if keeper is not None:
                await _close(keeper, self._close_within)
