"""ZooKeeper's adapter: the conformance suite over a real server, what stands in its tree, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.kernel.settings import Secret
from qiantang.registry.adapters.zookeeper import ZooKeeperRegistry, listing
from qiantang.registry.adapters.zookeeper import registry as registry_module
from qiantang.registry.errors import RegistryFullError, RegistryReadOnlyError
from qiantang.registry.model import Change, Definition, Node, Vote
from qiantang.registry.port import Registry
from qiantang.registry.testing import OpenOne, Outage, RegistryConformance, Seen, fresh_name, node, until

from .conftest import Opened, counting, settings_for
from .relay import Relay

pytestmark = pytest.mark.zookeeper


class Cut:
    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def begin(self) -> None:
        await self._relay.cut()

    async def end(self) -> None:
        await self._relay.mend()


@pytest.fixture
def open_one(relay: Relay, opened: Opened) -> OpenOne:
    async def open_(tenant: str = "acme") -> Registry:
        return await opened(relay.address, tenant=tenant)

    return open_


@pytest.fixture
def outage(relay: Relay) -> Outage:
    return Cut(relay)


class TestConformance(RegistryConformance):
    pass


async def test_the_tree_is_as_documented(zookeeper_server: Any, opened: Opened) -> None:
    here, name = await opened(zookeeper_server.hosts), fresh_name()
    await here.register(name, node("a:1", cluster="east"))
    await here.publish(name, Definition.of("order.Orders", {"methods": {}}))
    await here.vote(name, Vote(service="order.Orders", node="a:1", voter="me", value="open"))
    top = f"/busidomain/csf/acme/{name}"
    entry = await here.line.get(f"{top}/clusters/east/normal/a:1")
    assert msgspec.json.decode(entry.data, type=Node) == node("a:1", cluster="east")
    assert entry.owner == here.line.session != 0
    assert (await here.line.get(f"{top}/services/order.Orders")).owner == 0
    vote = await here.line.get(f"{top}/governance/breakers/order.Orders~a:1~me")
    assert vote.owner == here.line.session


async def test_what_is_no_node_is_passed_over(
    zookeeper_server: Any, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    here, name = await opened(zookeeper_server.hosts), fresh_name()
    await here.register(name, node("good"))
    folder = f"/busidomain/csf/acme/{name}/clusters"
    strange = {
        "default/normal/no-json": b"\xff\xfe",
        "default/normal/empty": b"",
        "default/normal/another": msgspec.json.encode(node("someone")),
        "default/normal/elsewhere": msgspec.json.encode(node("elsewhere", cluster="west")),
        "default/normal/big": msgspec.json.encode(node("big")) + b" " * 70_000,
        "default/normal/a weight": msgspec.json.encode({"name": "a weight", "addresses": {}, "weight": 1}),
        "NO CLUSTER/normal/x": msgspec.json.encode(node("x", cluster="NO CLUSTER")),
    }
    for path, data in strange.items():
        await here.line.create(f"{folder}/{path}", data)
    await here.line.create(f"/busidomain/csf/acme/{name}/services/s", b'{"service":"s","digest":"0"}')
    seen = Seen(here, name)
    assert (await seen.until_names("good")).nodes == (node("good"),)
    assert await here.definitions(name) == ()
    assert any("passed over" in record.message for record in caplog.records)
    await here.line.set(f"{folder}/default/normal/empty", msgspec.json.encode(node("empty")))
    await seen.until_names("empty", "good")
    await seen.close()


async def test_a_node_of_an_earlier_session_is_replaced_and_never_seen_missing(
    zookeeper_server: Any, opened: Opened
) -> None:
    old, there, name = await opened(zookeeper_server.hosts), await opened(zookeeper_server.hosts), fresh_name()
    await old.register(name, node("a", started_at=1.0))
    seen = Seen(there, name)
    await seen.until_names("a")
    new = await opened(zookeeper_server.hosts)
    await new.register(name, node("a", started_at=1.0))
    path = f"/busidomain/csf/acme/{name}/clusters/default/normal/a"
    assert (await new.line.get(path)).owner == new.line.session
    await old.line.__aexit__()
    await new.register(name, node("b"))
    await seen.until_names("a", "b")
    assert all(one.nodes and one.nodes[0].name == "a" for one in seen.snapshots[seen.snapshots.index(seen.last) - 1 :])
    await seen.close()


async def test_an_own_node_that_an_operator_removed_is_made_again(zookeeper_server: Any, opened: Opened) -> None:
    here = await opened(zookeeper_server.hosts, check=timedelta(milliseconds=200))
    there, name = await opened(zookeeper_server.hosts), fresh_name()
    await here.register(name, node("a"))
    seen = Seen(there, name)
    await seen.until_names("a")
    await there.line.delete(f"/busidomain/csf/acme/{name}/clusters/default/normal/a")
    await until(lambda: any(not one.nodes for one in seen.snapshots))  # it may be back before anybody looks at the last
    await seen.until_names("a")
    await seen.close()


async def test_a_name_that_another_process_took_later_is_left_to_it(
    zookeeper_server: Any, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    quick = {"check": timedelta(milliseconds=50)}
    first, second = await opened(zookeeper_server.hosts, **quick), await opened(zookeeper_server.hosts, **quick)
    name = fresh_name()
    await first.register(name, node("a", started_at=1.0))
    await second.register(name, node("a", started_at=2.0))
    path = f"/busidomain/csf/acme/{name}/clusters/default/normal/a"
    await until(lambda: any("another process" in record.message for record in caplog.records))
    assert (await first.line.get(path)).owner == second.line.session
    await second.__aexit__(None, None, None)
    seen = Seen(first, name)
    await seen.until(lambda last: [one.started_at for one in last.nodes] == [1.0])
    assert sum("another process" in record.message for record in caplog.records) == 1
    await seen.close()


async def test_a_change_that_no_watch_told_is_found_by_comparing(
    zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await opened(zookeeper_server.hosts)
    there, name = await opened(zookeeper_server.hosts, resync=timedelta(milliseconds=200)), fresh_name()
    monkeypatch.setattr(there.line, "_watcher", lambda _wake: None)
    await here.register(name, node("a"))
    seen = Seen(there, name)
    await seen.until_names("a")
    await here.register(name, node("b"))
    await seen.until_names("a", "b")
    await here.register(name, node("b", weight=1))
    await seen.until(lambda last: last.nodes[-1].weight == 1)
    await here.register(name, node("c", cluster="west"))
    await seen.until_names("a", "b", "c")
    await here.deregister(name, "a")
    await seen.until_names("b", "c")
    await seen.close()


async def test_comparing_finds_nothing_where_all_was_told(
    zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, name = await opened(zookeeper_server.hosts, resync=timedelta(milliseconds=50)), fresh_name()
    seen, found = Seen(here, name), list[bool]()
    for number in range(5):
        await here.register(name, node(f"n{number}"))
    await seen.until(lambda last: len(last.nodes) == 5)
    real = listing.Listing._differs

    async def noted(self: listing.Listing, tree: Any) -> bool:
        found.append(await real(self, tree))
        return found[-1]

    monkeypatch.setattr(listing.Listing, "_differs", noted)
    await until(lambda: len(found) >= 3)
    assert not any(found)
    assert len(seen.snapshots) <= 6
    await seen.close()


async def test_a_list_is_read_as_long_as_somebody_watches(zookeeper_server: Any, opened: Opened) -> None:
    here, name = await opened(zookeeper_server.hosts), fresh_name()
    seen, too = Seen(here, name), Seen(here, name)
    await seen.until_names()
    await too.until_names()
    assert list(here._listings) == [name]
    await seen.close()
    await here.register(name, node("a"))
    await too.until_names("a")
    await too.close()
    assert here._listings == {}
    again = Seen(here, name)
    await again.until_names("a")
    await again.close()


async def test_it_takes_and_gives_so_many_nodes_and_no_more(
    zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "MAX_NODES", 3)
    monkeypatch.setattr(listing, "MAX_NODES", 3)
    here, name = await opened(zookeeper_server.hosts), fresh_name()
    for number in range(3):
        await here.register(name, node(f"n{number}"))
    with pytest.raises(RegistryFullError):
        await here.register(name, node("n3"))
    await here.line.create(f"/busidomain/csf/acme/{name}/clusters/default/normal/n3", msgspec.json.encode(node("n3")))
    seen = Seen(here, name)
    await seen.until_names("n0", "n1", "n2")
    await seen.close()


async def test_nothing_is_written_without_credentials(zookeeper_server: Any, opened: Opened, root: str) -> None:
    here = await opened(zookeeper_server.hosts, zookeeper_acl="guarded", zookeeper_root=root)
    name = fresh_name()
    with pytest.raises(RegistryReadOnlyError, match="zookeeper_auth"):
        await here.register(name, node("a"))
    with pytest.raises(RegistryReadOnlyError, match="zookeeper_auth"):
        await here.publish(name, Definition.of("s", {}))
    assert (await anext(here.watch(name))).nodes == ()


async def test_guarded_nodes_are_read_by_all_and_written_by_their_owners(
    zookeeper_server: Any, opened: Opened, root: str
) -> None:
    ours = {"zookeeper_acl": "guarded", "zookeeper_auth": Secret("digest:order:s3cret"), "zookeeper_root": root}
    here, name = await opened(zookeeper_server.hosts, **ours), fresh_name()
    stranger = await opened(zookeeper_server.hosts, zookeeper_root=root)
    await here.register(name, node("a"))
    seen = Seen(stranger, name)
    await seen.until_names("a")
    with pytest.raises(errors.ForbiddenError, match="refused"):
        await stranger.register(name, node("z"))
    with pytest.raises(errors.ForbiddenError, match="refused"):
        await stranger.register(name, node("a"))
    await here.register(name, node("b"))
    await seen.until_names("a", "b")
    assert "s3cret" not in repr(settings_for("h:1", **ours))
    await seen.close()


async def test_it_does_not_outlive_a_fork(zookeeper_server: Any, opened: Opened) -> None:
    here, name = await opened(zookeeper_server.hosts), fresh_name()
    await here.register(name, node("a"))
    child = os.fork()
    if not child:
        try:
            here.line._require()
        except errors.InternalError:
            os._exit(7)
        finally:
            os._exit(1)
    _pid, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    seen = Seen(here, name)
    await seen.until_names("a")
    await seen.close()


async def test_a_missing_driver_is_said_with_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kazoo.client", None)
    with pytest.raises(errors.MissingExtraError, match=r"qiantang\[zookeeper\]"):
        ZooKeeperRegistry(settings_for("127.0.0.1:1"))


async def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(errors.MisconfiguredError, match=r"registry\.address"):
        ZooKeeperRegistry(settings_for(""))
    with pytest.raises(errors.MisconfiguredError, match="zookeeper_auth"):
        await ZooKeeperRegistry(settings_for("127.0.0.1:1", zookeeper_auth=Secret("nonsense"))).__aenter__()


async def test_what_is_wanted_and_not_wanted_in_turn_ends_as_it_was_asked_last(
    zookeeper_server: Any, opened: Opened
) -> None:
    here, there, name = await opened(zookeeper_server.hosts), await opened(zookeeper_server.hosts), fresh_name()
    seen = Seen(there, name)
    for turn in range(20):
        await asyncio.gather(
            here.register(name, node("a", weight=turn)),
            here.deregister(name, "a"),
            here.register(name, node("a", weight=100 + turn)),
        )
        await seen.until(lambda last, turn=turn: [one.weight for one in last.nodes] == [100 + turn])
        await asyncio.gather(here.register(name, node("a", weight=turn)), here.deregister(name, "a"))
        await seen.until_names()
        assert here._holdings._held == {}
    await seen.close()


async def test_opening_that_is_given_up_leaves_nothing_running() -> None:
    threads = threading.active_count()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await ZooKeeperRegistry(settings_for("127.0.0.1:1", operation_timeout=timedelta(seconds=2))).__aenter__()
    assert not [task for task in asyncio.all_tasks() if "registry" in task.get_name()]
    await until(lambda: threading.active_count() <= threads)


async def test_of_two_live_processes_with_one_name_the_one_that_came_last_has_it_for_good(
    zookeeper_server: Any, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither says when it started: they must not take the name from each other for ever."""
    quick = {"check": timedelta(milliseconds=50)}
    first, second = await opened(zookeeper_server.hosts, **quick), await opened(zookeeper_server.hosts, **quick)
    name = fresh_name()
    await first.register(name, node("a", weight=1))
    await second.register(name, node("a", weight=2))
    seen = Seen(first, name)
    await until(lambda: any("another process" in record.message for record in caplog.records))
    await asyncio.sleep(0.5)
    assert [one.weight for one in seen.last.nodes] == [2]
    assert len(seen.snapshots) == 1
    await seen.close()


