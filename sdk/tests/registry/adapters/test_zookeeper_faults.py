"""ZooKeeper's adapter when things break: after each fault every consumer has exactly the right list, and no node is made twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from qiantang.registry.adapters.zookeeper import ZooKeeperRegistry
from qiantang.registry.client import Directory, Registration
from qiantang.registry.errors import RegistryAwayError
from qiantang.registry.model import Change, Definition, Node, Vote
from qiantang.registry.testing import Seen, fresh_name, node, until

from .conftest import Made, Opened, counting, settings_for
from .relay import Relay

pytestmark = [pytest.mark.zookeeper, pytest.mark.slow]

TOP = "/busidomain/csf/acme"


def path_of(name: str, of: str) -> str:
    return f"{TOP}/{name}/clusters/default/normal/{of}"


def assert_once(made: list[Made]) -> None:
    """Nothing was made twice in one session; on a busy machine it may have lost more sessions than one."""
    assert len(set(made)) == len(made), made


async def owner(registry: ZooKeeperRegistry, path: str) -> int:
    return (await registry.line.get(path)).owner


def expire(client: Any) -> None:
    """End a session from elsewhere, as the ensemble does after a silence."""
    from kazoo.client import KazooClient

    thief = KazooClient(hosts=",".join(f"{host}:{port}" for host, port in client.hosts), client_id=client.client_id)
    thief.start()
    thief.stop()
    thief.close()


async def test_the_server_is_killed_and_comes_back(
    zookeeper_factory: Any, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    server, name = await asyncio.to_thread(zookeeper_factory), fresh_name()
    here, there = await opened(server.hosts), await opened(server.hosts)
    await here.register(name, node("a"))
    await there.register(name, node("b"))
    await here.vote(name, Vote(service="s", node="b", voter="a", value="open"))
    await here.publish(name, Definition.of("s", {}))
    async with Directory(there, name) as directory:
        seen = Seen(there, name)
        await seen.until_names("a", "b")
        made = counting(here)
        await asyncio.to_thread(server.kill)
        await seen.until(lambda last: last.is_stale)
        assert [one.name for one in directory.snapshot.nodes] == ["a", "b"]
        with pytest.raises(RegistryAwayError):
            await here.update(name, "a", Change(weight=7))
        await asyncio.to_thread(server.start)
        await seen.until(lambda last: not last.is_stale and last.nodes == (node("a", weight=7), node("b")))
        await until(lambda: not directory.snapshot.is_stale and directory.snapshot.nodes == seen.last.nodes)
        await here.register(name, node("c"))
        await seen.until_names("a", "b", "c")
        assert [one.value for one in await there.votes(name)] == ["open"]
        assert len(await there.definitions(name)) == 1
        assert_once(made)
        assert sum("the registry is away" in record.message for record in caplog.records) <= 6
        await seen.close()


async def test_the_server_is_killed_for_longer_than_a_session(zookeeper_factory: Any, opened: Opened) -> None:
    server, name = await asyncio.to_thread(zookeeper_factory), fresh_name()
    quick = {"zookeeper_session_timeout": timedelta(seconds=1), "operation_timeout": timedelta(seconds=1)}
    here, there = await opened(server.hosts, **quick), await opened(server.hosts, **quick)
    await here.register(name, node("a"))
    seen = Seen(there, name)
    await seen.until_names("a")
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(4)
    made = counting(here)
    await asyncio.to_thread(server.start)
    await seen.until_names("a")
    await until(lambda: here.line.connected)
    await until_own(here, path_of(name, "a"))
    await here.register(name, node("b"))
    await seen.until_names("a", "b")
    assert_once(made)
    await seen.close()


async def until_own(registry: ZooKeeperRegistry, path: str) -> None:
    """Wait until a node is there, and of the session of now."""
    ends = time.monotonic() + 60
    while True:
        with contextlib.suppress(Exception):
            if await owner(registry, path) == registry.line.session != 0:
                return
        assert time.monotonic() < ends, f"{path} is not made again"
        await asyncio.sleep(0.05)


async def test_a_client_that_is_silent_past_its_session_makes_its_node_again_once(
    relay: Relay, zookeeper_server: Any, opened: Opened
) -> None:
    name = fresh_name()
    here = await opened(relay.address, zookeeper_session_timeout=timedelta(seconds=1))
    there = await opened(zookeeper_server.hosts)
    await here.register(name, node("a"))
    await there.register(name, node("b"))
    seen, own = Seen(there, name), Seen(here, name)
    await seen.until_names("a", "b")
    await own.until_names("a", "b")
    session, made = here.line.session, counting(here)
    relay.silence()
    await seen.until_names("b")  # the ensemble gave the session up
    await there.register(name, node("c"))
    relay.hear()
    await seen.until_names("a", "b", "c")
    await own.until_names("a", "b", "c")
    await until_own(here, path_of(name, "a"))
    assert here.line.session != session
    await asyncio.sleep(1)
    assert {path for path, _session in made} == {path_of(name, "a")}
    assert_once(made)
    assert own.names == seen.names == ["a", "b", "c"]
    await seen.close()
    await own.close()


async def test_a_frozen_server_past_its_sessions_and_its_resumption(zookeeper_factory: Any, opened: Opened) -> None:
    server, name = await asyncio.to_thread(zookeeper_factory), fresh_name()
    quick = {"zookeeper_session_timeout": timedelta(seconds=1), "operation_timeout": timedelta(seconds=1)}
    here, there = await opened(server.hosts, **quick), await opened(server.hosts, **quick)
    seen = Seen(there, name)
    async with Directory(there, name) as directory, Registration(here, name, node("a"), tell_within=2) as registration:
        await seen.until_names("a")
        made = counting(here)
        await asyncio.to_thread(server.pause)
        await until(lambda: not here.health.ready and not there.health.ready)
        await asyncio.sleep(3)
        await registration.change(Change(weight=3))
        assert not registration.is_told
        assert [one.name for one in directory.snapshot.nodes] == ["a"], "a frozen registry takes nobody away"
        await asyncio.to_thread(server.resume)
        await seen.until(lambda last: not last.is_stale and last.nodes == (node("a", weight=3),))
        await until(lambda: registration.is_told)
        await until_own(here, path_of(name, "a"))
        await asyncio.sleep(1)
        assert_once(made)
        assert seen.last.nodes == directory.snapshot.nodes == (node("a", weight=3),)
    await seen.until_names()
    await seen.close()


async def test_a_frozen_server_is_noticed_though_requests_go_out_all_the_time(
    zookeeper_factory: Any, opened: Opened
) -> None:
    server, name = await asyncio.to_thread(zookeeper_factory), fresh_name()
    here = await opened(server.hosts, operation_timeout=timedelta(seconds=2))
    await here.register(name, node("a"))
    seen = Seen(here, name)
    await seen.until_names("a")
    await asyncio.to_thread(server.pause)

    async def ask(after: float) -> None:
        await asyncio.sleep(after)
        while True:
            with contextlib.suppress(RegistryAwayError):
                await here.votes(name)
            await asyncio.sleep(0.05)

    asking = [asyncio.create_task(ask(number * 0.05)) for number in range(40)]
    await seen.until(lambda last: last.is_stale)
    await asyncio.to_thread(server.resume)
    await seen.until_names("a")
    for one in asking:
        one.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await seen.close()


async def test_a_consumer_that_is_cut_off_hears_of_all_that_changed_meanwhile(
    relay: Relay, zookeeper_server: Any, opened: Opened
) -> None:
    name = fresh_name()
    consumer, provider = await opened(relay.address), await opened(zookeeper_server.hosts)
    await provider.register(name, node("a"))
    await provider.register(name, node("b"))
    seen = Seen(consumer, name)
    await seen.until_names("a", "b")
    await relay.cut()
    await seen.until(lambda last: last.is_stale)
    await provider.deregister(name, "a")
    await provider.update(name, "b", Change(weight=1))
    await provider.register(name, node("c", cluster="west"))
    assert seen.names == ["a", "b"]
    await relay.mend()
    last = await seen.until_names("b", "c")
    assert last.nodes == (node("b", weight=1), node("c", cluster="west"))
    await provider.deregister(name, "b")
    await seen.until_names("c")
    await seen.close()


async def test_a_provider_that_is_cut_off_shortly_keeps_its_node(
    relay: Relay, zookeeper_server: Any, opened: Opened
) -> None:
    name = fresh_name()
    provider = await opened(relay.address, zookeeper_session_timeout=timedelta(seconds=30))
    there = await opened(zookeeper_server.hosts)
    await provider.register(name, node("a"))
    seen, made, session = Seen(there, name), counting(provider), provider.line.session
    await seen.until_names("a")
    for _ in range(3):
        connections = provider.line.connections
        relay.drop()
        await until(lambda before=connections: provider.line.connections > before)
    await provider.register(name, node("b"))
    await seen.until_names("a", "b")
    assert (made, provider.line.session) == ([(path_of(name, "b"), session)], session)
    assert all("a" in [one.name for one in each.nodes] for each in seen.snapshots), "it was never missing"
    await seen.close()


async def test_an_expired_session_is_replaced_and_its_nodes_are_made_again_once(
    zookeeper_server: Any, opened: Opened
) -> None:
    name, here = fresh_name(), await opened(zookeeper_server.hosts)
    there = await opened(zookeeper_server.hosts)
    await here.register(name, node("a"))
    await here.vote(name, Vote(service="s", node="a", voter="v", value="open"))
    seen, own, made = Seen(there, name), Seen(here, name), counting(here)
    await seen.until_names("a")
    await own.until_names("a")
    before = here.line.session
    await asyncio.to_thread(expire, here.line._client)
    await until(lambda: here.line.session not in {0, before})
    await until_own(here, path_of(name, "a"))
    await until(lambda: len(made) >= 2)
    await there.register(name, node("b"))
    await seen.until_names("a", "b")
    await own.until_names("a", "b")
    assert [one.voter for one in await there.votes(name)] == ["v"]
    assert {path for path, _session in made} == {path_of(name, "a"), f"{TOP}/{name}/governance/breakers/s~a~v"}
    assert_once(made)
    await seen.close()
    await own.close()


async def test_a_client_that_gave_up_is_replaced(zookeeper_server: Any, opened: Opened) -> None:
    here, name = await opened(zookeeper_server.hosts), fresh_name()
    await here.register(name, node("a"))
    seen = Seen(here, name)
    await seen.until_names("a")
    await asyncio.to_thread(here.line._client.stop)
    await until(lambda: not here.health.ready)
    await until(lambda: here.health.ready)
    await seen.until_names("a")
    await seen.close()


async def test_it_opens_while_the_ensemble_is_away_and_works_once_it_is_there(
    zookeeper_factory: Any, opened: Opened
) -> None:
    server, name = await asyncio.to_thread(zookeeper_factory), fresh_name()
    await asyncio.to_thread(server.stop)
    here = await opened(server.hosts, operation_timeout=timedelta(seconds=1))
    assert not here.health.ready
    assert (await anext(here.watch(name))).is_stale
    with pytest.raises(RegistryAwayError):
        await here.register(name, node("a"))
    seen = Seen(here, name)
    await asyncio.to_thread(server.start)
    await seen.until_names("a")
    await seen.close()


async def test_what_was_taken_out_in_an_outage_is_out_after_it(
    relay: Relay, zookeeper_server: Any, opened: Opened
) -> None:
    name = fresh_name()
    here = await opened(relay.address, zookeeper_session_timeout=timedelta(seconds=30))
    there = await opened(zookeeper_server.hosts)
    await here.register(name, node("a"))
    await here.register(name, node("b"))
    seen = Seen(there, name)
    await seen.until_names("a", "b")
    await relay.cut()
    await until(lambda: not here.health.ready)
    with pytest.raises(RegistryAwayError):
        await here.deregister(name, "a")
    await relay.mend()
    await seen.until_names("b")
    await seen.close()


async def test_closing_ends_within_its_deadline_where_the_server_is_frozen(zookeeper_factory: Any) -> None:
    server, name = await asyncio.to_thread(zookeeper_factory), fresh_name()
    here = await ZooKeeperRegistry(settings_for(server.hosts, operation_timeout=timedelta(seconds=1))).__aenter__()
    await here.register(name, node("a"))
    await asyncio.to_thread(server.pause)
    async with asyncio.timeout(30):
        await here.__aexit__(None, None, None)
    await asyncio.to_thread(server.resume)


async def test_no_change_is_lost_while_connections_come_and_go(
    relay: Relay, zookeeper_server: Any, opened: Opened
) -> None:
    """Providers change without pause, the consumer is cut off by chance: it ends with exactly what the tree holds."""
    name, chance = fresh_name(), random.Random(7)
    consumer, provider = await opened(relay.address), await opened(zookeeper_server.hosts)
    seen, wanted = Seen(consumer, name), dict[str, Node]()

    async def change(number: int) -> None:
        of = f"n{number:02}"
        for turn in range(15):
            one = node(of, weight=turn, cluster=chance.choice(["east", "west"]))
            if chance.random() < 0.3 and of in wanted:
                await provider.deregister(name, of)
                del wanted[of]
            else:
                await provider.register(name, one)
                wanted[of] = one
            await asyncio.sleep(chance.random() * 0.05)

    async def disturb() -> None:
        while True:
            await asyncio.sleep(0.1 + chance.random() * 0.3)
            relay.drop()

    disturbing = asyncio.create_task(disturb())
    await asyncio.gather(*(change(number) for number in range(20)))
    disturbing.cancel()
    await asyncio.gather(disturbing, return_exceptions=True)
    expected = tuple(wanted[of] for of in sorted(wanted))
    await seen.until(lambda last: not last.is_stale and last.nodes == expected)
    assert consumer.line.connections > 1
    stored = {
        of: msgspec.json.decode(
            (await provider.line.get(f"{TOP}/{name}/clusters/{one.cluster}/normal/{of}")).data, type=Node
        )
        for of, one in wanted.items()
    }
    assert stored == wanted
    await seen.close()
