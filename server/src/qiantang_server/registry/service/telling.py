"""Telling: other servers hear over the coordination that a registry changed; many changes at once are told as one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from qiantang.kernel import errors, resource, scope
from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.registry.service.listings import Listings
from qiantang_server.registry.store.tables import Place

CAPABILITY: Final = "registry"
GATHERED_SECONDS: Final = 0.05


def key_of(place: Place) -> str:
    """Give the key of a registry among the announcements; they are named like bundles."""
    named = scope.Scope(tenant=place.tenant, environment=place.environment, center=CAPABILITY, application=CAPABILITY)
    return str(resource.Bundle(scope=named, capability=CAPABILITY))


def place_of(key: str) -> Place | None:
    """Give the registry that an announcement is of; None where it is of something else."""
    bundle = resource.Bundle.parse(key)
    return Place(bundle.scope.tenant, bundle.scope.environment) if bundle.capability == CAPABILITY else None


class Telling:
    """Of one server. What is not told, since the coordination is away, others find out by comparing."""

    def __init__(self, coordination: Coordination, listings: Listings) -> None:
        self._coordination = coordination
        self._listings = listings
        self._waiting: dict[Place, int] = {}
        self._wake = asyncio.Event()

    def moved(self, place: Place, revision: int) -> None:
        """Have a change told."""
        self._waiting[place] = max(revision, self._waiting.get(place, 0))
        self._wake.set()

    async def tell(self) -> None:
        """Tell what waits, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            for place, revision in waiting.items():
                with contextlib.suppress(errors.QiantangError):
                    await self._coordination.announce(key_of(place), resource.Position(epoch=1, revision=revision))
            await asyncio.sleep(GATHERED_SECONDS)

    async def hear(self) -> None:
        """Hear what other servers tell, until the coordination closes."""
        async for key, position in self._coordination.watch():
            place = place_of(key)
            if place is not None:
                self._listings.moved(place, position.revision)
