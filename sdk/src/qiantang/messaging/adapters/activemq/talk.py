"""Talk: how members of groups say their names to one another, over a plain topic of each group.

What is said goes over the connection for sending, and is heard over the one for consuming: that one must never be stopped, for
the messages that it acknowledges are what the server needs to be rid of when its memory is full.
"""

from __future__ import annotations

from collections.abc import Callable

from qiantang.messaging.adapters.activemq import destinations, failing, frames
from qiantang.messaging.adapters.activemq.connection import StompConnection
from qiantang.messaging.adapters.activemq.incoming import Said
from qiantang.messaging.adapters.activemq.sender import FULL
from qiantang.messaging.adapters.sharing import members
from qiantang.messaging.adapters.sharing.members import Word
from qiantang.messaging.adapters.sharing.supervising import Supervisor
from qiantang.messaging.errors import BrokerAwayError

Hear = Callable[[Word], object]


class Voice:
    """Says words of all members of this process, over the connection for sending."""

    def __init__(self, connections: Supervisor[StompConnection]) -> None:
        self._connections = connections

    async def say(self, topic: str, group: str, word: Word) -> None:
        """Say a word to whoever listens now.

        Raises:
            BrokerAwayError: it cannot be said now.
        """
        connection = await self._connections.get()
        if not await connection.is_writable(0):
            raise BrokerAwayError(FULL)
        with failing.naming(f"saying who takes part in {group} of {topic}"):
            await connection.write(frames.note(destinations.members(group, topic), {}, members.written(word)))


class Ear:
    """Hears the members of one group."""

    def __init__(self, topic: str, group: str) -> None:
        self._topic, self._group = topic, group
        self._heard: tuple[StompConnection, str] | None = None

    async def listen(self, connection: StompConnection, hear: Hear) -> bool:
        """Listen, if it does not yet; say whether it has only begun. `hear` gets each word.

        Raises:
            BrokerAwayError: it cannot.
        """
        if self._heard is not None and self._heard[0] is connection:
            return False

        def deliver(said: Said) -> None:
            connection.write_now(frames.acknowledged([said.headers.get("ack", "")]))
            word = members.read(said.body)
            if word is not None:
                hear(word)

        topic = destinations.members(self._group, self._topic)
        # where the server acknowledges by itself it takes that for a sign of life, and misses a client that stands still
        with failing.naming(f"listening to the members of {self._group} of {self._topic}"):
            self._heard = (connection, await connection.subscribe(topic, deliver, ack="client-individual"))
        return True

    async def close(self) -> None:
        """Listen no more."""
        heard, self._heard = self._heard, None
        if heard is not None:
            connection, id = heard
            connection.unsubscribe(id)
