"""Holdings: the queues that one member holds, what it has read of them, and what is in hand. Pure.

A hold of a queue is one consumer: the broker takes back what was not acknowledged, in its order, when that ends.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from qiantang.messaging.model import Frame, Taken
from qiantang.messaging.model.ranking import PRIORITIES, order_of


@dataclass(slots=True, eq=False)
class Held:
    """A queue under one hold, consumed over `channel`, which the adapter knows.

    `out` is how many of its messages are in hand, `unfinished` how many were not acknowledged. It gives nothing before it is
    kept, nor while it is leaving, of which is noted since when; a lost one is another's by now.
    """

    number: int
    hold: int
    channel: Any
    out: int = 0
    unfinished: int = 0
    kept: bool = False
    leaving: float = 0.0
    lost: bool = False

    @property
    def gives(self) -> bool:
        """Whether what came of it may be fetched."""
        return self.kept and not self.leaving


@dataclass(slots=True, frozen=True)
class Handle:
    """What settling a delivery needs: its hold, and its number (or whatever names it) there."""

    held: Any
    number: Any


H = TypeVar("H", bound=Held)


class Holdings(Generic[H]):
    """All that one member holds. `wake` is called when something comes, `emptied` when nothing is in hand of one that leaves.

    `make` makes a hold of a number, the number of the hold, and its channel.
    """

    def __init__(
        self,
        tags: Collection[str],
        wake: Callable[[], None],
        emptied: Callable[[], None],
        make: Callable[[int, int, Any], H],
    ) -> None:
        self._tags = frozenset(tags)
        self._wake = wake
        self._emptied = emptied
        self._make = make
        self._held: dict[int, H] = {}
        self._come: list[deque[Taken]] = [deque() for _ in PRIORITIES]
        self._back: list[Taken] = []
        self._unwanted: list[Taken] = []
        self._hold = 0
        self._looks = 0
        self._position = 0

    @property
    def holds(self) -> dict[str, int]:
        """The names of the queues that are held, with the numbers of their holds."""
        return {f"{one.number}": one.hold for one in self._held.values()}

    @property
    def held(self) -> list[H]:
        """All that is held."""
        return list(self._held.values())

    def unfinished(self, first: int = 0) -> int:
        """Count the messages that came of the queues from a number on and were not acknowledged."""
        return sum(one.unfinished for one in self._held.values() if one.number >= first)

    def find(self, number: int) -> H | None:
        """Find the hold of a queue."""
        return self._held.get(number)

    def take(self, number: int, channel: Any) -> H:
        """Prepare a hold of a queue; it counts once it is `keep`'s."""
        self._hold += 1
        return self._make(number, self._hold, channel)

    def keep(self, held: H) -> None:
        """Hold a queue: the broker gave it."""
        if not held.lost:
            held.kept = True
            self._held[held.number] = held
            self._wake()

    def lose(self, held: H) -> None:
        """Hold a queue no more: what is in hand of it is not settled any more, and what was not given is forgotten."""
        held.lost = True
        if self._held.get(held.number) is held:
            del self._held[held.number]
        self._back = [one for one in self._back if not one.handle.held.lost]
        self._unwanted = [one for one in self._unwanted if not one.handle.held.lost]
        for priority, waiting in enumerate(self._come):
            if any(one.handle.held.lost for one in waiting):
                self._come[priority] = deque(one for one in waiting if not one.handle.held.lost)

    def come(self, held: H, number: Any, frame: Frame) -> None:
        """Take a delivery."""
        if held.lost:
            return
        held.unfinished += 1
        # rises over restarts as well, as long as the clock is not set back
        self._position = max(self._position + 1, time.time_ns())
        taken = Taken(
            frame=frame,
            handle=Handle(held, number),
            queue=f"{held.number}",
            position=self._position,
            hold=held.hold,
        )
        if self._tags and frame.tag not in self._tags:
            self._unwanted.append(taken)  # the broker leaves out none, or it was sent before the group had these tags
        else:
            self._come[frame.rank].append(taken)
        self._wake()

    def fetch(self, count: int, size: int) -> list[Taken]:
        """Give what came: first what was given back, then the highest priority, but for every eighth time."""
        found: list[Taken] = []
        self._back = self._given(deque(self._back), found, count, size)
        self._looks += 1
        for priority in order_of(self._looks):
            waiting = self._come[priority]
            if waiting and len(found) < count:
                left = size - sum(one.frame.size for one in found)
                self._come[priority] = deque(self._given(waiting, found, count, left))
        for one in found:
            one.handle.held.out += 1
        return found

    def unwanted(self) -> list[Taken]:
        """Give what has a tag that is not asked for; it counts as given, and is to be settled at once."""
        found, self._unwanted = self._unwanted, []
        for one in found:
            one.handle.held.out += 1
        return found

    def finished(self, some: Iterable[Taken]) -> dict[H, list[Any]]:
        """Finish messages; give the numbers of those that the broker is to be told of, by their holds."""
        numbers: dict[H, list[Any]] = {}
        for one in some:
            held: H = one.handle.held
            if not held.lost:
                numbers.setdefault(held, []).append(one.handle.number)
        for held, found in numbers.items():
            held.out -= len(found)
            held.unfinished -= len(found)
        self._look_at(numbers)
        return numbers

    def back(self, some: Collection[Taken]) -> None:
        """Take messages back that were not worked on: they come again, in their place."""
        for one in some:
            held: H = one.handle.held
            held.out -= 1
            if not held.lost:
                self._back.append(one)
        self._back.sort(key=lambda one: one.position)
        self._look_at({one.handle.held for one in some})

    def _look_at(self, some: Iterable[H]) -> None:
        if any(one.leaving and not one.out for one in some):
            self._emptied()

    def _given(self, waiting: deque[Taken], found: list[Taken], count: int, size: int) -> list[Taken]:
        """Move what may be given to `found`; give the rest."""
        rest: list[Taken] = []
        while waiting:
            one = waiting.popleft()
            if len(found) >= count or size <= 0:
                rest.append(one)
                break
            if not one.handle.held.gives:
                rest.append(one)
                continue
            size -= one.frame.size
            found.append(one)
        rest.extend(waiting)
        return rest
