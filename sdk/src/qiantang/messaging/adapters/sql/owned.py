"""Owned: what a member knows of the queues that it owns, and the changes that settling makes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qiantang.messaging.model.watermark import Watermark


@dataclass(slots=True, eq=False)
class OwnedLog:
    """A log of an owned queue: how far it is finished, how far it was read, and which offset was written last."""

    mark: Watermark
    read: int = 0
    written: int = 0

    @classmethod
    def at(cls, position: int) -> OwnedLog:
        """Begin at an offset."""
        return cls(Watermark(position), position, position)


@dataclass(slots=True, eq=False)
class OwnedQueue:
    """A queue, under the epoch in which it was acquired.

    `parked` counts the messages of each key that wait in `mf_held`: what follows them in the log joins them. `moved` are the
    places of messages that were there already when the queue was acquired. `working` are numbers of held messages in hand, `out`
    is how many messages are in hand in all. A lost queue is another's by now; one that is leaving is given up once nothing is out.
    """

    number: int
    epoch: int
    logs: dict[int, OwnedLog] = field(default_factory=dict[int, OwnedLog])
    parked: Counter[str] = field(default_factory=Counter[str])
    moved: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    working: set[int] = field(default_factory=set[int])
    out: int = 0
    lost: bool = False
    leaving: bool = False

    def unpark(self, key: str) -> None:
        """Count one message of a key less."""
        self.parked[key] -= 1
        if self.parked[key] <= 0:
            del self.parked[key]


class Place(NamedTuple):
    """Where a message stands, and its key."""

    queue: OwnedQueue
    priority: int
    position: int
    key: str


class Handle(NamedTuple):
    """What settling a taken message needs. `held` is its number in `mf_held`, 0 where it stands in its log alone; `parked`
    says whether its key waits with it.
    """

    place: Place
    attempt: int
    held: int = 0
    parked: bool = False


@dataclass(slots=True)
class Changes:
    """What one transaction does to `mf_held`: rows to insert, numbers to delete, rows to change."""

    own: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gone: list[int] = field(default_factory=list[int])
    again: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def hold(self, place: Place, key: str, due: int, attempt: int) -> None:
        """Note a message that is finished as far as its log goes: due at a time, or, with a key, after those before it."""
        where = {"queue": place.queue.number, "priority": place.priority, "position": place.position}
        self.rows.append({**self.own, **where, "k": key, "due": due, "attempt": attempt})
        if key:
            place.queue.parked[key] += 1
