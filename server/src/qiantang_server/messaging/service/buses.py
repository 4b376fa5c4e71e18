"""Buses: an application's messaging, opened on a server as it is published, for as long as somebody looks at its dead letters.

A bus is made when it is asked for, used by a few at a time, made anew once another release is published, and closed when nobody has
used it for a while. There are never more than the settings say, and as many again that are being closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from qiantang.kernel import errors, resource
from qiantang.messaging import MessageBus
from qiantang.messaging.model import Estate, kinds
from qiantang_server.kernel.watch import Watch
from qiantang_server.messaging.service.failures import NotReachableError, TooManyOpenError
from qiantang_server.messaging.service.reach import Reach
from qiantang_server.messaging.settings import MessagingSettings

log = logging.getLogger(__name__)

USERS: Final = 8
"""Who may use a bus at a time: its store has as many connections."""
CLOSE_SECONDS: Final = 3.0
AGAIN_SECONDS: Final = 2.0

Mark = tuple[str, ...]
"""What a bus was made of: the digests of all that was published for it."""


@dataclass(eq=False, kw_only=True)
class OpenBus:
    """A bus with what it was made of. `faults` says of topics why a server sends nothing to them."""

    bus: MessageBus
    estate: Estate
    faults: Mapping[str, str]
    mark: Mark
    used: float
    users: int = 0

    def require(self, topic: str) -> None:
        """Pass where letters of a topic can be sent from here.

        Raises:
            NotReachableError: they cannot; it says why.
        """
        if topic in self.faults:
            raise NotReachableError(f"nothing is sent to the topic {topic} from here: {self.faults[topic]}")


@dataclass(eq=False)
class Buses:
    """Of one server. Used on its event loop."""

    watch: Watch
    settings: MessagingSettings
    _open: dict[resource.Bundle, OpenBus] = field(default_factory=dict[resource.Bundle, OpenBus])
    _retired: set[OpenBus] = field(default_factory=set[OpenBus])
    _closing: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._reach = Reach(self.settings)

    def __len__(self) -> int:
        """How many are open, those that are being closed among them."""
        return len(self._open) + len(self._retired) + len(self._closing)

    @asynccontextmanager
    async def of(self, bundle: resource.Bundle) -> AsyncGenerator[OpenBus]:
        """Have the bus of an application for the time of an `async with`.

        Raises:
            NoDeadLetterStoreError, NotReachableError: there is none to be opened.
            TooManyOpenError: too many are open, or too many use this one.
        """
        own, linked = await self._published(bundle)
        async with self._turn:
            found = await self._have(own, linked)
            if found.users >= USERS:
                raise TooManyOpenError(f"{USERS} others look at {bundle} just now", retry_after=AGAIN_SECONDS)
            found.users += 1
        try:
            yield found
        finally:
            found.users -= 1
            found.used = asyncio.get_running_loop().time()
            if not found.users and found in self._retired:
                self._close(found)

    async def close_idle(self) -> None:
        """Close what nobody has used for so long; goes on until it is cancelled."""
        idle = self.settings.idle.total_seconds()
        while True:
            await asyncio.sleep(min(idle, 5.0))
            late = asyncio.get_running_loop().time() - idle
            for bundle, one in list(self._open.items()):
                if not one.users and one.used <= late:
                    self._retire(bundle)

    async def close(self) -> None:
        """Close all of them."""
        for bundle in list(self._open):
            self._retire(bundle)
        for one in list(self._retired):
            self._close(one)
        if self._closing:
            await asyncio.wait(set(self._closing))

    async def _published(self, bundle: resource.Bundle) -> tuple[resource.Snapshot, list[resource.Snapshot]]:
        deliveries = self.watch.deliveries
        own = await deliveries.snapshot(bundle, None)
        return own, [await deliveries.snapshot(link, None, public_only=True) for link in own.links]

    async def _have(self, own: resource.Snapshot, linked: list[resource.Snapshot]) -> OpenBus:
        mark = (own.digest, *(one.digest for one in linked))
        found = self._open.get(own.bundle)
        if found is not None and found.mark == mark:
            return found
        if found is not None:
            self._retire(own.bundle)
        self._make_room()
        made = self._make(own, linked, mark)
        await made.bus.open(receive=False)
        self._open[own.bundle] = made
        return made

    def _make_room(self) -> None:
        limit = self.settings.open_buses
        if len(self._open) >= limit:
            idle = [bundle for bundle, one in self._open.items() if not one.users]
            if not idle:
                raise TooManyOpenError("dead letters of too many applications are open", retry_after=AGAIN_SECONDS)
            self._retire(min(idle, key=lambda bundle: self._open[bundle].used))
        if len(self) >= 2 * limit:
            raise TooManyOpenError("dead letters of too many applications were opened", retry_after=AGAIN_SECONDS)

    def _make(self, own: resource.Snapshot, linked: list[resource.Snapshot], mark: Mark) -> OpenBus:
        """Make a bus; it connects to nobody yet."""
        try:
            assembled = kinds.assemble(own, linked)
            reached = self._reach.take(assembled.estate)
            bus = MessageBus(reached.estate, own.bundle.scope, keys=assembled.keys, close_seconds=CLOSE_SECONDS)
        except (errors.InvalidRequestError, errors.MisconfiguredError) as error:
            raise NotReachableError(f"what {own.bundle} has published cannot be opened: {error.detail}") from error
        now = asyncio.get_running_loop().time()
        return OpenBus(bus=bus, estate=reached.estate, faults=reached.faults, mark=mark, used=now)

    def _retire(self, bundle: resource.Bundle) -> None:
        """Give a bus to nobody any more, and close it once nobody uses it."""
        one = self._open.pop(bundle)
        self._retired.add(one)
        if not one.users:
            self._close(one)

    def _close(self, one: OpenBus) -> None:
        self._retired.discard(one)
        task = asyncio.create_task(_closed(one.bus), name="close a bus")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _closed(bus: MessageBus) -> None:
    try:
        await bus.close()
    except Exception as error:  # whatever its drivers raise: nobody waits for it, and it is let go of
        log.warning("the bus of an application did not close", extra={"error": type(error).__name__})
