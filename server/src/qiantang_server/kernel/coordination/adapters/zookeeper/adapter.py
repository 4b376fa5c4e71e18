"""Coordination over ZooKeeper: pushed announcements, leases on its leader's clock, servers as ephemeral nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Self

from qiantang.kernel import resource
from qiantang_server.kernel import adapters
from qiantang_server.kernel.coordination.adapters.zookeeper.announcements import Announcements
from qiantang_server.kernel.coordination.adapters.zookeeper.leases import Leases
from qiantang_server.kernel.coordination.adapters.zookeeper.line import Line
from qiantang_server.kernel.coordination.adapters.zookeeper.presence import Presence
from qiantang_server.kernel.coordination.board import Board, Roster
from qiantang_server.kernel.coordination.port import Condition, Lease, check_key, check_lease, check_server
from qiantang_server.kernel.coordination.settings import CoordinationSettings


def make(context: adapters.Context) -> ZooKeeperCoordination:
    """Make it from a context; the entry point."""
    return ZooKeeperCoordination(context.section("coordination", CoordinationSettings))


class ZooKeeperCoordination:
    """Leases, announcements and servers as nodes below one root.

    Raises:
        MissingExtraError: kazoo is not installed.
        MisconfiguredError: the settings contradict each other.
    """

    def __init__(self, settings: CoordinationSettings) -> None:
        self._line = Line(settings)
        self._board = Board()
        self._roster = Roster()
        self._leases = Leases(self._line, settings.zookeeper_root)
        self._announcements = Announcements(self._line, settings.zookeeper_root, self._board)
        self._presence = Presence(self._line, settings.zookeeper_root, self._roster)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def condition(self) -> Condition:
        """Say whether the session is connected."""
        return self._line.health.condition

    @property
    def line(self) -> Line:
        """The session, for whoever must look at it."""
        return self._line

    async def __aenter__(self) -> Self:
        """Connect, or keep trying in the background."""
        await self._line.__aenter__()
        self._tasks = [
            asyncio.create_task(self._announcements.follow(), name="coordination: announcements"),
            asyncio.create_task(self._presence.follow(), name="coordination: servers"),
            asyncio.create_task(self._presence.keep(), name="coordination: presence"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the watches and the session; this server's node goes with it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._board.close()
        self._roster.close()
        await self._line.__aexit__()

    async def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        """Take a lease by a write that expects the version read."""
        return await self._leases.acquire(name, holder, check_lease(name, holder, ttl))

    async def renew(self, lease: Lease, ttl: timedelta) -> Lease | None:
        """Keep a lease by a write that expects the version read."""
        return await self._leases.renew(lease, check_lease(lease.name, lease.holder, ttl))

    async def release(self, lease: Lease) -> None:
        """Free a lease."""
        await self._leases.release(lease)

    async def announce(self, key: str, position: resource.Position) -> bool:
        """Set a bundle's node and note it in the journal, in one step."""
        check_key(key)
        return await self._announcements.announce(key, position)

    async def read(self, key: str) -> resource.Position | None:
        """Read a bundle's node."""
        check_key(key)
        return await self._announcements.read(key)

    def watch(self) -> AsyncIterator[tuple[str, resource.Position]]:
        """Watch the board that the journal fills."""
        return self._board.watch()

    async def enlist(self, node: str, address: str) -> None:
        """List this server."""
        check_server(node, address)
        await self._presence.enlist(node, address)

    def servers(self) -> AsyncIterator[list[str]]:
        """Watch the roster that the servers' nodes fill."""
        return self._roster.watch()
