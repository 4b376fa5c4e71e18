"""The platform's adapter: the conformance suite over control planes as they are run, one server or two, killed and started."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.kernel.settings import Secret
from qiantang.kernel.uplink import Uplink
from qiantang.registry.adapters.platform import PlatformRegistry, make
from qiantang.registry.errors import NameTakenError, NotOwnNameError, RegistryAwayError
from qiantang.registry.model import Definition, Vote, protocol
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import Names, OpenOne, Outage, RegistryConformance, Seen, fresh_name, node, until
from tests.servers import ports
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


one_server = pytest.mark.parametrize("planes", ["sqlite"], indirect=True)


@one_server
async def test_an_application_registers_under_its_own_name_alone(opened: Opened, own: str) -> None:
    here = await opened()
    with pytest.raises(NotOwnNameError, match=own):
        await here.register(fresh_name(), node("a"))
    with pytest.raises(NotOwnNameError):
        await here.publish(fresh_name(), Definition.of("s.S", {}))
    other = await opened(f"acme/dev/bank/{own}")
    await here.register(own, node("a"))
    with pytest.raises(NameTakenError, match="center trade"):
        await other.register(own, node("b"))
    seen = Seen(other, own)
    await seen.until_names("a")
    await asyncio.sleep(3)  # nothing of what was refused is tried again
    assert seen.names == ["a"]
    assert other.health.ready
    await seen.close()


@one_server
async def test_every_application_of_the_environment_sees_it_and_none_of_another(
    opened: Opened, own: str, planes: Planes
) -> None:
    here = await opened()
    await here.register(own, node("a"))
    await here.vote(own, Vote(service="s", node="a", voter="v", value="open"))
    await here.publish(own, Definition.of("s.S", {}))
    neighbour = await opened(f"acme/dev/bank/{fresh_name('stock')}")
    async with _seen(neighbour, own) as seen:
        await seen.until_names("a")
    assert len(await neighbour.votes(own)) == len(await neighbour.definitions(own)) == 1
    for place in (f"acme/prod/trade/{own}", f"evil/dev/trade/{own}"):
        strange = await opened(place)
        async with _seen(strange, own) as seen:
            assert (await seen.until(lambda _last: True)).nodes == ()
        assert await strange.votes(own) == await strange.definitions(own) == ()


@one_server
async def test_one_stream_tells_of_all_that_is_followed(opened: Opened, own: str, planes: Planes) -> None:
    here, there = await opened(), await opened()
    watching = [Seen(there, name) for name in (own, *(fresh_name() for _ in range(20)))]
    for one in watching:
        await one.until(lambda last: not last.is_stale)
    await here.register(own, node("a"))
    await watching[0].until_names("a")
    assert all(one.names == [] for one in watching[1:])
    assert there.line.uplink._streams == 1
    for one in watching:
        await one.close()
    again = Seen(there, own)  # what was let go of meanwhile is followed anew
    await here.register(own, node("b"))
    await again.until_names("a", "b")
    await again.close()


@one_server
async def test_a_session_that_the_registry_forgot_is_opened_anew_with_all_that_was_in_it(
    opened: Opened, own: str
) -> None:
    here, there = await opened(), await opened()
    await here.register(own, node("a"))
    vote = Vote(service="s", node="a", voter="v", value="open")
    await here.vote(own, vote)
    async with _seen(there, own) as seen:
        await seen.until_names("a")
        session = here._holdings._session
        told = len(seen.snapshots)
        await here.line.call("close", protocol.OfSession(session=session), type(None))
        await until(lambda: any(not one.nodes for one in seen.snapshots[told:]))
        await seen.until_names("a")
    await _until_votes(there, own, vote)
    assert here._holdings._session != session


@one_server
async def test_a_long_list_arrives_whole(opened: Opened, own: str) -> None:
    here, there = await opened(), await opened()
    tags = {f"t{number}": "x" * 120 for number in range(16)}
    names = [f"n{number:03}" for number in range(300)]
    async with _seen(there, own) as seen:
        for start in range(0, 300, 20):
            await asyncio.gather(*(here.register(own, node(name, tags=tags)) for name in names[start : start + 20]))
        last = await seen.until_names(*names)
        assert sum(len(str(one)) for one in last.nodes) > 2 * 262_144
        assert all(one.tags == tags for one in last.nodes)


@one_server
async def test_a_credential_that_was_revoked_makes_it_stale_and_says_why(
    opened: Opened, own: str, planes: Planes
) -> None:
    here = await opened()
    async with _seen(here, own) as seen:
        await here.register(own, node("a"))
        await seen.until_names("a")
        api = planes.servers[0].administrator()
        path = f"identity/tenants/acme/centers/trade/applications/{own}/environments/dev/credentials"
        (credential,) = (await asyncio.to_thread(api.call, "GET", path))["items"]
        await asyncio.to_thread(api.call, "DELETE", f"{path}/{credential['id']}")
        stale = await seen.until(lambda last: last.is_stale)
        assert [one.name for one in stale.nodes] == ["a"]
        await until(lambda: not here.health.ready)
        assert here.health.reason


@one_server
async def test_it_goes_over_a_line_that_is_there_anyway(opened: Opened, own: str, planes: Planes) -> None:
    await opened()
    settings = await asyncio.to_thread(planes.settings, f"acme/dev/trade/{own}")
    uplink = Uplink(
        planes.addresses,
        credential_id=settings.platform_credential,
        secret=settings.platform_secret.reveal(),
    )
    async with PlatformRegistry(RegistrySettings(adapter="platform"), uplink) as registry:
        await registry.register(own, node("a"))
    async with PlatformRegistry(RegistrySettings(adapter="platform"), uplink) as registry, _seen(registry, own) as seen:
        await seen.until(lambda last: not last.is_stale)
        assert seen.names == [], "what was registered went with the first; the line did not"
    await uplink.close()


@one_server
async def test_a_forked_child_is_refused(opened: Opened, own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = await opened()
    monkeypatch.setattr("qiantang.registry.adapters.platform.line.os.getpid", lambda: -1)
    with pytest.raises(errors.InternalError, match="fork"):
        await here.register(own, node("a"))
    with pytest.raises(errors.InternalError, match="fork"):
        await anext(here.watch(own))
    monkeypatch.undo()


async def test_where_nobody_answers_it_opens_all_the_same_and_says_so() -> None:
    settings = RegistrySettings(
        adapter="platform",
        address=f"http://127.0.0.1:{ports.take()}",
        platform_credential="qtc-none",
        platform_secret=Secret("none"),
        operation_timeout=timedelta(seconds=1),
    )
    async with make(settings) as registry:
        assert not registry.health.ready
        assert registry.health.reason
        first = await anext(registry.watch("order"))
        assert (first.nodes, first.is_stale) == ((), True)
        with pytest.raises(RegistryAwayError):
            await registry.register("order", node("a"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"address": ""}, "registry.address"),
        ({"address": " , "}, "registry.address"),
        ({"platform_credential": ""}, "platform_credential"),
        ({"platform_secret": Secret("")}, "platform_secret"),
        ({"platform_ca_file": "/nowhere/ca.pem", "address": "nonsense://x"}, "nonsense"),
    ],
)
def test_what_cannot_work_is_said_at_once(wrong: dict[str, Any], told: str) -> None:
    good: dict[str, Any] = {
        "address": "http://127.0.0.1:1",
        "platform_credential": "qtc-1",
        "platform_secret": Secret("s"),
    }
    with pytest.raises(errors.QiantangError, match=told):
        make(RegistrySettings(adapter="platform", **{**good, **wrong}))


@contextlib.asynccontextmanager
async def _seen(registry: Registry, microservice: str) -> AsyncIterator[Seen]:
    watching = Seen(registry, microservice)
    try:
        yield watching
    finally:
        await watching.close()


async def _until_votes(registry: Registry, microservice: str, *votes: Vote) -> None:
    found: list[tuple[Vote, ...]] = []

    async def look() -> None:
        while not found or found[-1] != votes:
            found.append(await registry.votes(microservice))
            await asyncio.sleep(0.05)

    async with asyncio.timeout(60):
        await look()
