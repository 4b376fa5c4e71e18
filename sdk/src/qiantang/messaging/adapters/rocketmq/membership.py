"""Membership: one member's part in its group: who else is there, and which queues are its own.

The brokers know who is there, and say when that changes; it looks every second as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from qiantang.kernel import errors
from qiantang.messaging.adapters.rocketmq import talk
from qiantang.messaging.adapters.rocketmq.address import Host
from qiantang.messaging.adapters.rocketmq.connection import Connection, Remotes
from qiantang.messaging.adapters.rocketmq.groups import Group
from qiantang.messaging.adapters.rocketmq.holds import Holds
from qiantang.messaging.adapters.rocketmq.routes import Queue, Route
from qiantang.messaging.adapters.sharing.looking import Looking
from qiantang.messaging.errors import BrokerAwayError, UnknownTopicError
from qiantang.messaging.model import sharing
from qiantang.messaging.model.bands import BANDS
from qiantang.messaging.model.partitions import Partitions, Place

LOOK_SECONDS = 1.0
LOOK_SOON: Final = 0.2
"""How soon it looks again while another has a queue that is its own."""
ROUTE_SECONDS: Final = 3.0
"""How soon it sees queues and bands that are new."""
HEARTBEAT_SECONDS: Final = 5.0
END_SECONDS: Final = 3.0
"""How long leaving may take."""


class Membership(Looking):
    """Of one receiver. `wake` is called when something comes or fails; `remake` makes the topic and the group anew."""

    def __init__(
        self,
        group: Group,
        client: talk.Client,
        remotes: Remotes,
        *,
        partitions: Partitions,
        wake: Callable[[], None],
        remake: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(group.name, wake)
        self.holds = Holds(group, client, partitions, news=self.news.set, wake=wake, failed=self._failed)
        self._group = group
        self._client = client
        self._remotes = remotes
        self._remake = remake
        self._beats: dict[Connection, float] = {}
        self._routes: dict[str, Route] = {}
        self._routes_at = 0.0
        self._missing = False
        self._task = asyncio.create_task(self._run(), name=f"member {client.name} of {group.name}")

    async def close(self) -> None:
        """Leave: what is not done goes to others at once."""
        self._task.cancel()
        await asyncio.wait({self._task})
        with contextlib.suppress(errors.QiantangError, TimeoutError):  # the brokers find out by themselves
            async with asyncio.timeout(END_SECONDS):
                await self.holds.give_up()
                await asyncio.gather(*(self._part_from(one) for one in self._beats if one.is_opened))
        await self.holds.end()
        await self._remotes.close()

    async def _part_from(self, connection: Connection) -> None:
        """Leave a broker."""
        await self.holds.unlock(connection)
        await talk.leave(connection, self._group, self._client)

    # -- looking -----------------------------------------------------------------------------------------

    async def _look(self) -> float:
        try:
            return LOOK_SECONDS if await self._has_all() else LOOK_SOON
        except UnknownTopicError:
            self._missing = True
            raise

    async def _has_all(self) -> bool:
        """Bring what is held to what is this member's; say whether it is."""
        self.holds.lapse()
        if self._missing:
            await self._remake()
            self._missing = False
        await self._find_routes()
        connections = await self._connect()
        wanted = self._wanted(await self._members(connections))
        await self.holds.give_back(connections, wanted)
        await self.holds.renew(connections)
        missing = {place: one for place, one in wanted.items() if place not in self.holds}
        for host, connection in connections.items():
            some = {place: one for place, one in missing.items() if one[1].host == host}
            if some:
                await self.holds.get(connection, some)
        return all(place in self.holds for place, (_, queue) in wanted.items() if queue.host in connections)

    async def _find_routes(self) -> None:
        if self._routes and time.monotonic() - self._routes_at < ROUTE_SECONDS:
            return
        try:
            for band in BANDS:
                route = await self._group.look(band)
                if route is not None:
                    self._routes[band] = route
        except errors.UnavailableError:
            if not self._routes:
                raise
            # what is known does as well
        self._routes_at = time.monotonic()

    async def _connect(self) -> dict[Host, Connection]:
        """Give the connections to the brokers that can be reached, each knowing of this member.

        Raises:
            BrokerAwayError: none can.
        """
        hosts = sorted({queue.host for route in self._routes.values() for queue in route.queues})
        found: dict[Host, Connection] = {}
        failure: errors.QiantangError | None = None
        for host in hosts:
            try:
                connection = await self._remotes.get(host)
                await self._beat(connection)
                found[host] = connection
            except BrokerAwayError as error:
                failure = error
        if not found:
            raise failure or UnknownTopicError(f"RocketMQ has no queues of {self._group.topic}")
        return found

    async def _beat(self, connection: Connection) -> None:
        now = time.monotonic()
        if now - self._beats.get(connection, -math.inf) < HEARTBEAT_SECONDS:
            return
        if connection not in self._beats:
            connection.when_closed(lambda: self._closed(connection))
        await talk.heartbeat(connection, self._group, self._client, self._routes)
        self._beats[connection] = now

    async def _members(self, connections: dict[Host, Connection]) -> dict[str, Collection[int]]:
        """Give who takes part, with the queues that each asks for."""
        found = {self._client.id}
        for connection in connections.values():
            present = await talk.members(connection, self._group.name)
            if self._client.id not in present:
                self._missing = True  # somebody removed the group
                self._beats.pop(connection, None)
            found |= present
        return {one: talk.wanted_of(one) for one in found}

    def _wanted(self, members: dict[str, Collection[int]]) -> dict[Place, tuple[str, Queue]]:
        """Say which queues are this member's, each with its band and where it is."""
        most = max((len(route.queues) for route in self._routes.values()), default=0)
        share = sharing.shares(members, range(most))[self._client.id]
        return {
            (self._group.name_of(band), number): (band, route.queues[number])
            for band, route in self._routes.items()
            for number in share
            if number < len(route.queues)
        }

    # -- what is heard -----------------------------------------------------------------------------------

    def _closed(self, connection: Connection) -> None:
        """Hear that a connection was lost."""
        self._beats.pop(connection, None)
        self.holds.closed(connection)
        self.news.set()

    def _failed(self, error: errors.QiantangError) -> None:
        """Hear that a queue cannot be read."""
        self._missing = self._missing or isinstance(error, UnknownTopicError)
        self.fail(error)
