"""Housekeeping: lets go of what has ended. Each is safe to run twice, and on any server. Definitions stay."""

from __future__ import annotations

from typing import Final

from qiantang_server.kernel import storage
from qiantang_server.registry.service.ground import Ground
from qiantang_server.registry.service.sessions import Sessions
from qiantang_server.registry.store import moving, sessions, views

KEPT_MS: Final = 30 * 24 * 3600 * 1000
"""How long an override waits for its node, and a microservice without anything for its application."""


class Housekeeping:
    """The background steps of the registry."""

    def __init__(self, ground: Ground, held: Sessions) -> None:
        self._ground = ground
        self._sessions = held

    async def expire(self) -> int:
        """Take away expired sessions, overrides of nodes that are long gone, and microservices without anything."""
        await self._sessions.sweep()

        async def work(session: storage.Session) -> int:
            await views.see_overrides(session)
            gone = await views.forget_overrides(session, KEPT_MS)
            gone += await sessions.remove_orphans(session)
            return gone + await moving.forget_unused(session, await session.now() - KEPT_MS)

        return await self._ground.database.write(work)
