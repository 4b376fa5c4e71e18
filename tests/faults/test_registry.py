"""The platform's registry when things die: servers killed, providers killed, frozen and back, and two servers on one database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from qiantang.kernel.settings import Secret
from qiantang.registry import Directory, Registration, RegistrySettings, registry_of
from qiantang.registry.adapters.platform import make
from qiantang.registry.testing import Seen, fresh_name, node, until
from tests.servers.platform import Platform
from tests.servers.process import Process
from tests.servers.product import Platforms, opened_platforms

pytestmark = pytest.mark.process

LEASE_SECONDS = 3
FLAGS = (f"--set=registry.lease={LEASE_SECONDS}s", "--set=watch.heartbeat=1s")


class Registrant(Process):
    """A provider in a process of its own."""

    name: ClassVar[str] = "registrant"

    def __init__(self, settings: dict[str, Any], microservice: str, node: str) -> None:
        super().__init__()
        told = {"settings": settings, "microservice": microservice, "node": node}
        self.variables = {"QIANTANG_TEST_REGISTRANT": json.dumps(told)}

    @staticmethod
    def missing() -> list[str]:
        return []

    def prepare(self) -> None:
        """Write nothing."""

    def argv(self) -> list[str]:
        return [sys.executable, str(Path(__file__).parent / "registrant.py")]

    def probe(self) -> None:
        if not [line for line in self.log_file.read_text().splitlines() if line.startswith('{"told": true')]:
            raise ConnectionError("it is not registered yet")


class Estate:
    """An application on a control plane."""

    def __init__(self, platforms: Platforms, *flags: str) -> None:
        self.first = platforms(*FLAGS, *flags)
        self.name = fresh_name()
        issued = self.first.administrator().make_application(f"acme/dev/trade/{self.name}")
        self.credential: dict[str, str] = {"platform_credential": issued["id"], "platform_secret": issued["secret"]}

    def said(self, *servers: Platform) -> dict[str, Any]:
        """Give the settings as another process takes them."""
        address = ",".join(one.address for one in servers or (self.first,))
        return {"adapter": "platform", "address": address, **self.credential}

    def settings(self, *servers: Platform) -> RegistrySettings:
        said = self.said(*servers)
        said["platform_secret"] = Secret(said["platform_secret"])
        return RegistrySettings(**said)

    def registrant(self, node: str) -> Registrant:
        return Registrant(self.said(), self.name, node)


@pytest.fixture
def platforms() -> Iterator[Platforms]:
    with opened_platforms() as found:
        yield found


@pytest.fixture
def estate(platforms: Platforms) -> Estate:
    return Estate(platforms)


@pytest.fixture
async def seen(estate: Estate) -> AsyncIterator[Seen]:
    """What a caller was told of the application's nodes."""
    async with registry_of(estate.settings()) as registry:
        watching = Seen(registry, estate.name)
        yield watching
        await watching.close()


async def test_a_control_plane_that_is_killed_and_started_loses_nobody(estate: Estate) -> None:
    settings = estate.settings()
    async with registry_of(settings) as provider, registry_of(settings) as caller:
        nodes = [node(f"n{number}") for number in range(3)]
        async with Directory(caller, estate.name) as directory:
            for one in nodes:
                await provider.register(estate.name, one)
            await until(lambda: directory.snapshot.nodes == tuple(nodes), lambda: directory.snapshot)
            seen = Seen(caller, estate.name)  # a directory holds on to those who vanish; this does not
            await seen.until_names("n0", "n1", "n2")
            await asyncio.to_thread(estate.first.kill)
            await until(lambda: directory.snapshot.is_stale)
            assert directory.snapshot.nodes == tuple(nodes)
            await asyncio.sleep(LEASE_SECONDS + 1)  # so long that all leases are over
            await asyncio.to_thread(estate.first.start)
            await until(lambda: not directory.snapshot.is_stale, lambda: caller.health)
            await until(lambda: provider.health.ready, lambda: provider.health)
            await provider.register(estate.name, node("n3"))
            await until(lambda: len(directory.snapshot.nodes) == 4, lambda: directory.snapshot)
            await asyncio.sleep(LEASE_SECONDS + 1)  # the full lease that everybody was given is over as well
            assert [one.name for one in directory.snapshot.nodes] == ["n0", "n1", "n2", "n3"]
            lists = [{one.name for one in snapshot.nodes} for snapshot in seen.snapshots]
            assert all(lists[-1] - {"n3"} <= one for one in lists[lists.index({"n0", "n1", "n2"}) :]), (
                "somebody vanished"
            )
            await seen.close()


async def test_a_provider_that_is_killed_is_gone_after_its_lease(estate: Estate, seen: Seen) -> None:
    with estate.registrant("a") as registrant:
        await seen.until_names("a")
        registrant.kill()
        await seen.until_names()
    with estate.registrant("a"):
        await seen.until_names("a")


async def test_a_provider_that_is_frozen_beyond_its_lease_comes_back_once(estate: Estate, seen: Seen) -> None:
    with estate.registrant("a") as registrant:
        await seen.until_names("a")
        registrant.pause()
        await seen.until_names()
        registrant.resume()
        await seen.until_names("a")
        await asyncio.sleep(LEASE_SECONDS * 2)
        lists = [[one.name for one in snapshot.nodes] for snapshot in seen.snapshots]
        assert lists[lists.index(["a"]) :] == [["a"], [], ["a"]]


async def test_a_name_that_a_newer_process_took_is_left_to_it_by_one_that_was_frozen(
    estate: Estate, seen: Seen
) -> None:
    with estate.registrant("a") as old:
        await seen.until_names("a")
        first = seen.last.nodes[0].started_at
        old.pause()
        await seen.until_names()
        with estate.registrant("a"):
            await seen.until_names("a")
            newer = seen.last.nodes[0].started_at
            assert newer > first
            old.resume()
            await asyncio.sleep(LEASE_SECONDS * 2)
            assert [one.started_at for one in seen.last.nodes] == [newer]
        await seen.until(lambda last: [one.started_at for one in last.nodes] == [first])


@pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("zookeeper", marks=[pytest.mark.postgresql, pytest.mark.zookeeper]),
    ],
)
async def test_two_servers_on_one_database_see_each_others_nodes(
    platforms: Platforms, kind: str, request: pytest.FixtureRequest
) -> None:
    flags = []
    if kind != "sqlite":
        flags = [f"--database-url={request.getfixturevalue('postgresql_server').create_database()}"]
    if kind == "zookeeper":
        # what it tells comes at once: nothing is left for the comparing to find
        flags += [f"--zookeeper={request.getfixturevalue('zookeeper_server').hosts}", "--set=registry.poll=1h"]
    estate = Estate(platforms, *flags)
    second = platforms(*FLAGS, *flags, share=estate.first)
    async with make(estate.settings()) as here, make(estate.settings(second)) as there:
        ours, theirs = Seen(here, estate.name), Seen(there, estate.name)
        async with Registration(here, estate.name, node("a"), notice=0), Registration(there, estate.name, node("b")):
            await ours.until_names("a", "b")
            await theirs.until_names("a", "b")
            await until(lambda: second.address in repr(here.line.uplink))
            await asyncio.to_thread(estate.first.kill)
            await asyncio.sleep(LEASE_SECONDS * 2)
            # whoever was at the first goes on at the second, which the first had told of
            await ours.until_names("a", "b")
            assert [one.name for one in theirs.last.nodes] == ["a", "b"]
        await ours.close()
        await theirs.close()
