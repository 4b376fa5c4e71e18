"""Owned: what a member knows of the queues that it owns, and the changes that settling makes of them."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from qiantang.messaging.model.watermark import Watermark


@dataclass(slots=True, eq=False)
class OwnedLog:
    """A log of an owned queue: how far it is finished, how far it was read, and which offset was written last.

    `known` says that the database has an offset of it, and `sure` is the last that was written to the disk.
    """

    mark: Watermark
    read: int = 0
    written: int = 0
    known: bool = False
    sure: int = 0

    @classmethod
    def at(cls, position: int, *, known: bool) -> OwnedLog:
        """Begin at an offset."""
        return cls(Watermark(position), position, position, known, position)


@dataclass(slots=True, eq=False)
class OwnedQueue:
    """A queue, under the epoch in which it was acquired.

    `parked` counts the messages of each key that wait in `mf_held`: what follows them in the log joins them. `moved` are the
    places of messages that were there already when the queue was acquired. `working` are numbers of held messages in hand, `out`
    is how many messages are in hand in all. A lost queue is another's by now; one that is leaving is given up once nothing is out.

    `held` counts what waits in `mf_held`, and `due` is when the next of it may be taken, in milliseconds since 1970: its owner
    is the only one who adds to it, so it need not be looked for before.
    """

    number: int
    epoch: int
    logs: dict[int, OwnedLog] = field(default_factory=dict[int, OwnedLog])
    parked: Counter[str] = field(default_factory=Counter[str])
    moved: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    working: set[int] = field(default_factory=set[int])
    held: int = 0
    due: float = math.inf
    out: int = 0
    lost: bool = False
    leaving: bool = False

    @property
    def name(self) -> str:
        """Its number as text."""
        return str(self.number)

    def hold_until(self, due: float) -> None:
        """Note that something that is held may be taken from then on."""
        self.due = min(self.due, due)

    def unpark(self, key: str) -> None:
        """Count one message of a key less."""
        self.parked[key] -= 1
        if self.parked[key] <= 0:
            del self.parked[key]


class Handle(msgspec.Struct, gc=False):
    """What settling a taken message needs: where it stands, its key, and the attempt. `held` is its number in `mf_held`, 0 where
    it stands in its log alone; `parked` says whether its key waits with it.
    """

    queue: OwnedQueue
    priority: int
    position: int
    key: str
    attempt: int = 1
    held: int = 0
    parked: bool = False


@dataclass(slots=True)
class Changes:
    """What one transaction does to `mf_held`: rows to insert, numbers to delete with their queues, rows to change."""

    own: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    gone: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    again: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __bool__(self) -> bool:
        """Whether it does anything."""
        return bool(self.rows or self.gone or self.again)

    def hold(self, handle: Handle, key: str, due: int, attempt: int) -> None:
        """Note a message that is finished as far as its log goes: due at a time, or, with a key, after those before it."""
        queue = handle.queue
        where = {"queue": queue.number, "priority": handle.priority, "position": handle.position}
        self.rows.append({**self.own, **where, "k": key, "due": due, "attempt": attempt})
        queue.held += 1
        queue.hold_until(due)
        if key:
            queue.parked[key] += 1
