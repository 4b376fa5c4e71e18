"""ZooKeeper's adapter: the conformance suite, its faults on real servers, and what it refuses."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from datetime import timedelta
from typing import Any, cast

import pytest

from qiantang.kernel import errors
from qiantang.kernel.resource import Position
from qiantang.kernel.settings import Secret
from qiantang_server.kernel.coordination.adapters.zookeeper import ZooKeeperCoordination
from qiantang_server.kernel.coordination.adapters.zookeeper import announcements as announcements_module
from qiantang_server.kernel.coordination.adapters.zookeeper.announcements import unread
from qiantang_server.kernel.coordination.choice import choose
from qiantang_server.kernel.coordination.port import Coordination
from qiantang_server.kernel.coordination.settings import CoordinationSettings
from qiantang_server.kernel.coordination.testing import (
    LONG,
    CoordinationConformance,
    OpenOne,
    fresh_key,
    fresh_name,
    until,
    until_true,
)
from server.tests.kernel.test_adapters import context

from .conftest import Opened


def settings_for(hosts: str, **options: Any) -> CoordinationSettings:
    defaults: dict[str, Any] = {
        "session_timeout": timedelta(seconds=4),
        "operation_timeout": timedelta(seconds=3),
    }
    return CoordinationSettings(
        zookeeper=hosts, **{f"zookeeper_{name}": value for name, value in {**defaults, **options}.items()}
    )


@pytest.fixture
def open_one(zookeeper_server, opened: Opened) -> OpenOne:
    async def open_() -> Coordination:
        return await opened(ZooKeeperCoordination(settings_for(zookeeper_server.hosts)))

    return open_


@pytest.mark.zookeeper
class TestConformance(CoordinationConformance):
    pass


def raw(coordination: Coordination) -> Any:
    """Give the kazoo client inside, to do to it what a fault would."""
    return cast("ZooKeeperCoordination", coordination).line._client


@pytest.mark.zookeeper
async def test_the_nodes_read_as_documented(open_one: OpenOne) -> None:
    here, key = await open_one(), fresh_key()
    await here.announce(key, Position(epoch=2, revision=34))
    await here.enlist(node := fresh_name(), "https://here:8800")
    line = cast("ZooKeeperCoordination", here).line
    assert (await line.get(f"/qiantang/{key.replace(':', '/')}")).data == b"2:34"
    entry = await line.get(f"/qiantang/servers/{node}")
    assert json.loads(entry.data) == {"address": "https://here:8800"}
    assert entry.owner == line.session != 0


@pytest.mark.zookeeper
async def test_the_journal_is_cut_and_a_cut_is_survived(open_one: OpenOne, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements_module, "KEPT_ENTRIES", 5)
    here, there = await open_one(), await open_one()
    keys = {fresh_key() for _ in range(60)}
    heard: set[str] = set()

    def all_heard(change: tuple[str, Position]) -> bool:
        heard.add(change[0])
        return keys <= heard

    watch = there.watch()
    reading = asyncio.create_task(until(watch, all_heard))
    await asyncio.gather(*(here.announce(key, Position(epoch=1, revision=1)) for key in keys))
    await reading
    line = cast("ZooKeeperCoordination", here).line
    for number in range(20):
        await here.announce(fresh_key(), Position(epoch=1, revision=number))
    async with asyncio.timeout(20):
        while len(await line.children("/qiantang/_changes")) > 12:  # the server sets no event
            await asyncio.sleep(0.05)


@pytest.mark.zookeeper
async def test_a_journal_that_an_operator_removed_is_made_again(open_one: OpenOne) -> None:
    here, there, key = await open_one(), await open_one(), fresh_key()
    watch = there.watch()
    await here.announce(key, Position(epoch=1, revision=1))
    await until(watch, lambda change: change[0] == key)
    await asyncio.to_thread(raw(here).delete, "/qiantang/_changes", recursive=True)
    await here.announce(key, Position(epoch=1, revision=2))
    await until(watch, lambda change: change == (key, Position(epoch=1, revision=2)))


@pytest.mark.zookeeper
async def test_an_expired_session_is_replaced(open_one: OpenOne) -> None:
    here, there, key, name = await open_one(), await open_one(), fresh_key(), fresh_name()
    await here.enlist(name, f"http://{name}:1")
    watch = here.watch()
    lease = await here.acquire(name, "a", LONG)
    assert lease is not None
    line = cast("ZooKeeperCoordination", here).line
    before = line.session
    await asyncio.to_thread(_expire, raw(here))
    await there.announce(key, Position(epoch=1, revision=1))
    await until(watch, lambda change: change == (key, Position(epoch=1, revision=1)))
    await until_true(lambda: line.session not in {0, before})
    assert await there.acquire(name, "b", LONG) is None, "a lost session must not cost the lease"
    assert await here.renew(lease, LONG) is not None

    async def listed() -> bool:
        node = await cast("ZooKeeperCoordination", there).line.get(f"/qiantang/servers/{name}")
        return node.owner == line.session

    await until_listed(listed)


async def until_listed(listed: Any) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                if await listed():
                    return
            except Exception as error:
                assert type(error).__name__ == "AbsentError"
            await asyncio.sleep(0.05)


def _expire(client: Any) -> None:
    """End the session from elsewhere, as the ensemble does after a silence."""
    from kazoo.client import KazooClient

    thief = KazooClient(hosts=",".join(f"{host}:{port}" for host, port in client.hosts), client_id=client.client_id)
    thief.start()
    thief.stop()
    thief.close()


@pytest.mark.zookeeper
async def test_an_own_node_that_is_gone_is_made_again(open_one: OpenOne) -> None:
    here, there, name = await open_one(), await open_one(), fresh_name()
    await here.enlist(name, f"http://{name}:1")
    watch = there.servers()
    await until(watch, lambda servers: f"http://{name}:1" in servers)
    await asyncio.to_thread(raw(there).delete, f"/qiantang/servers/{name}")
    await until(watch, lambda servers: f"http://{name}:1" not in servers)
    await until(watch, lambda servers: f"http://{name}:1" in servers)


@pytest.mark.zookeeper
async def test_the_server_is_killed_and_comes_back(
    zookeeper_factory, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    server = await asyncio.to_thread(zookeeper_factory)
    here = await opened(ZooKeeperCoordination(settings_for(server.hosts)))
    there = await opened(ZooKeeperCoordination(settings_for(server.hosts)))
    key, name = fresh_key(), fresh_name()
    watch = there.watch()
    lease = await here.acquire(name, "a", LONG)
    assert lease is not None
    await here.announce(key, Position(epoch=1, revision=1))
    await until(watch, lambda change: change[0] == key)
    await asyncio.to_thread(server.kill)
    await until_true(lambda: not here.condition.ready)
    assert server.hosts in here.condition.reason
    with pytest.raises(errors.UnavailableError):
        await here.announce(key, Position(epoch=1, revision=2))
    with pytest.raises(errors.UnavailableError):
        await here.acquire(name, "b", LONG)
    await asyncio.sleep(3)
    assert sum("is away" in record.message for record in caplog.records) == 2, "once for each of the two, not each try"
    await asyncio.to_thread(server.start)
    await until_true(lambda: here.condition.ready and there.condition.ready)
    assert await here.announce(key, Position(epoch=1, revision=3))
    await until(watch, lambda change: change == (key, Position(epoch=1, revision=3)))
    again = await here.acquire(name, "a", LONG)
    assert again is not None
    assert again.epoch > lease.epoch


@pytest.mark.zookeeper
@pytest.mark.slow
async def test_a_frozen_server_costs_a_deadline_and_no_more(zookeeper_factory, opened: Opened) -> None:
    server = await asyncio.to_thread(zookeeper_factory)
    settings = settings_for(server.hosts, operation_timeout=timedelta(seconds=2))
    here = await opened(ZooKeeperCoordination(settings))
    key = fresh_key()
    watch = here.watch()
    await here.announce(key, Position(epoch=1, revision=1))
    await asyncio.to_thread(server.pause)
    with pytest.raises(errors.UnavailableError):
        async with asyncio.timeout(10):
            await here.announce(key, Position(epoch=1, revision=2))
    await until_true(lambda: not here.condition.ready)
    await asyncio.to_thread(server.resume)
    await until_true(lambda: here.condition.ready)
    async with asyncio.timeout(20):
        while True:
            try:
                await here.announce(key, Position(epoch=1, revision=3))
                break
            except errors.UnavailableError:
                await asyncio.sleep(0.1)
    await until(watch, lambda change: change == (key, Position(epoch=1, revision=3)))


@pytest.mark.zookeeper
async def test_a_frozen_server_is_noticed_though_requests_go_out_all_the_time(
    zookeeper_factory, opened: Opened
) -> None:
    server = await asyncio.to_thread(zookeeper_factory)
    here = await opened(ZooKeeperCoordination(settings_for(server.hosts, operation_timeout=timedelta(seconds=2))))
    key = fresh_key()
    await here.announce(key, Position(epoch=1, revision=1))
    await asyncio.to_thread(server.pause)

    async def ask() -> None:
        while True:
            with contextlib.suppress(errors.UnavailableError):
                await here.read(key)
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask())
        await until_true(lambda: not here.condition.ready)
        await asyncio.to_thread(server.resume)
        await until_true(lambda: here.condition.ready)
        asking.cancel()
    assert await here.read(key) == Position(epoch=1, revision=1)


@pytest.mark.zookeeper
async def test_it_opens_while_the_ensemble_is_away_and_works_once_it_is_there(
    zookeeper_factory, opened: Opened
) -> None:
    server = await asyncio.to_thread(zookeeper_factory)
    await asyncio.to_thread(server.stop)
    here = await opened(ZooKeeperCoordination(settings_for(server.hosts, operation_timeout=timedelta(seconds=2))))
    assert not here.condition.ready
    name, key = fresh_name(), fresh_key()
    await here.enlist(name, f"http://{name}:1")
    with pytest.raises(errors.UnavailableError):
        await here.read(key)
    await asyncio.to_thread(server.start)
    await until(here.servers(), lambda servers: f"http://{name}:1" in servers)


@pytest.mark.zookeeper
@pytest.mark.slow
async def test_the_leader_of_an_ensemble_dies_then_all_of_it(zookeeper_ensemble, opened: Opened) -> None:
    hosts = zookeeper_ensemble.hosts
    here = await opened(ZooKeeperCoordination(settings_for(hosts, session_timeout=timedelta(seconds=10))))
    there = await opened(ZooKeeperCoordination(settings_for(hosts, session_timeout=timedelta(seconds=10))))
    key, name = fresh_key(), fresh_name()
    watch, revision = there.watch(), 1
    lease = await here.acquire(name, "a", timedelta(minutes=5))
    assert lease is not None
    assert await here.announce(key, Position(epoch=1, revision=revision))

    async def announce_again() -> None:
        nonlocal revision
        revision += 1
        async with asyncio.timeout(60):
            while True:
                try:
                    await here.announce(key, Position(epoch=1, revision=revision))
                except errors.UnavailableError:
                    await asyncio.sleep(0.1)
                else:
                    break
        await until(watch, lambda change: change == (key, Position(epoch=1, revision=revision)))

    leader = await asyncio.to_thread(zookeeper_ensemble.leader)
    await asyncio.to_thread(leader.kill)
    await announce_again()
    assert await there.acquire(name, "b", LONG) is None
    await asyncio.to_thread(zookeeper_ensemble.stop)
    await until_true(lambda: not here.condition.ready)
    await asyncio.to_thread(zookeeper_ensemble.start)
    await announce_again()
    kept = await here.renew(lease, LONG)
    assert kept is not None
    assert kept.epoch == lease.epoch


@pytest.mark.zookeeper
async def test_a_client_that_gave_up_is_replaced(open_one: OpenOne) -> None:
    here, key = await open_one(), fresh_key()
    await asyncio.to_thread(raw(here).stop)
    await until_true(lambda: not here.condition.ready)
    await until_true(lambda: here.condition.ready)
    assert await here.announce(key, Position(epoch=1, revision=1))


@pytest.mark.zookeeper
async def test_guarded_nodes_are_read_by_all_and_written_by_the_platform(zookeeper_server, opened: Opened) -> None:
    root, key = f"/guarded-{fresh_name()[-8:]}", fresh_key()
    ours = settings_for(zookeeper_server.hosts, root=root, auth=Secret("digest:qiantang:s3cret"), acl="guarded")
    here = await opened(ZooKeeperCoordination(ours))
    stranger = await opened(ZooKeeperCoordination(settings_for(zookeeper_server.hosts, root=root)))
    assert await here.announce(key, Position(epoch=1, revision=1))
    assert await stranger.read(key) == Position(epoch=1, revision=1)
    with pytest.raises(errors.UnavailableError, match="refused"):
        await stranger.announce(key, Position(epoch=1, revision=2))
    assert "s3cret" not in repr(ours)


@pytest.mark.zookeeper
async def test_private_nodes_are_the_platforms_alone(zookeeper_server, opened: Opened) -> None:
    root, key = f"/private-{fresh_name()[-8:]}", fresh_key()
    ours = settings_for(zookeeper_server.hosts, root=root, auth=Secret("digest:qiantang:s3cret"), acl="private")
    here = await opened(ZooKeeperCoordination(ours))
    stranger = await opened(ZooKeeperCoordination(settings_for(zookeeper_server.hosts, root=root)))
    assert await here.announce(key, Position(epoch=1, revision=1))
    with pytest.raises(errors.UnavailableError, match="refused"):
        await stranger.read(key)


@pytest.mark.zookeeper
async def test_a_forked_child_is_refused(open_one: OpenOne, monkeypatch: pytest.MonkeyPatch) -> None:
    here = await open_one()
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    with pytest.raises(errors.InternalError, match="fork"):
        await here.read(fresh_key())


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kazoo"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kazoo", None)
    with pytest.raises(errors.MissingExtraError, match=r"pip install 'qiantang-server\[zookeeper\]'"):
        choose(context(coordination=CoordinationSettings(zookeeper="127.0.0.1:1")))


def test_an_acl_without_credentials_is_refused() -> None:
    with pytest.raises(errors.MisconfiguredError, match="needs zookeeper_auth"):
        ZooKeeperCoordination(CoordinationSettings(zookeeper="127.0.0.1:1", zookeeper_acl="guarded"))


def test_what_is_unread_of_the_journal() -> None:
    names = ["n-1", "n-2", "n-3"]
    assert unread(names, "n-2") == (["n-3"], True)
    assert unread(names, "n-3") == ([], True)
    assert unread(names, "n-0") == (names, False)
    assert unread([], "") == ([], True)
    assert unread(names, "")[1] is False
    assert unread(["n-0"], "n-3") == ([], False)
    assert unread([], "n-3") == ([], False)
