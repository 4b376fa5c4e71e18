"""ZooKeeper's adapter in processes that are killed, stopped and forked: what others see of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from qiantang.registry.adapters.zookeeper import ZooKeeperRegistry
from qiantang.registry.client import Directory, Registration
from qiantang.registry.testing import Seen, fresh_name, node, until

from .conftest import Opened, settings_for

pytestmark = [pytest.mark.zookeeper, pytest.mark.process, pytest.mark.slow]

PROVIDER = """
import asyncio, sys, time
from datetime import timedelta
from qiantang.registry.adapters.zookeeper import ZooKeeperRegistry
from qiantang.registry.client import Registration
from qiantang.registry.model import Node
from qiantang.registry.settings import RegistrySettings

async def main(hosts, microservice, name, session):
    settings = RegistrySettings(
        adapter="zookeeper", address=hosts, tenant="acme", zookeeper_acl="open",
        zookeeper_session_timeout=timedelta(seconds=int(session)), operation_timeout=timedelta(seconds=2),
    )
    node = Node(name=name, addresses={"csf1": "127.0.0.1:9000"}, state="starting", started_at=time.time())
    async with ZooKeeperRegistry(settings) as registry, Registration(registry, microservice, node, notice=3) as registration:
        await registration.ready()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await registration.drain()

asyncio.run(main(*sys.argv[1:]))
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a provider, and wait until it says that it is ready; it ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(hosts: str, microservice: str, name: str, session: int = 4) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", PROVIDER, hosts, microservice, name, str(session)]
        one = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(one)
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
        return one

    yield begin
    for one in started:
        one.kill()
        one.communicate()


async def test_a_provider_that_is_killed_is_gone_with_its_session(
    zookeeper_server: Any, opened: Opened, start: Start
) -> None:
    name, here = fresh_name(), await opened(zookeeper_server.hosts)
    first, second = await asyncio.gather(
        *(asyncio.to_thread(start, zookeeper_server.hosts, name, of) for of in ("a", "b"))
    )
    seen = Seen(here, name)
    await seen.until_names("a", "b")
    os.kill(first.pid, signal.SIGKILL)
    await seen.until_names("b")
    async with Directory(here, name) as directory:
        os.kill(second.pid, signal.SIGKILL)
        await seen.until_names()
        await until(lambda: directory.suspects == frozenset("b"))
        assert [one.name for one in directory.snapshot.nodes] == ["b"], "the last one is kept until a connection fails"
        directory.suspect_failed("b")
        assert directory.snapshot.nodes == ()
    await seen.close()


async def test_a_provider_that_ends_in_order_drains_and_is_gone_at_once(
    zookeeper_server: Any, opened: Opened, start: Start
) -> None:
    name, here = fresh_name(), await opened(zookeeper_server.hosts)
    provider = await asyncio.to_thread(start, zookeeper_server.hosts, name, "a")
    async with Directory(here, name) as directory:
        states: list[list[str]] = []
        directory.on_change(lambda one: states.append([each.state for each in one.nodes]))
        await asyncio.to_thread(provider.communicate, "")
        await until(lambda: states[-1:] == [[]], lambda: states)
        assert directory.suspects == frozenset()
    assert provider.returncode == 0


async def test_a_provider_that_stood_still_past_its_session_comes_back_once(
    zookeeper_server: Any, opened: Opened, start: Start
) -> None:
    name, here = fresh_name(), await opened(zookeeper_server.hosts)
    provider = await asyncio.to_thread(start, zookeeper_server.hosts, name, "a")
    path = f"/busidomain/csf/acme/{name}/clusters/default/normal/a"
    seen = Seen(here, name)
    await seen.until_names("a")
    before = (await here.line.get(path)).owner
    os.kill(provider.pid, signal.SIGSTOP)
    await seen.until_names()
    os.kill(provider.pid, signal.SIGCONT)
    await seen.until_names("a")
    assert (await here.line.get(path)).owner != before
    await asyncio.sleep(1)
    comings = [
        len(after.nodes)
        for before, after in zip(seen.snapshots, seen.snapshots[1:], strict=False)
        if len(before.nodes) < len(after.nodes)
    ]
    assert comings == [1], "once"
    assert (await here.line.get(path)).version == 0, "made, and not written again"
    await seen.close()


async def test_a_provider_that_starts_again_takes_its_name_over_from_its_dead_self(
    zookeeper_server: Any, opened: Opened, start: Start
) -> None:
    name, here = fresh_name(), await opened(zookeeper_server.hosts)
    first = await asyncio.to_thread(start, zookeeper_server.hosts, name, "a", 40)
    path, seen = f"/busidomain/csf/acme/{name}/clusters/default/normal/a", Seen(here, name)
    before = await seen.until_names("a")
    dead = (await here.line.get(path)).owner
    os.kill(first.pid, signal.SIGKILL)
    await asyncio.to_thread(start, zookeeper_server.hosts, name, "a", 40)
    after = await seen.until(lambda last: last.nodes[0].started_at > before.nodes[0].started_at)
    assert (await here.line.get(path)).owner != dead, "that one's end takes nothing along"
    assert all(one.nodes for one in seen.snapshots[seen.snapshots.index(before) :]), "it was never missing"
    assert after.nodes[0].name == "a"
    await seen.close()


async def test_a_child_of_a_fork_registers_over_a_registry_of_its_own(zookeeper_server: Any, opened: Opened) -> None:
    """A server that forks its workers opens the registry in each of them, beside what the parent has open."""
    name, here = fresh_name(), await opened(zookeeper_server.hosts)
    await here.register(name, node("parent"))
    seen = Seen(here, name)
    await seen.until_names("parent")
    child = os.fork()
    if not child:
        _as_child(zookeeper_server.hosts, name)
    await seen.until_names("child", "parent")
    os.kill(child, signal.SIGTERM)
    await seen.until_names("parent")
    await asyncio.to_thread(os.waitpid, child, 0)
    await here.register(name, node("parent", weight=1))
    await seen.until(lambda last: [one.weight for one in last.nodes] == [1])
    await seen.close()


def _as_child(hosts: str, name: str) -> None:
    """Register until told to end; never returns into the test."""
    code = 1
    try:
        asyncio.events._set_running_loop(None)
        asyncio.run(_register_until_told(hosts, name))
        code = 0
    finally:
        os._exit(code)


async def _register_until_told(hosts: str, name: str) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with ZooKeeperRegistry(settings_for(hosts)) as registry, Registration(registry, name, node("child")):
        await told.wait()
