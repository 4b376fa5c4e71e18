"""Membership: one member's part in its group: who else is there, which queues are its own, and getting and giving up their holds.

It looks every second, and at once when something changes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from qiantang.kernel import errors
from qiantang.messaging.adapters.sharing.holdings import Held, Holdings
from qiantang.messaging.adapters.sharing.looking import Looking
from qiantang.messaging.adapters.sharing.members import Members, Word

LOOK_SECONDS = 1.0
DRAIN_SECONDS = 30.0
"""So long a queue that belongs to another by now waits for what is in hand of it."""
END_SECONDS: Final = 3.0
"""How long leaving may take."""
H = TypeVar("H", bound=Held)


@dataclass(slots=True)
class Group:
    """A group on a topic, as this process knows it. One with `broadcast` ends with its only member."""

    topic: str
    name: str
    queues: int
    tags: tuple[str, ...]
    broadcast: bool = False


class Place(Protocol[H]):
    """What a membership needs of its broker. Each call raises `BrokerAwayError` where the connection is lost."""

    async def listen(self, hear: Callable[[Word], object]) -> bool:
        """Hear what members say, if it does not yet; say whether it has only begun."""
        ...

    async def say(self, word: Word) -> None:
        """Say a word to all members."""
        ...

    async def remake(self, queues: int) -> None:
        """Make the group's queues anew, at least so many."""
        ...

    async def get(self, missing: Sequence[int], lost: Callable[[H], None]) -> None:
        """Get the holds of those of the queues that nobody else has, and keep them; ask for no others any more.

        That may come later as well. `lost` is told of each hold that was kept and is lost.
        """
        ...

    async def give_up(self, held: H) -> None:
        """Let a queue go, which is not held here any more: what was not acknowledged goes to another."""
        ...

    async def deafen(self) -> None:
        """Hear nothing any more."""
        ...


class Membership(Looking, Generic[H]):
    """Of one receiver. `wanted` are the queues that it takes part in, all where none are named; `wake` is told of each failure."""

    def __init__(
        self,
        group: Group,
        member: str,
        wanted: Collection[int],
        place: Place[H],
        *,
        holdings: Holdings[H],
        wake: Callable[[], None],
    ) -> None:
        super().__init__(f"{group.name} of {group.topic}", wake)
        self._group = group
        self._holdings = holdings
        self._place = place
        self._members = Members(member, wanted)
        self._clock = asyncio.get_running_loop().time
        self._task = asyncio.create_task(self._run(), name=f"member {member} of {self._name}")

    def others_in_hand(self, first: int = 0) -> int:
        """Count what the other members have in hand of the queues from a number on, by what they last said."""
        return self._members.in_hand(self._clock(), first)

    async def close(self) -> None:
        """Leave: what is not acknowledged goes to others at once."""
        self._ending = True
        self.news.set()
        await asyncio.wait({self._task}, timeout=END_SECONDS)
        self._task.cancel()
        await asyncio.wait({self._task})
        with contextlib.suppress(errors.QiantangError, TimeoutError):  # the server finds out by itself
            async with asyncio.timeout(END_SECONDS):
                for held in self._holdings.held:
                    await self._give_up(held)
                await self._place.get([], self._lost)
                await self._say(news=True, left=True)
                await self._place.deafen()
        for held in self._holdings.held:
            self._holdings.lose(held)

    # -- looking -----------------------------------------------------------------------------------------

    async def _look(self) -> float:
        began = await self._place.listen(self._hear)
        if self._members.told > self._group.queues:
            await self._place.remake(self._members.told)
        share = self._members.share(range(self._group.queues), self._clock())
        freed = await self._give_back(share)
        await self._say(news=began or freed)
        await self._place.get([number for number in share if self._holdings.find(number) is None], self._lost)
        return LOOK_SECONDS

    def _hear(self, word: Word) -> None:
        if self._members.hear(word, self._clock()):
            self.news.set()

    async def _say(self, *, news: bool, left: bool = False) -> None:
        word = Word(
            member=self._members.name,
            queues=self._group.queues,
            in_hand={one.number: one.unfinished for one in self._holdings.held if one.unfinished},
            wanted=self._members.wanted,
            news=news,
            left=left,
        )
        # who is not heard of for a while keeps what it holds; only sharing out anew has to wait
        with contextlib.suppress(errors.UnavailableError):
            await self._place.say(word)

    # -- holds -------------------------------------------------------------------------------------------

    async def _give_back(self, share: Sequence[int]) -> bool:
        """Let go what belongs to others and is not in hand; say whether something was."""
        now, freed = self._clock(), False
        for held in self._holdings.held:
            if held.number in share:
                if held.leaving:
                    held.leaving = 0.0
                    self._wake()
                continue
            held.leaving = held.leaving or now
            if not held.out or now - held.leaving > DRAIN_SECONDS:
                await self._give_up(held)
                freed = True
        return freed

    async def _give_up(self, held: H) -> None:
        self._holdings.lose(held)
        await self._place.give_up(held)

    def _lost(self, held: H) -> None:
        """Hear that a hold was lost: what came under it comes again, to whoever gets the queue now."""
        self._holdings.lose(held)
        self.news.set()
        self._wake()
