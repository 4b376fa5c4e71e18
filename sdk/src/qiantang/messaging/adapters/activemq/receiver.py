"""Receiver: a member of a group, and how the server is told of what is done.

No answer is asked for: what is acknowledged on a connection is before all that is written there later, so that a queue which is
given up goes to the next without it. What the server has not heard of, since the connection was lost, it delivers again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from qiantang.messaging.adapters.activemq import failing, frames
from qiantang.messaging.adapters.activemq.connection import StompConnection
from qiantang.messaging.adapters.sharing.holdings import Held, Holdings
from qiantang.messaging.adapters.sharing.membership import Membership
from qiantang.messaging.adapters.sharing.receiver import SharingReceiver
from qiantang.messaging.errors import BrokerAwayError
from qiantang.messaging.model import Taken

Join = Callable[[Holdings[Held], Callable[[], None]], Membership[Any]]


class StompReceiver(SharingReceiver[Holdings[Held]]):
    """Of one event loop. `join` makes its membership."""

    def __init__(self, name: str, join: Join) -> None:
        super().__init__(name, lambda wake, emptied: Holdings((), wake, emptied, Held), join)

    async def finish(self, some: Iterable[Taken]) -> None:
        """Acknowledge, in one write to each connection: it may be two for a moment, an old one and a new one."""
        acks: dict[StompConnection, list[str]] = {}
        for held, ids in self.holdings.finished(some).items():
            acks.setdefault(held.channel.connection, []).extend(ids)
        for connection, ids in acks.items():
            if not connection.is_opened:
                continue
            try:
                with failing.naming("acknowledging"):
                    await connection.write(frames.acknowledged(ids))
            except BrokerAwayError:
                connection.cut()  # what is not acknowledged comes again, on a connection that is none of this one
                raise
