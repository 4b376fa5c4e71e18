"""Coordination over the database that is there anyway: rows and its clock, polled; nothing else to install."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Self

from qiantang.kernel import errors, resource
from qiantang_server.kernel import adapters, storage
from qiantang_server.kernel.coordination import store
from qiantang_server.kernel.coordination.board import Board, Health, Roster
from qiantang_server.kernel.coordination.port import Condition, Lease, check_key, check_lease, check_server
from qiantang_server.kernel.coordination.settings import CoordinationSettings

log = logging.getLogger(__name__)

OVERLAP_MS = 5_000
"""How far back each poll looks: a row is dated when it is written and seen only when its transaction commits."""
PAGE = 1_000
BEAT_SECONDS = 5.0
LIVE_MS = 17_000
FORGET_MS = 3_600_000
_CLOSE_SECONDS = 2.0


def make(context: adapters.Context) -> DatabaseCoordination:
    """Make it from a context; the entry point."""
    return DatabaseCoordination(context.database, context.section("coordination", CoordinationSettings))


class DatabaseCoordination:
    """Leases, announcements and servers as rows; works with any number of server processes on one database.

    Announcements of this process are heard at once, those of others at the next poll. Each poll reads only what is
    younger than the overlap; a commit that was later than that, and a set clock, are repaired by the next resync.
    """

    def __init__(self, database: storage.Database, settings: CoordinationSettings) -> None:
        self._database = database
        self._poll = settings.poll.total_seconds()
        self._resync = settings.resync.total_seconds()
        self._board = Board()
        self._roster = Roster()
        self._health = Health()
        self._entries: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def condition(self) -> Condition:
        """Say whether the last poll was answered."""
        return self._health.condition

    async def __aenter__(self) -> Self:
        """Begin to poll."""
        self._tasks = [
            asyncio.create_task(self._follow(), name="coordination: announcements"),
            asyncio.create_task(self._beat(), name="coordination: servers"),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop polling, end the watches and leave the list of servers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._board.close()
        self._roster.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                for node in self._entries:
                    await self._database.write(lambda session, node=node: store.leave(session, node))
        except (errors.QiantangError, TimeoutError) as error:
            log.info("this server stays listed until it is missed", extra={"reason": str(error)})

    async def acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        """Take a lease in one transaction."""
        millis = check_lease(name, holder, ttl)
        row = await self._database.write(lambda session: store.take_lease(session, name, holder, millis))
        return None if row is None else Lease(name=name, holder=holder, epoch=row.epoch, expires=row.expires)

    async def renew(self, lease: Lease, ttl: timedelta) -> Lease | None:
        """Move the expiry in one statement that checks holder, epoch and the database's clock."""
        millis = check_lease(lease.name, lease.holder, ttl)
        row = await self._database.write(
            lambda session: store.extend_lease(session, lease.name, lease.holder, lease.epoch, millis)
        )
        if row is None:
            return None
        return Lease(name=lease.name, holder=lease.holder, epoch=row.epoch, expires=row.expires)

    async def release(self, lease: Lease) -> None:
        """Free the row where it is still this lease's."""
        await self._database.write(lambda session: store.free_lease(session, lease.name, lease.holder, lease.epoch))

    async def announce(self, key: str, position: resource.Position) -> bool:
        """Set the row, then tell the watches of this process."""
        check_key(key)
        newer = await self._database.write(lambda session: store.announce(session, key, position))
        if newer:
            self._board.post(key, position)
        return newer

    async def read(self, key: str) -> resource.Position | None:
        """Read the row."""
        check_key(key)
        async with self._database.reading() as session:
            return await store.position(session, key)

    def watch(self) -> AsyncIterator[tuple[str, resource.Position]]:
        """Watch the board that the polls fill."""
        return self._board.watch()

    async def enlist(self, node: str, address: str) -> None:
        """Write this server's row, and keep it fresh from now on."""
        check_server(node, address)
        self._entries[node] = address
        with contextlib.suppress(errors.UnavailableError):  # the next beat lists it
            await self._greet()

    def servers(self) -> AsyncIterator[list[str]]:
        """Watch the roster that the beats fill."""
        return self._roster.watch()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        complete_at = polled_at = float("-inf")
        while True:
            now = loop.time()
            # a gap in the polls as long as half the overlap could hide what was committed meanwhile
            whole = now - complete_at >= self._resync or (now - polled_at) * 2000 >= OVERLAP_MS
            try:
                await (self._take_all() if whole else self._take_recent())
            except errors.QiantangError as error:
                if self._health.degraded(error.detail):
                    log.warning("announcements are not heard", extra={"reason": error.detail})
                await asyncio.sleep(max(self._poll, 1.0) * random.uniform(0.8, 1.2))  # noqa: S311  # jitter
                continue
            polled_at = now
            complete_at = now if whole else complete_at
            if self._health.ready():
                log.info("announcements are heard")
            await asyncio.sleep(self._poll)

    async def _take_recent(self) -> None:
        async with self._database.reading() as session:
            after = ""
            while True:
                rows = await store.recent(session, OVERLAP_MS, PAGE, after)
                for row in rows:
                    self._board.post(row.bundle, resource.Position(epoch=row.epoch, revision=row.revision))
                if len(rows) < PAGE:
                    return
                after = rows[-1].bundle

    async def _take_all(self) -> None:
        after = ""
        while True:
            async with self._database.reading() as session:  # a session per page: none is held for long
                rows = await store.page(session, after, PAGE)
            for row in rows:
                self._board.post(row.bundle, resource.Position(epoch=row.epoch, revision=row.revision))
            if len(rows) < PAGE:
                return
            after = rows[-1].bundle

    async def _beat(self) -> None:
        while True:
            try:
                if self._entries:
                    await self._greet()
                else:
                    await self._take_servers()
            except errors.QiantangError as error:
                # the announcements' poll of the same database tells of an outage
                log.debug("the list of servers is not renewed", extra={"reason": error.detail})
            await asyncio.sleep(BEAT_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311  # jitter, not a secret

    async def _greet(self) -> None:
        async def work(session: storage.Session) -> None:
            for node, address in self._entries.items():
                await store.greet(session, node, address, FORGET_MS)

        await self._database.write(work)
        await self._take_servers()

    async def _take_servers(self) -> None:
        async with self._database.reading() as session:
            self._roster.post(await store.live(session, LIVE_MS))
