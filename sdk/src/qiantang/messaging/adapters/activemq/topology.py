"""Topology: the queues of groups on the server, made where they are missing; nothing is ever taken away.

Topics make themselves; but what is sent while a group's queue is not there yet is lost to the group without a word. So the groups
of a topic, and how many queues each has, are noted in a queue that is only looked at: whoever is to send reads it first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from qiantang.messaging.adapters.activemq import destinations, failing, frames
from qiantang.messaging.adapters.activemq.connection import StompConnection
from qiantang.messaging.adapters.activemq.incoming import Said

_GROUP: Final = "mf-group"
_QUEUES: Final = "mf-queues"
MOST: Final = 256
"""So many queues are made in one go."""


async def groups(connection: StompConnection, topic: str) -> dict[str, int]:
    """Give the groups of a topic that are noted, with the number of their queues.

    Raises:
        BrokerAwayError: the connection is lost.
    """
    found: dict[str, int] = {}
    end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def deliver(said: Said) -> None:
        if said.headers.get("browser") == "end":
            if not end.done():
                end.set_result(None)
            return
        name, queues = said.headers.get(_GROUP, ""), said.headers.get(_QUEUES, "")
        if name and queues.isascii() and queues.isdigit():
            found[name] = max(found.get(name, 0), int(queues))

    id, headers = connection.subscription(destinations.directory(topic), deliver, browser="true", ack="auto")
    try:
        with failing.naming(f"looking for the groups of {topic}"):
            await connection.write(frames.subscribe(headers))
            await connection.wait_for(end)
    finally:
        connection.unsubscribe(id)
    return found


async def note(connection: StompConnection, topic: str, some: Mapping[str, int]) -> None:
    """Note groups of a topic with the number of their queues, for good; noting one twice does nothing.

    Raises:
        BrokerAwayError: the connection is lost.
    """
    where = destinations.directory(topic)
    receipts = [connection.next() for _ in some]
    parts: list[bytes] = []
    for (group, queues), receipt in zip(some.items(), receipts, strict=True):
        said = {"persistent": "true", _GROUP: group, _QUEUES: f"{queues}", "receipt": receipt}
        parts.append(frames.note(where, said))
    with failing.naming(f"noting groups of {topic}"):
        await connection.ask(b"".join(parts), *receipts)


async def make(connection: StompConnection, topic: str, group: str, numbers: Sequence[int]) -> None:
    """Have queues of a group: who subscribes makes them, and takes nothing out of them without a prefetch.

    Raises:
        BrokerAwayError: the connection is lost.
    """
    with failing.naming(f"making the queues of {group} of {topic}"):
        for start in range(0, len(numbers), MOST):
            receipts: list[str] = []
            parts: list[bytes] = []
            for number in numbers[start : start + MOST]:
                id, made = connection.next(), connection.next()
                receipts.append(made)
                where = destinations.queue(group, topic, number)
                said = {"id": id, "destination": where, "ack": "client-individual", "activemq.prefetchSize": "0"}
                parts += (frames.subscribe({**said, "receipt": made}), frames.unsubscribe(id))
            await connection.ask(b"".join(parts), *receipts)
