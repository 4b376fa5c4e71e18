"""Receiver: what a member of a group fetches and settles. Who holds what is `membership`'s; here is what the client asks of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from qiantang.kernel import errors
from qiantang.messaging.adapters.sharing.holdings import Holdings
from qiantang.messaging.adapters.sharing.looking import Looking
from qiantang.messaging.adapters.sharing.membership import Membership
from qiantang.messaging.errors import BusClosedError
from qiantang.messaging.model import Taken
from qiantang.messaging.port import Settle

JOIN_SECONDS: Final = 8.0
Wake = Callable[[], None]
H = TypeVar("H", bound=Holdings[Any])


M = TypeVar("M", bound=Looking)


class WaitingReceiver(ABC):
    """Gives what came by itself, and waits for more; of one event loop.

    `_event` is set when there may be something to give or to say.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._event = asyncio.Event()
        self._paused = False
        self.closed = False

    @abstractmethod
    def _take(self, count: int, size: int) -> list[Taken]:
        """Give what is here."""

    async def _attend(self) -> None:
        """Raise what is wrong, and do what is due, before each look."""
        if self.closed:
            raise BusClosedError(f"the receiver {self._name} is closed")

    async def fetch(self, count: int, size: int, wait: float) -> list[Taken]:
        ends = time.monotonic() + wait
        while True:
            self._event.clear()
            await self._attend()
            taken = [] if self._paused else self._take(count, size)
            left = ends - time.monotonic()
            if taken or left <= 0:
                return taken
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._event.wait()

    async def pause(self) -> None:
        self._paused = True

    async def resume(self) -> None:
        self._paused = False
        self._event.set()


class MemberReceiver(WaitingReceiver, Generic[M]):
    """Of a member whose part in the group goes on by itself."""

    membership: M

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.end_group: Callable[[], Awaitable[None]] | None = None
        """Ends its group at the broker, where that is of this member alone and ends with it."""

    async def join(self) -> None:
        """Wait until it has what it can have now.

        Raises:
            BrokerAwayError: it cannot take part now.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(JOIN_SECONDS):
                await self.membership.joined.wait()
        if self.membership.failure is not None:
            raise self.membership.failure

    async def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._event.set()
        await self.membership.close()
        if self.end_group is not None:
            with contextlib.suppress(errors.UnavailableError):  # then the broker removes it by itself
                await self.end_group()

    async def _attend(self) -> None:
        await super()._attend()
        if self.membership.failure is not None:
            raise self.membership.failure


class SharingReceiver(MemberReceiver[Membership[Any]], Generic[H]):
    """Of a member that shares queues out with others. `make` makes its holdings, given what to call when something comes and when a
    leaving one is empty; `join` its membership, given these and what to call when that fails.
    """

    def __init__(self, name: str, make: Callable[[Wake, Wake], H], join: Callable[[H, Wake], Membership[Any]]) -> None:
        super().__init__(name)
        self.holdings = make(self._event.set, self._emptied)
        self.membership = join(self.holdings, self._event.set)

    @abstractmethod
    async def finish(self, some: Iterable[Taken]) -> None:
        """Tell the broker that messages are done.

        Raises:
            BrokerAwayError: not told; they will be delivered again.
        """

    @property
    def holds(self) -> dict[str, int]:
        return self.holdings.holds

    async def settle(self, settles: Sequence[Settle]) -> None:
        back = [one.taken for one in settles if one.what == "back"]
        if back:
            self.holdings.back(back)
            self._event.set()
        await self.finish(one.taken for one in settles if one.what == "done")

    async def _attend(self) -> None:
        await super()._attend()
        unwanted = self.holdings.unwanted()
        if unwanted:
            await self.finish(unwanted)

    def _take(self, count: int, size: int) -> list[Taken]:
        return self.holdings.fetch(count, size)

    def _emptied(self) -> None:
        self.membership.news.set()


class Named(Protocol):
    """A group, as a process knows it."""

    @property
    def topic(self) -> str:
        """The topic that it consumes."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...


G = TypeVar("G", bound=Named)
R = TypeVar("R", bound=MemberReceiver[Any])


class Receivers(Generic[G, R]):
    """The receivers of one broker that are open, with their groups."""

    def __init__(self) -> None:
        self._all: list[tuple[G, R]] = []

    async def join(self, group: G, receiver: R) -> R:
        """Have a receiver join its group; give it.

        Raises:
            BrokerAwayError: it cannot take part now; it is closed.
        """
        self._all = [entry for entry in self._all if not entry[1].closed]
        entry = (group, receiver)
        self._all.append(entry)
        try:
            await receiver.join()
        except BaseException:
            self._all.remove(entry)
            await receiver.close()
            raise
        return receiver

    def of(self, group: G | None) -> list[R]:
        """Give the open receivers of a group."""
        return [one for of, one in self._all if of is group and not one.closed]

    def named(self, topic: str, group: str) -> list[R]:
        """Give the open receivers of groups of this name on a topic."""
        return [one for of, one in self._all if (of.topic, of.name) == (topic, group) and not one.closed]

    async def close(self) -> None:
        """Close all of them."""
        receivers, self._all = self._all, []
        await asyncio.gather(*(one.close() for _, one in receivers))
