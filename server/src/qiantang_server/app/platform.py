"""Platform: what the control plane says of itself to whoever looks after it: its settings and its servers.

Nothing here belongs to a tenant, so a permission that somebody holds in his own tenant is not enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency, Provide

from qiantang.kernel import settings, wire
from qiantang_server.identity.rules.granting import require_whole
from qiantang_server.kernel.access import PLATFORM, Principal
from qiantang_server.kernel.cache import ReleaseCache
from qiantang_server.kernel.capability import Kernel
from qiantang_server.kernel.web.health import Health

PERMISSIONS = {
    "platform.setting:list": "see the settings of the platform's servers, without secrets",
    "platform.node:list": "see the platform's servers and how they are",
}
LIST_WITHIN = 2.0
"""Seconds that the coordination has to tell which servers there are."""


class Setting(wire.Wire, frozen=True):
    """One setting as text, as `qiantang settings` prints it: secrets masked. `type` says in words what it takes."""

    section: str
    key: str
    type: str
    value: str
    default: str
    source: str
    description: str
    secret: bool


class Part(wire.Wire, frozen=True):
    """Whether a part that a server stands on works; `since` (milliseconds UTC, 0 for unknown) and `reason` say more."""

    ready: bool
    reason: str = ""
    since: int = 0


class ServerNode(wire.Wire, frozen=True):
    """A server of the control plane. What only it knows of itself is told by that one alone, and null of the others.

    `started_at` is in milliseconds UTC; `condition` is of what it stands on, by name.
    """

    address: str
    alive: bool
    this: bool = msgspec.field(name="self")
    node: str | None = None
    version: str | None = None
    streams: int | None = None
    instances: int | None = None
    started_at: int | None = None
    condition: dict[str, Part] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What this server knows of itself and its equals."""

    loaded: settings.Loaded
    kernel: Kernel
    cache: ReleaseCache
    health: Health
    address: str

    def list_settings(self) -> list[Setting]:
        """List every setting with its value, default and source, in the order they are declared in."""
        return [
            Setting(
                section=field.section,
                key=field.key,
                type=field.rule,
                value=row.value,
                default=row.default,
                source=row.source,
                description=row.meaning,
                secret=field.secret,
            )
            for field, row in zip(self.loaded.fields, settings.describe(self.loaded), strict=True)
        ]

    async def list_nodes(self) -> list[ServerNode]:
        """List the servers, this one first; the others as far as the coordination knows them."""
        listed = await _first(self.kernel.coordination.servers())
        others = [ServerNode(address=one, alive=True, this=False) for one in listed if one != self.address]
        return [await self._own(), *others]

    async def _own(self) -> ServerNode:
        return ServerNode(
            address=self.address,
            alive=self.health.opened,
            this=True,
            node=self.kernel.node,
            version=self.health.version,
            streams=len(self.kernel.watch.hub),
            instances=len(self.kernel.watch.instances),
            started_at=int((time.time() - time.monotonic() + self.health.started) * 1000),
            condition=await self._condition(),
        )

    async def _condition(self) -> dict[str, Part]:
        agreed, kept = self.kernel.coordination.condition, await self.cache.health()
        return {
            "coordination": Part(ready=agreed.ready, reason=agreed.reason, since=agreed.since),
            "cache": Part(ready=kept.ready, reason=kept.reason),
        }


async def _first(lists: AsyncIterator[list[str]]) -> list[str]:
    """Give the servers as they are now; none where the coordination does not know in time."""
    found: list[str] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LIST_WITHIN):
            found = await anext(lists, found)
    return found


@get("/settings", opt={"permission": "platform.setting:list"})
async def list_settings(principal: NamedDependency[Principal], platform: NamedDependency[Platform]) -> list[Setting]:
    """List this server's settings with their sources; secrets are masked."""
    require_whole(principal, "platform.setting:list", PLATFORM)
    return platform.list_settings()


@get("/nodes", opt={"permission": "platform.node:list"})
async def list_nodes(principal: NamedDependency[Principal], platform: NamedDependency[Platform]) -> list[ServerNode]:
    """List the servers of the control plane, the one that answers first."""
    require_whole(principal, "platform.node:list", PLATFORM)
    return await platform.list_nodes()


def router(platform: Platform) -> Router:
    """Make the routes of the platform."""
    return Router(
        path="/api/v1/platform",
        route_handlers=[list_settings, list_nodes],
        dependencies={"platform": Provide(lambda: platform, sync_to_thread=False)},
        tags=["platform"],
    )
