"""Listings: the lists of nodes that are followed at this server, written once for all streams that follow them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from qiantang.kernel import errors, scope
from qiantang.registry.port import MAX_NODES
from qiantang_server.kernel import storage
from qiantang_server.kernel.jobs import supervised
from qiantang_server.kernel.watch.admission import Admitted, recheck
from qiantang_server.registry.rules import listing
from qiantang_server.registry.service.ground import Ground
from qiantang_server.registry.store import moving, nodes
from qiantang_server.registry.store.tables import Place

RECHECK_SECONDS: Final = 3.0
REST: Final = 5.0
"""How many times as long as a look took the next one waits: large lists that change all the time leave time for the rest."""
LONGEST_REST: Final = 1.0
AGAIN_SECONDS: Final = 1.0


class Seat(Admitted):
    """One stream. Of each microservice the newest list waits at most, and each is sent on its own."""

    __slots__ = ("_pending", "caller", "place", "wanted")

    def __init__(
        self, caller: scope.Scope, wanted: Iterable[str], admitted: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        super().__init__(admitted)
        self.caller = caller
        self.place = Place.of(caller)
        self.wanted = frozenset(wanted)
        self._pending: dict[str, bytes] = {}

    def show(self, microservice: str, events: bytes) -> None:
        """Have a list sent, in place of an older one that waits."""
        self._pending.pop(microservice, None)
        self._pending[microservice] = events
        self._wake.set()

    def _waits(self) -> bool:
        return bool(self._pending or self._frames)

    def _given_up(self) -> bytes:
        if self._frames:
            chunk = b"".join(self._frames)
            self._frames.clear()
            return chunk
        return self._pending.pop(next(iter(self._pending))) if self._pending else b""


@dataclass(frozen=True, slots=True)
class _Shown:
    bodies: tuple[bytes, ...]
    events: bytes


@dataclass(eq=False)
class _Followed:
    """The registry of a tenant and environment as far as somebody here follows it."""

    place: Place
    seats: set[Seat] = field(default_factory=set[Seat])
    watched: Counter[str] = field(default_factory=Counter[str])
    shown: dict[str, _Shown] = field(default_factory=dict[str, _Shown])
    revision: int = -1
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    due: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Listings:
    """Of one server."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._followed: dict[Place, _Followed] = {}
        self._applications: Counter[scope.Scope] = Counter()
        self._closed = False

    def __len__(self) -> int:
        """Count the open streams."""
        return sum(self._applications.values())

    def require_room(self, caller: scope.Scope) -> None:
        """Pass where this server may hold another stream of an application.

        Raises:
            UnavailableError: it may not; another server may.
        """
        settings = self._ground.settings
        if len(self) >= settings.max_streams:
            raise errors.UnavailableError(
                "this server holds as many streams as it may: connect to another", retry_after=5
            )
        if self._applications[caller] >= settings.max_streams_per_application:
            raise errors.UnavailableError(
                f"this server holds {settings.max_streams_per_application} streams of {caller}, as many as it may of one "
                "application: connect to another, or raise registry.max_streams_per_application",
                retry_after=5,
            )

    async def add(self, seat: Seat, at_least: int) -> None:
        """Open a stream, and have everything sent that it follows.

        Raises:
            UnavailableError: the database is away.
        """
        followed = self._followed.get(seat.place)
        if followed is None:
            followed = self._followed[seat.place] = _Followed(seat.place)
            keeping = partial(self._keep, followed)
            followed.task = asyncio.create_task(supervised("registry: followed lists", keeping))
        followed.seats.add(seat)
        followed.watched.update(seat.wanted)
        self._applications[seat.caller] += 1
        if self._closed:
            seat.send_away()
        known = followed.shown.keys() >= seat.wanted and followed.revision >= at_least
        if known:
            self._show(seat, followed, seat.wanted)
        else:
            await self._look(followed, seat)

    def remove(self, seat: Seat) -> None:
        """Forget a stream."""
        followed = self._followed.get(seat.place)
        if followed is None or seat not in followed.seats:
            return
        followed.seats.discard(seat)
        self._applications -= Counter([seat.caller])
        followed.watched -= Counter(seat.wanted)
        for name in seat.wanted - followed.watched.keys():
            followed.shown.pop(name, None)
        if not followed.seats:
            del self._followed[seat.place]
            if followed.task is not None:
                followed.task.cancel()

    def moved(self, place: Place, revision: int) -> None:
        """Hear that a registry changed, here or at another server."""
        followed = self._followed.get(place)
        if followed is not None and revision > followed.revision:
            followed.due.set()

    async def compare(self) -> None:
        """Compare what is followed with the database now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._ground.settings.poll.total_seconds() * random.uniform(0.8, 1.2))  # noqa: S311
            if not self._followed:
                continue
            try:
                async with self._ground.database.reading() as session:
                    found = await moving.revisions(session, list(self._followed))
            except errors.UnavailableError:  # others tell of it
                continue
            for place, followed in list(self._followed.items()):
                if found.get(place, 0) != followed.revision:
                    followed.due.set()

    async def recheck(self) -> None:
        """End the streams that would not be admitted any more, until cancelled."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await recheck([seat for followed in list(self._followed.values()) for seat in list(followed.seats)])

    def say_all(self, event: str, data: object) -> None:
        """Send an event to every stream."""
        for followed in self._followed.values():
            for seat in followed.seats:
                seat.say(event, data)

    def close(self) -> None:
        """Send every stream to another server, and each that is still being opened."""
        self._closed = True
        for followed in self._followed.values():
            for seat in followed.seats:
                seat.send_away()

    async def stop(self) -> None:
        """Stop looking."""
        tasks = [one.task for one in self._followed.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, followed: _Followed) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await followed.due.wait()
            followed.due.clear()
            began = loop.time()
            try:
                await self._look(followed)
            except errors.QiantangError:  # the database is away: others tell of it
                followed.due.set()
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                await asyncio.sleep(min(LONGEST_REST, REST * (loop.time() - began)))

    async def _look(self, followed: _Followed, seat: Seat | None = None) -> None:
        """Read what changed, show it to who follows it, and all that it wants to a seat that is new."""
        async with followed.turn:
            async with self._ground.database.reading() as session:
                revision = await moving.revision(session, followed.place)
                names = await self._news(session, followed, revision)
                fresh = await self._read(session, followed.place, names)
            followed.revision = revision
            changed = {name for name, bodies in fresh.items() if _differs(followed.shown.get(name), bodies)}
            for name in changed & followed.watched.keys():
                bodies = fresh[name]
                followed.shown[name] = _Shown(bodies, listing.written(name, revision, bodies))
        for one in followed.seats - {seat}:
            self._show(one, followed, one.wanted & changed)
        if seat is not None:
            self._show(seat, followed, seat.wanted)

    async def _news(self, session: storage.Session, followed: _Followed, revision: int) -> set[str]:
        watched = set(followed.watched)
        if revision < followed.revision:  # the database was set back
            return watched
        changed = await moving.changed(session, followed.place, followed.revision) if followed.shown else []
        return watched & set(changed) | (watched - followed.shown.keys())

    async def _read(self, session: storage.Session, place: Place, names: set[str]) -> dict[str, tuple[bytes, ...]]:
        """Give the nodes of microservices as callers see them; who follows what there is not costs one question for all."""
        found: dict[str, tuple[bytes, ...]] = dict.fromkeys(names, ())
        for name in await moving.existing(session, place, sorted(names)):
            rows = await nodes.listed(session, place, name, MAX_NODES)
            found[name] = tuple(listing.overridden(bytes(row.body), row.state or "", row.weight) for row in rows)
        return found

    def _show(self, seat: Seat, followed: _Followed, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(KeyError):  # its last other follower left meanwhile
                seat.show(name, followed.shown[name].events)


def _differs(before: _Shown | None, bodies: tuple[bytes, ...]) -> bool:
    return before is None or before.bodies != bodies
