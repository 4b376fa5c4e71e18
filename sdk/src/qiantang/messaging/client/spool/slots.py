"""Slots: whether a message may go straight to its broker, or must wait behind older ones of its key. Pure: no I/O, no time.

Keys fall into 256 slots of each topic, so that what is remembered is bounded however many keys there are. While the destination
is away, all slots are SPOOLING: every message goes to the tail of the offline store. Once it is back, a slot with older
messages in the store is DRAINING, and what is new of it goes to the tail still; it is ONLINE the moment the last of them has
left. Messages without a key stand in the slot -1: they need no order among themselves, and never wait for each other.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

SLOTS: Final = 256
NO_KEY: Final = -1
"""The slot of messages that have no key."""

Slot = tuple[str, int]
"""A topic, and a slot of it."""


class State(StrEnum):
    """Of a slot."""

    ONLINE = "online"
    SPOOLING = "spooling"
    DRAINING = "draining"


def slot_of(key: str) -> int:
    """Give the slot of a key; the same on every machine and in every version, since it is kept on disk."""
    return zlib.crc32(key.encode(errors="surrogatepass")) % SLOTS if key else NO_KEY


class Slots:
    """Of one destination. Who sends asks and enters in the same step: nothing may come between `must_spool` and `enter`."""

    def __init__(self, *, away: bool = False) -> None:
        self._away = away
        self._pending: dict[Slot, int] = {}
        self._total = 0

    @property
    def is_away(self) -> bool:
        """Whether the destination is taken to be away."""
        return self._away

    @property
    def total(self) -> int:
        """How many messages wait, in all slots."""
        return self._total

    def go_away(self) -> None:
        """The destination is away: from now on every message is spooled. Saying it twice does nothing."""
        self._away = True

    def come_back(self) -> None:
        """The destination is back: slots that have nothing waiting are online at once. Saying it twice does nothing."""
        self._away = False

    def pending(self, topic: str, slot: int) -> int:
        """Count the messages of the slot that wait."""
        return self._pending.get((topic, slot), 0)

    def counts(self) -> dict[Slot, int]:
        """Count the messages that wait, by slot; slots without any are left out."""
        return dict(self._pending)

    def state(self, topic: str, slot: int) -> State:
        """Say how things are with a slot."""
        if self._away:
            return State.SPOOLING
        return State.DRAINING if (topic, slot) in self._pending else State.ONLINE

    def must_spool(self, topic: str, slot: int) -> bool:
        """Say whether a new message of the slot has to go to the tail of the store."""
        return self._away or (slot != NO_KEY and (topic, slot) in self._pending)

    def enter(self, counts: Mapping[Slot, int]) -> None:
        """So many messages of these slots go to the store: from now on the slots wait for them."""
        for slot, count in counts.items():
            if count > 0:
                self._pending[slot] = self._pending.get(slot, 0) + count
                self._total += count

    def leave(self, counts: Mapping[Slot, int]) -> list[Slot]:
        """So many messages of these slots have left the store, or never came into it; give the slots that have none any more.

        Raises:
            ValueError: a slot has fewer; nothing has changed.
        """
        for slot, count in counts.items():
            if count > self._pending.get(slot, 0):
                raise ValueError(f"{count} messages cannot leave slot {slot}, which has {self._pending.get(slot, 0)}")
        emptied: list[Slot] = []
        for slot, count in counts.items():
            if count <= 0:
                continue
            self._total -= count
            left = self._pending[slot] - count
            if left:
                self._pending[slot] = left
            else:
                del self._pending[slot]
                emptied.append(slot)
        return emptied
