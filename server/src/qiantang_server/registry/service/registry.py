"""Registry: all parts of the platform's registry on one server, and the loops that keep them true."""

from __future__ import annotations

import asyncio
from typing import Self

from qiantang_server.kernel.capability import Kernel
from qiantang_server.kernel.jobs import supervised
from qiantang_server.kernel.watch import Watch
from qiantang_server.registry.service.ground import Ground
from qiantang_server.registry.service.housekeeping import Housekeeping
from qiantang_server.registry.service.listings import Listings, Seat
from qiantang_server.registry.service.nodes import Nodes
from qiantang_server.registry.service.overrides import Overrides
from qiantang_server.registry.service.sessions import Sessions
from qiantang_server.registry.service.telling import Telling
from qiantang_server.registry.settings import RegistrySettings


class Registry:
    """Open it as an async context manager."""

    def __init__(self, kernel: Kernel, settings: RegistrySettings) -> None:
        ground = Ground(database=kernel.database, directory=lambda: kernel.resources.parts.directory, settings=settings)
        self.watch: Watch = kernel.watch
        self.sessions = Sessions(ground)
        self.nodes = Nodes(ground)
        self.listings = Listings(ground)
        self.overrides = Overrides(ground)
        self.housekeeping = Housekeeping(ground, self.sessions)
        self._telling = Telling(kernel.coordination, self.listings)
        self._tasks: list[asyncio.Task[None]] = []
        ground.moved += [self.listings.moved, self._telling.moved]
        kernel.watch.join(self.listings)

    async def __aenter__(self) -> Self:
        """Start the loops."""
        loops = {
            "leases": self.sessions.run,
            "followed lists": self.listings.compare,
            "admission": self.listings.recheck,
            "telling": self._telling.tell,
            "hearing": self._telling.hear,
        }
        self._tasks = [
            asyncio.create_task(supervised(f"registry: {name}", run), name=f"registry: {name}")
            for name, run in loops.items()
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the loops; sessions live on, at other servers or until their lease ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.listings.stop()

    async def follow(self, seat: Seat, at_least: int) -> None:
        """Open a stream: greet it and have everything sent that it follows."""
        seat.say("hello", self.watch.hello())
        await self.listings.add(seat, at_least)
