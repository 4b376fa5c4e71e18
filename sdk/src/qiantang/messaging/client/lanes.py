"""Lanes: which of the messages in hand may be worked on now. Pure: it does nothing but order them.

Messages without a key, and all of an unordered subscription, are ready as they come. In an ordered one the messages of a
key make a lane: one at a time is worked on, the next is ready once it is done. When one fails, what its lane still holds is
given back, so that nothing overtakes it.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """Messages in hand, in lanes by key."""

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered
        self._ready: deque[tuple[str, T]] = deque()
        self._lanes: dict[str, deque[T]] = {}
        self._waiting = 0

    def __len__(self) -> int:
        """Count what is in hand and not being worked on."""
        return len(self._ready) + self._waiting

    @property
    def ready(self) -> int:
        """How many may be worked on now."""
        return len(self._ready)

    def put(self, key: str, item: T) -> None:
        """Take a message in hand. Messages of a key come in their order."""
        if not self._ordered or not key:
            self._ready.append(("", item))
            return
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = deque()
            self._ready.append((key, item))
        else:
            lane.append(item)
            self._waiting += 1

    def take(self) -> tuple[str, T] | None:
        """Give the next that may be worked on, with the lane to name when it is finished."""
        return self._ready.popleft() if self._ready else None

    def done(self, lane: str) -> None:
        """Say that what was taken from a lane is finished: its next one is ready."""
        waiting = self._lanes.get(lane)
        if waiting:
            self._ready.append((lane, waiting.popleft()))
            self._waiting -= 1
        elif waiting is not None:
            del self._lanes[lane]

    def failed(self, lane: str) -> list[T]:
        """Say that what was taken from a lane failed; give what waited behind it, for it must not overtake."""
        behind = list(self._lanes.pop(lane, ()))
        self._waiting -= len(behind)
        return behind

    def clear(self) -> list[T]:
        """Give back all that is not being worked on, each lane in its order."""
        found: list[T] = []
        for key, item in self._ready:
            found += [item, *self._lanes.pop(key, ())]
        for lane in self._lanes.values():
            found += lane
            lane.clear()
        self._ready.clear()
        self._waiting = 0
        return found
