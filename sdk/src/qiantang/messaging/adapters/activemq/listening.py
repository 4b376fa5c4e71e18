"""Listening: a group that ends with its only member: a plain subscription of a topic, of which the server keeps nothing.

One subscription takes in all physical queues, those that the topic is given later as well. All of them are the member's at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qiantang.messaging.adapters.activemq import destinations, failing, frames
from qiantang.messaging.adapters.activemq.connection import StompConnection
from qiantang.messaging.adapters.activemq.consuming import come
from qiantang.messaging.adapters.activemq.incoming import Said
from qiantang.messaging.adapters.sharing.holdings import Held, Holdings
from qiantang.messaging.adapters.sharing.members import Word
from qiantang.messaging.adapters.sharing.membership import Group
from qiantang.messaging.adapters.sharing.supervising import Supervisor

Lost = Callable[[Held], None]


@dataclass(slots=True, eq=False)
class Subscribed:
    """A subscription, by the connection on which it is."""

    connection: StompConnection
    id: str
    lost: Callable[[], None]


class Listening:
    """Of one receiver, which is alone: a `sharing.membership.Place` where nobody else is. The group is this receiver's."""

    def __init__(
        self, group: Group, connections: Supervisor[StompConnection], holdings: Holdings[Held], prefetch: int
    ) -> None:
        self._group = group
        self._connections = connections
        self._holdings = holdings
        self._prefetch = prefetch
        self._subscribed: Subscribed | None = None

    async def listen(self, hear: Callable[[Word], object]) -> bool:
        await self._connections.get()
        return False

    async def say(self, word: Word) -> None:
        """Say nothing: nobody is there."""

    async def remake(self, queues: int) -> None:
        """Make nothing: the server keeps nothing."""

    async def get(self, missing: Sequence[int], lost: Lost) -> None:
        connection = await self._connections.get()
        if not missing:
            return
        if self._subscribed is None or self._subscribed.connection is not connection:
            self._subscribed = await self._subscribe(connection, lost)
        for number in missing:
            if self._holdings.find(number) is None:
                self._holdings.keep(self._holdings.take(number, self._subscribed))

    async def give_up(self, held: Held) -> None:
        """Give nothing up: it goes with the subscription."""

    async def deafen(self) -> None:
        subscribed, self._subscribed = self._subscribed, None
        if subscribed is not None and subscribed.connection.is_opened:
            connection, receipt = subscribed.connection, subscribed.connection.next()
            connection.not_when_lost(subscribed.lost)
            connection.forget(subscribed.id)
            with failing.naming(f"listening to {self._group.topic} no more"):
                await connection.ask(frames.unsubscribe(subscribed.id, receipt), receipt)

    # -- inside ------------------------------------------------------------------------------------------

    async def _subscribe(self, connection: StompConnection, lost: Lost) -> Subscribed:
        more = {"ack": "client-individual", "activemq.prefetchSize": f"{self._prefetch}"}
        subscribed = Subscribed(connection, "", lambda: self._lost(lost))
        where = destinations.all_of(self._group.topic)
        with failing.naming(f"listening to {self._group.topic}"):
            subscribed.id = await connection.subscribe(where, lambda said: self._delivered(subscribed, said), **more)
        connection.when_lost(subscribed.lost)
        return subscribed

    def _delivered(self, subscribed: Subscribed, said: Said) -> None:
        word = said.headers.get("destination", "").rpartition(".")[2]
        number = int(word) if word.isascii() and word.isdigit() else 0
        held = self._holdings.find(number)
        if held is None:  # of a topic that has more queues now, or before all of them were kept
            held = self._holdings.take(number, subscribed)
            self._group.queues = max(self._group.queues, number + 1)
            self._holdings.keep(held)
        come(self._holdings, held, self._group.topic, said)

    def _lost(self, lost: Lost) -> None:
        for held in self._holdings.held:
            lost(held)
