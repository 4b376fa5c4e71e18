"""Members: who takes part in a group, as each of them hears it from the others, and how they share the queues. Pure.

Each says its name every second. Those that were heard of lately share the queues out (`model.sharing`). Two that have not heard
of one another yet may both want a queue; the broker gives it to one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from qiantang.messaging.model.sharing import shares

HEARD_SECONDS: Final = 3.5


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a member says: its name, how many queues the group has by what it knows, and how many messages of which it has in hand.

    `wanted` are the queues that it asks for by number, if it does. `news` asks the others to look now: it came, or let a queue
    go. `left` says that it is gone. Without a name it is no member's word: somebody says that the group has more queues.
    """

    member: str
    queues: int = 0
    in_hand: dict[int, int] = {}
    wanted: tuple[int, ...] = ()
    news: bool = False
    left: bool = False


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Word)


def written(word: Word) -> bytes:
    """Give a word as it goes over the broker."""
    return _encoder.encode(word)


def read(data: bytes) -> Word | None:
    """Read a word; None where it is none of ours."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError:
        return None


class Members:
    """What one member knows of the others. Times are in seconds, of any clock that only rises."""

    def __init__(self, name: str, wanted: Collection[int] = ()) -> None:
        self.name = name
        self._noted = 0
        self.wanted = tuple(sorted(wanted))
        self._heard: dict[str, tuple[float, Word]] = {}

    def hear(self, word: Word, now: float) -> bool:
        """Take a word; say whether it changes anything for this member."""
        if not word.member:
            more, self._noted = word.queues > self.told, max(self._noted, word.queues)
            return more
        if word.member == self.name:
            return False
        if word.left:
            return self._heard.pop(word.member, None) is not None
        _, known = self._heard.get(word.member, (0.0, None))
        self._heard[word.member] = (now, word)
        return known is None or known.wanted != word.wanted or word.news

    def present(self, now: float) -> list[str]:
        """Give the names of all that are there, sorted, its own among them."""
        self._heard = {name: heard for name, heard in self._heard.items() if now - heard[0] <= HEARD_SECONDS}
        return sorted({self.name, *self._heard})

    def share(self, queues: Sequence[int], now: float) -> list[int]:
        """Give those of the queues that are this member's."""
        wanted = {self.name: self.wanted, **{name: word.wanted for name, (_, word) in self._heard.items()}}
        return shares({name: wanted[name] for name in self.present(now)}, queues)[self.name]

    @property
    def told(self) -> int:
        """How many queues the group has by what was heard."""
        return max([self._noted, *(word.queues for _, word in self._heard.values())])

    def in_hand(self, now: float, first: int = 0) -> int:
        """Count what the others have in hand of the queues from a number on, by what each last said."""
        self.present(now)
        some = [count for _, word in self._heard.values() for number, count in word.in_hand.items() if number >= first]
        return sum(some)
