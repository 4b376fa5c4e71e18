"""The platform's adapter: the conformance suite over control planes as they are run, one server or two, killed and started."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from qiantang.kernel.settings import Secret
from qiantang.registry.adapters.platform import PlatformRegistry, make
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import Names, OpenOne, Outage, RegistryConformance, fresh_name
from tests.servers.platform import Platform
from tests.servers.product import opened_platforms

pytestmark = pytest.mark.process

FLAGS: Sequence[str] = ("--set=watch.heartbeat=1s",)
Opened = Callable[..., Awaitable[PlatformRegistry]]


@dataclass
class Planes:
    """Servers of one control plane; what opens a registry names all of them."""

    servers: list[Platform]

    @property
    def addresses(self) -> list[str]:
        return [server.address for server in self.servers]

    def settings(self, scope: str) -> RegistrySettings:
        """Give what an application sets that has a new credential."""
        issued = self.servers[0].administrator().make_application(scope)
        return RegistrySettings(
            adapter="platform",
            address=",".join(self.addresses),
            platform_credential=issued["id"],
            platform_secret=Secret(issued["secret"]),
            check=timedelta(seconds=2),
        )


class Killed:
    """Kills all servers, and starts them again."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes

    async def begin(self) -> None:
        for server in self._planes.servers:
            await asyncio.to_thread(server.kill)

    async def end(self) -> None:
        for server in self._planes.servers:
            await asyncio.to_thread(server.start)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sqlite"),
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("postgresql two", marks=pytest.mark.postgresql),
    ],
)
def planes(request: pytest.FixtureRequest) -> Iterator[Planes]:
    kind, _, two = request.param.partition(" ")
    flags = list(FLAGS)
    if kind == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        flags.append(f"--database-url={server.create_database(fresh_name('registry').replace('-', '_'))}")
    with opened_platforms() as platforms:
        first = platforms(*flags)
        first.administrator()
        yield Planes([first, platforms(*flags, share=first)] if two else [first])


@pytest.fixture
def own() -> str:
    """The application of a test, and so the one microservice under which it registers."""
    return fresh_name()


@pytest.fixture
async def opened(planes: Planes, own: str) -> AsyncIterator[Opened]:
    """Open registries; they are closed with the test."""
    registries: list[PlatformRegistry] = []
    known: dict[str, RegistrySettings] = {}

    async def open_(scope: str = "", *addresses: str, **options: Any) -> PlatformRegistry:
        place = scope or f"acme/dev/trade/{own}"
        if place not in known:
            known[place] = await asyncio.to_thread(planes.settings, place)
        changed = {"address": ",".join(addresses or planes.addresses), **options}
        registries.append(make(msgspec.structs.replace(known[place], **changed)))
        return await registries[-1].__aenter__()

    yield open_
    for one in registries:
        await one.__aexit__(None, None, None)


@pytest.fixture
def open_one(opened: Opened, planes: Planes, own: str) -> OpenOne:
    async def open_(tenant: str = "acme") -> Registry:
        return await opened(f"{tenant}/dev/trade/{own}", random.choice(planes.addresses))

    return open_


@pytest.fixture
def outage(planes: Planes) -> Outage:
    return Killed(planes)


class TestConformance(RegistryConformance):
    @pytest.fixture
    def names(self, own: str) -> Names:
        given = iter([own])
        return lambda: next(given, None) or fresh_name()
