"""Board: what an adapter knows of positions and servers, and who waits to hear of a change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection

from qiantang.kernel.resource import Position
from qiantang_server.kernel.coordination.port import Condition


class _Seat:
    """One watcher and what it has still to hear."""

    __slots__ = ("pending", "wake")

    def __init__(self, pending: dict[str, Position]) -> None:
        self.pending = pending
        self.wake = asyncio.Event()


class Board:
    """The newest position of each key. Watchers hear each change; positions of one key replace each other as they wait.

    It belongs to one event loop; nothing on it awaits but the watchers.
    """

    def __init__(self) -> None:
        self._positions: dict[str, Position] = {}
        self._seats: set[_Seat] = set()
        self._closed = False

    def post(self, key: str, position: Position) -> bool:
        """Take a position over if it is newer; say whether it was."""
        known = self._positions.get(key)
        if known is not None and known >= position:
            return False
        self._positions[key] = position
        for seat in self._seats:
            seat.pending[key] = position
            seat.wake.set()
        return True

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget keys that are no more, so that what was removed takes no memory."""
        for key in self._positions.keys() - set(keys):
            del self._positions[key]

    def close(self) -> None:
        """End every watch."""
        self._closed = True
        for seat in self._seats:
            seat.wake.set()

    async def watch(self) -> AsyncIterator[tuple[str, Position]]:
        """Give all positions, then each change, until the board closes."""
        seat = _Seat(dict(self._positions))
        self._seats.add(seat)
        try:
            while not self._closed:
                while seat.pending and not self._closed:
                    key = next(iter(seat.pending))
                    yield key, seat.pending.pop(key)
                if not self._closed:
                    await seat.wake.wait()
                    seat.wake.clear()
        finally:
            self._seats.discard(seat)


class Roster:
    """The addresses of the live servers. Watchers hear the newest list; lists in between may be left out."""

    def __init__(self) -> None:
        self._addresses: list[str] | None = None
        self._wakes: set[asyncio.Event] = set()
        self._closed = False

    def post(self, addresses: Collection[str]) -> None:
        """Take over the list as it is now."""
        fresh = sorted(set(addresses))
        if fresh != self._addresses:
            self._addresses = fresh
            self._wake()

    def close(self) -> None:
        """End every watch."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        for wake in self._wakes:
            wake.set()

    async def watch(self) -> AsyncIterator[list[str]]:
        """Give the list once it is known, then again at each change, until the roster closes."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        told: list[str] | None = None
        try:
            while not self._closed:
                if self._addresses is not None and self._addresses != told:
                    told = self._addresses
                    yield list(told)
                else:
                    await wake.wait()
                    wake.clear()
        finally:
            self._wakes.discard(wake)


class Health:
    """The condition as it changes; each change is told once, so that an outage is logged once, not at each attempt."""

    def __init__(self, reason: str = "not open yet") -> None:
        self._condition = Condition(ready=False, reason=reason, since=_now())
        self._known = False

    @property
    def condition(self) -> Condition:
        """Give it."""
        return self._condition

    def ready(self) -> bool:
        """Say that it works; give whether that is news."""
        self._known = True
        if self._condition.ready:
            return False
        self._condition = Condition(ready=True, since=_now())
        return True

    def degraded(self, reason: str) -> bool:
        """Say what is wrong; give whether that is news: it worked until now, or nothing was known."""
        fresh = self._condition.ready or not self._known
        self._known = True
        since = _now() if fresh else self._condition.since
        self._condition = Condition(ready=False, reason=reason, since=since)
        return fresh


def _now() -> int:
    return time.time_ns() // 1_000_000