async def test_a_fault_of_the_keeper_itself_is_said_and_does_not_end_it(
    zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    here = await opened(zookeeper_server.hosts, check=timedelta(milliseconds=50))
    there, name = await opened(zookeeper_server.hosts), fresh_name()
    await here.register(name, node("a"))
    seen, real, faults = Seen(here, name), here.line.get, list[str]()
    await seen.until_names("a")

    async def fail(path: str, wake: Any = None) -> Any:
        if len(faults) < 4:
            faults.append(path)
            raise ZeroDivisionError
        return await real(path, wake)

    monkeypatch.setattr(here.line, "get", fail)
    await there.line.set(f"/busidomain/csf/acme/{name}/clusters/default/normal/a", b"{}")
    await until(lambda: len(faults) == 4)
    await there.line.delete(f"/busidomain/csf/acme/{name}/clusters/default/normal/a")
    await there.register(name, node("b"))
    await seen.until_names("a", "b")
    assert "ZeroDivisionError" in "".join(str(record.__dict__) for record in caplog.records)
    await seen.close()


async def test_it_takes_so_many_votes_and_no_more(
    zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "MAX_VOTES", 1)
    here, name = await opened(zookeeper_server.hosts), fresh_name()
    await here.vote(name, Vote(service="s", node="n", voter="a", value="open"))
    await here.vote(name, Vote(service="s", node="n", voter="a", value="closed"))
    with pytest.raises(RegistryFullError):
        await here.vote(name, Vote(service="s", node="n", voter="b", value="open"))


async def test_what_is_wanted_again_while_it_goes_is_kept(
    zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, name = await opened(zookeeper_server.hosts), fresh_name()
    path = f"/busidomain/csf/acme/{name}/clusters/default/normal/a"
    await here.register(name, node("a"))
    going, real = asyncio.Event(), here.line.delete

    async def slow(path: str, version: int = -1) -> None:
        await real(path, version)
        going.set()
        await asyncio.sleep(0.1)

    monkeypatch.setattr(here.line, "delete", slow)
    leaving = asyncio.create_task(here.deregister(name, "a"))
    await going.wait()
    await here.register(name, node("a", weight=1))
    await leaving
    assert here._holdings.holds(path)
    assert msgspec.json.decode((await here.line.get(path)).data, type=Node) == node("a", weight=1)


async def test_a_check_beside_a_registration_makes_no_second_node(
    zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, name = await opened(zookeeper_server.hosts), await opened(zookeeper_server.hosts), fresh_name()
    await old.register(name, node("a"))
    made, real = counting(new), new.line.get

    async def slow(path: str, wake: Any = None) -> Any:
        entry = await real(path, wake)
        await asyncio.sleep(0.1)
        return entry

    monkeypatch.setattr(new.line, "get", slow)
    registering = asyncio.create_task(new.register(name, node("a")))
    await until(lambda: new._holdings._held)
    assert await new._holdings._see_to_all()
    await registering
    assert len(made) == 1


async def test_after_a_connection_all_is_read_anew_though_no_watch_tells_of_anything(
    relay: Relay, zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = await opened(relay.address, resync=timedelta(hours=1)), await opened(zookeeper_server.hosts)
    monkeypatch.setattr(here.line, "_watcher", lambda _wake: None)
    name = fresh_name()
    await there.register(name, node("a"))
    seen = Seen(here, name)
    await seen.until_names("a")
    await relay.cut()
    await seen.until(lambda last: last.is_stale)
    await there.register(name, node("a", weight=1))
    await there.register(name, node("b"))
    await there.register(name, node("c", cluster="west"))
    await relay.mend()
    last = await seen.until_names("a", "b", "c")
    assert last.nodes[0].weight == 1
    await seen.close()


async def test_after_a_change_what_changed_is_read_and_no_more(
    zookeeper_server: Any, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, name = await opened(zookeeper_server.hosts), await opened(zookeeper_server.hosts), fresh_name()
    for number in range(10):
        await here.register(name, node(f"n{number}"))
    seen = Seen(there, name)
    await seen.until(lambda last: len(last.nodes) == 10)
    read: list[str] = []

    def noting(method: str) -> None:
        real = getattr(there.line, method)

        async def noted(path: str, wake: Any = None) -> Any:
            read.append(f"{method} {path.rpartition('/')[2]}")
            return await real(path, wake)

        monkeypatch.setattr(there.line, method, noted)

    noting("get")
    noting("children")
    await here.update(name, "n3", Change(weight=1))
    await seen.until(lambda last: last.nodes[3].weight == 1)
    assert read == ["get n3"]
    await here.register(name, node("n99"))
    await seen.until(lambda last: len(last.nodes) == 11)
    assert read == ["get n3", "children normal", "get n99"]
    await seen.close()
