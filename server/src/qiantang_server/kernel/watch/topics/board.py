"""Board: what happened lately, gathered by topic, numbered, and kept for those who come back. Pure: time is told to it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from qiantang.kernel import release, resource
from qiantang_server.kernel.watch.outgoing import frame
from qiantang_server.kernel.watch.topics.topic import Cause

SPACING = 0.25
"""Seconds between two events of one topic: four a second at most."""
KEPT = 4096
MANY = "many"
MAX_ABOUT = 500
REASONS = ("publish", "request", "draft", "instances", "rows")
"""The weightiest first."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, encoded once for all streams. `about` is what it comes from."""

    sequence: int
    number: str
    topic: str
    told: bytes
    about: frozenset[Cause]

    def missed(self) -> Event:
        """Give what stands for this event and those of its topic before it that a reader was too slow for."""
        told = frame("changed", release.Changed(topic=self.topic, reason=MANY, reasons=[MANY]), self.number)
        return Event(self.sequence, self.number, self.topic, told, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened to a bundle or a row, with the little of it that is told at once."""

    about: Cause
    reason: str
    position: resource.Position | None = None
    counted: release.Counted | None = None


@dataclass(slots=True)
class _Gathered:
    due: float
    reasons: set[str] = field(default_factory=set[str])
    about: set[Cause] = field(default_factory=set[Cause])
    position: resource.Position | None = None
    counted: release.Counted | None = None

    def add(self, change: Change) -> None:
        self.reasons.add(change.reason)
        self.about.add(change.about)
        self.counted = change.counted or self.counted
        if change.position is not None and (self.position is None or self.position < change.position):
            self.position = change.position


class Board:
    """Gathers changes into events and numbers them `<boot>-<sequence>`.

    The first change of a quiet topic is an event at once; those that follow within the spacing are one event at its end.
    """

    def __init__(self, boot: str, *, kept: int = KEPT, spacing: float = SPACING) -> None:
        self._boot = boot
        self._spacing = spacing
        self._sequence = 0
        self._ring: deque[Event] = deque(maxlen=kept)
        self._gathered: OrderedDict[str, _Gathered] = OrderedDict()
        self._told: OrderedDict[str, float] = OrderedDict()

    @property
    def number(self) -> str:
        """The number of the newest event."""
        return f"{self._boot}-{self._sequence}"

    def change(self, topic: str, change: Change, at: float, *, private: bool = False) -> Event | None:
        """Take a change of a topic in; give the event that it is, unless it waits for others.

        With `private` nothing of what it is about is told: those who follow the topic may not all see it.
        """
        if private:
            change = Change(about=change.about, reason=change.reason)
        waiting = self._gathered.get(topic)
        if waiting is not None:
            waiting.add(change)
            return self._event(topic, self._gathered.pop(topic), at) if len(waiting.about) >= MAX_ABOUT else None
        gathered = _Gathered(due=self._told.get(topic, at - self._spacing) + self._spacing)
        gathered.add(change)
        if gathered.due <= at:
            return self._event(topic, gathered, at)
        self._gathered[topic] = gathered
        return None

    def due(self, at: float) -> list[Event]:
        """Give the events whose time has come."""
        while self._told and next(iter(self._told.values())) <= at - self._spacing:
            self._told.popitem(last=False)
        ready = [topic for topic, one in self._gathered.items() if one.due <= at]
        return [self._event(topic, self._gathered.pop(topic), at) for topic in ready]

    @property
    def waits(self) -> bool:
        """Whether a change waits for others."""
        return bool(self._gathered)

    def since(self, number: str) -> list[Event] | None:
        """Give the events after the one with this number; None where that is not known any more, or never was."""
        boot, _, sequence = number.rpartition("-")
        if boot != self._boot or not sequence.isascii() or not sequence.isdecimal() or len(sequence) > 18:
            return None
        after = int(sequence)
        oldest = self._ring[0].sequence if self._ring else self._sequence + 1
        if not oldest - 1 <= after <= self._sequence:
            return None
        return [one for one in self._ring if one.sequence > after]

    def _event(self, topic: str, gathered: _Gathered, at: float) -> Event:
        self._sequence += 1
        self._told[topic] = at
        self._told.move_to_end(topic)
        reasons = [one for one in REASONS if one in gathered.reasons]
        changed = release.Changed(
            topic=topic, reason=reasons[0], reasons=reasons, position=gathered.position, instances=gathered.counted
        )
        event = Event(
            self._sequence, self.number, topic, frame("changed", changed, self.number), frozenset(gathered.about)
        )
        self._ring.append(event)
        return event


def collapsed(events: Iterable[Event]) -> list[Event]:
    """Give one event per topic in place of many, in their order: a reader that was too slow looks again at everything."""
    last = {one.topic: one for one in events}
    return [one.missed() for one in sorted(last.values(), key=lambda one: one.sequence)]
