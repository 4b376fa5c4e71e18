"""Conformance suite of the port: what every registry in which nodes register must keep.

Subclass `RegistryConformance` in a test module (pytest with pytest-asyncio in auto mode) and give it the fixtures `open_one`,
which opens a registry of a tenant (each call another one, as another process would), and `outage`, which takes the registry
away from all of them and brings it back. Each test uses names that were not used before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

import pytest

from qiantang.kernel import errors, ids
from qiantang.registry.client import Directory, Registration
from qiantang.registry.errors import RegistryAwayError, UnknownDefinitionError, UnknownNodeError
from qiantang.registry.model import Change, Definition, Node, Provided, Snapshot, Vote
from qiantang.registry.port import MAX_NODE_BYTES, Registry

DEADLINE: Final = 60.0  # the machine may be busy; what passes does not wait for it
BAD_NAMES: Final = ("", "..", "a/b", "../a", "a~b", "/a", "a\n", "x" * 200, "ä")


class OpenOne(Protocol):
    """Opens another registry of a tenant; it is closed with the test, or before."""

    async def __call__(self, tenant: str = "acme") -> Registry: ...


class Outage(Protocol):
    """Takes the registry away, and brings it back."""

    async def begin(self) -> None: ...

    async def end(self) -> None: ...


def fresh_name(what: str = "order") -> str:
    """Give a name that was not used before."""
    return f"{what}-{ids.ordered_id()[-10:].lower()}"


def node(name: str, **more: Any) -> Node:
    """Make a node that can be reached nowhere."""
    return Node(name=name, addresses={"csf1": "127.0.0.1:9000"}, **more)


async def until(true: Callable[[], object], what: Callable[[], object] = lambda: "") -> None:
    """Wait until something is so."""
    ends = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < ends, f"not so in {DEADLINE:g} s: {what()}"
        await asyncio.sleep(0.01)


class Seen:
    """A watch that notes what it is told."""

    def __init__(self, registry: Registry, microservice: str) -> None:
        self.snapshots: list[Snapshot] = []
        self._task = asyncio.create_task(self._watch(registry.watch(microservice)))

    async def _watch(self, snapshots: AsyncIterator[Snapshot]) -> None:
        async for snapshot in snapshots:
            self.snapshots.append(snapshot)

    @property
    def last(self) -> Snapshot:
        """What it was told last."""
        return self.snapshots[-1]

    @property
    def names(self) -> list[str]:
        """The names of the nodes it was told last."""
        return [one.name for one in self.last.nodes]

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to be told."""
        return self._task.done()

    async def until(self, true: Callable[[Snapshot], object]) -> Snapshot:
        """Wait until the last snapshot is as asked."""
        await until(lambda: self.snapshots and true(self.last), lambda: self.snapshots[-3:])
        return self.last

    async def until_names(self, *names: str) -> Snapshot:
        """Wait until these nodes are listed, and told by a registry that is there."""
        return await self.until(lambda last: not last.is_stale and [one.name for one in last.nodes] == sorted(names))

    async def close(self) -> None:
        """Stop watching."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


Watching = Callable[[Registry, str], Seen]
Names = Callable[[], str]


class RegistryConformance:
    """The suite. Where nodes are registered under certain names only, override `names`."""

    @pytest.fixture
    def names(self) -> Names:
        """Give names that were not used before; a test registers under the first that it asks for."""
        return fresh_name

    @pytest.fixture
    async def watching(self) -> AsyncIterator[Watching]:
        seen: list[Seen] = []

        def watch(registry: Registry, microservice: str) -> Seen:
            seen.append(Seen(registry, microservice))
            return seen[-1]

        yield watch
        for one in seen:
            await one.close()

    # -- nodes -------------------------------------------------------------------------------------------

    async def test_a_list_that_nobody_is_in_comes_at_once(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here = await open_one()
        seen = watching(here, names())
        first = await seen.until(lambda _last: True)
        assert (first.nodes, first.is_stale) == ((), False)
        assert here.health.ready

    async def test_a_node_is_seen_as_it_was_registered(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, there, name = await open_one(), await open_one(), names()
        full = Node(
            name="host-1:9000@a",
            addresses={"csf1": "unix:/run/a.sock", "http": "http://10.0.0.1:80/base"},
            services={"order.Orders": Provided(version="1.4.0", group="g", digest="d")},
            state="starting",
            weight=7,
            zone="z-1",
            cluster="east",
            tags={"lane": "blue · 1"},
            started_at=12.5,
        )
        seen = watching(there, name)
        await here.register(name, full)
        assert (await seen.until_names(full.name)).nodes == (full,)

    async def test_registering_twice_is_registering_once(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen = watching(there, name)
        await here.register(name, node("a"))
        await here.register(name, node("a"))
        await here.register(name, node("a", weight=3))
        last = await seen.until(lambda last: any(one.weight == 3 for one in last.nodes))
        assert len(last.nodes) == 1

    async def test_a_node_replaces_the_one_of_its_name(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen = watching(here, name)
        await here.register(name, node("a", started_at=1.0))
        await there.register(name, node("a", started_at=2.0))
        await seen.until(lambda last: [one.started_at for one in last.nodes] == [2.0])
        with_other_weight = Change(weight=9)
        await there.update(name, "a", with_other_weight)
        last = await seen.until(lambda last: last.nodes and last.nodes[0].weight == 9)
        assert len(last.nodes) == 1

    async def test_a_name_that_another_took_over_is_its_own(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen = watching(here, name)
        await here.register(name, node("a", weight=1))
        await there.register(name, node("a", weight=2))
        with pytest.raises(UnknownNodeError):
            await here.update(name, "a", Change(state="draining"))
        await here.deregister(name, "a")
        await here.register(name, node("b"))
        await seen.until(lambda last: [(one.name, one.weight) for one in last.nodes] == [("a", 2), ("b", 100)])
        assert not [one for one in seen.snapshots if [each.name for each in one.nodes] == ["b"]]

    async def test_state_weight_and_tags_change(self, open_one: OpenOne, names: Names, watching: Watching) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen = watching(there, name)
        await here.register(name, node("a", state="starting", zone="z", tags={"lane": "blue"}))
        await here.update(name, "a", Change(state="ready"))
        await here.update(name, "a", Change(weight=0, tags={}))
        last = await seen.until(lambda last: last.nodes and last.nodes[0].weight == 0)
        assert last.nodes == (node("a", state="ready", zone="z", weight=0),)

    async def test_a_node_of_nobody_or_of_another_is_not_changed(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, there, name = await open_one(), await open_one(), names()
        await here.register(name, node("a"))
        for changing, of in ((there, "a"), (here, "b")):
            with pytest.raises(UnknownNodeError):
                await changing.update(name, of, Change(weight=1))
        await there.deregister(name, "a")
        await here.register(name, node("c"))
        assert (await watching(there, name).until_names("a", "c")).nodes[0].weight == 100

    async def test_a_node_that_is_taken_out_is_gone(self, open_one: OpenOne, names: Names, watching: Watching) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen = watching(there, name)
        await here.register(name, node("a"))
        await here.register(name, node("b"))
        await seen.until_names("a", "b")
        await here.deregister(name, "a")
        await here.deregister(name, "a")
        await seen.until_names("b")
        with pytest.raises(UnknownNodeError):
            await here.update(name, "a", Change(weight=1))

    async def test_what_is_closed_takes_its_nodes_along(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, there, name = await open_one(), await open_one(), names()
        await here.register(name, node("a"))
        await there.register(name, node("b"))
        await here.vote(name, Vote(service="s", node="b", voter="a", value="open"))
        seen = watching(there, name)
        await seen.until_names("a", "b")
        await here.__aexit__(None, None, None)
        await seen.until_names("b")
        assert await there.votes(name) == ()

    async def test_a_list_has_the_nodes_of_all_clusters(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen = watching(there, name)
        for number, cluster in enumerate(("east", "west", "east")):
            await here.register(name, node(f"n{number}", cluster=cluster))
        last = await seen.until_names("n0", "n1", "n2")
        assert [one.cluster for one in last.nodes] == ["east", "west", "east"]

    async def test_a_node_moves_to_another_cluster(self, open_one: OpenOne, names: Names, watching: Watching) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen = watching(there, name)
        await here.register(name, node("a", cluster="east"))
        await here.register(name, node("a", cluster="west"))
        await seen.until(lambda last: [one.cluster for one in last.nodes] == ["west"])

    async def test_every_list_is_complete_and_newer(self, open_one: OpenOne, names: Names, watching: Watching) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen = watching(there, name)
        await seen.until(lambda _last: True)
        for number in range(20):
            await here.register(name, node(f"n{number:02}"))
        await seen.until(lambda last: len(last.nodes) == 20)
        revisions = [one.revision for one in seen.snapshots]
        assert revisions == sorted(set(revisions))
        for one in seen.snapshots:
            assert [each.name for each in one.nodes] == [f"n{number:02}" for number in range(len(one.nodes))]

    async def test_a_crowd_of_changes_ends_in_the_right_list(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, there, name = await open_one(), await open_one(), names()
        seen, too = watching(there, name), watching(there, name)

        async def live(number: int) -> None:
            registry = here if number % 2 else there
            await registry.register(name, node(f"n{number:02}", state="starting"))
            await registry.update(name, f"n{number:02}", Change(state="ready", weight=number))
            if number % 3 == 0:
                await registry.deregister(name, f"n{number:02}")

        await asyncio.gather(*(live(number) for number in range(40)))
        left = [node(f"n{number:02}", weight=number) for number in range(40) if number % 3]
        for one in (seen, too):
            await one.until(lambda last: last.nodes == tuple(left))

    async def test_who_reads_slowly_gets_the_newest(self, open_one: OpenOne, names: Names) -> None:
        here, name = await open_one(), names()
        slow = here.watch(name)
        first = await anext(slow)
        seen = Seen(here, name)
        for number in range(10):
            await here.register(name, node(f"n{number}"))
        await seen.until(lambda last: len(last.nodes) == 10)
        second = await anext(slow)
        assert len(second.nodes) == 10
        assert second.revision > first.revision
        await seen.close()

    async def test_a_watch_ends_with_its_registry(self, open_one: OpenOne, names: Names, watching: Watching) -> None:
        here = await open_one()
        seen = watching(here, names())
        await seen.until(lambda _last: True)
        await here.__aexit__(None, None, None)
        await until(lambda: seen.ended)

    # -- walls and bounds --------------------------------------------------------------------------------

    async def test_microservices_and_tenants_do_not_see_each_other(
        self, open_one: OpenOne, names: Names, watching: Watching
    ) -> None:
        here, strange, name, other = await open_one(), await open_one("evil"), names(), names()
        await here.register(name, node("a"))
        await here.publish(name, Definition.of("order.Orders", {}))
        await here.vote(name, Vote(service="s", node="a", voter="v", value="open"))
        await watching(here, name).until_names("a")
        await strange.register(name, node("z"))
        await watching(strange, name).until_names("z")
        await watching(here, other).until_names()
        assert await strange.definitions(name) == await here.definitions(other) == ()
        assert await strange.votes(name) == await here.votes(other) == ()
        await strange.deregister(name, "a")
        await watching(here, name).until_names("a")

    async def test_what_is_no_name_is_refused(self, open_one: OpenOne, names: Names) -> None:
        here, name = await open_one(), names()
        for bad in BAD_NAMES:
            calls: tuple[Callable[[str], Any], ...] = (
                lambda bad: here.register(bad, node("a")),
                lambda bad: here.register(name, node(bad)),
                lambda bad: here.register(name, node("a", cluster=bad)),
                lambda bad: here.update(name, bad, Change()),
                lambda bad: here.deregister(name, bad),
                lambda bad: here.publish(bad, Definition.of("s", {})),
                lambda bad: here.publish(name, Definition.of(bad, {})),
                here.definitions,
                lambda bad: here.vote(bad, Vote(service="s", node="n", voter="v", value="open")),
                lambda bad: here.vote(name, Vote(service=bad, node="n", voter="v", value="x")),
                lambda bad: here.vote(name, Vote(service="s", node=bad, voter="v", value="x")),
                lambda bad: here.vote(name, Vote(service="s", node="n", voter=bad, value="x")),
                here.votes,
                lambda bad: anext(here.watch(bad)),
            )
            for number, call in enumerate(calls):
                with pytest.raises(errors.InvalidRequestError):
                    await call(bad)
                    pytest.fail(f"call {number} took {bad!r}")

    async def test_what_is_too_large_is_refused(self, open_one: OpenOne, names: Names, watching: Watching) -> None:
        here, name = await open_one(), names()
        tags = {f"{number:0100}": "x" * 100 for number in range(MAX_NODE_BYTES // 200)}
        with pytest.raises(errors.TooLargeError):
            await here.register(name, node("a", tags=tags))
        with pytest.raises(errors.TooLargeError):
            await here.publish(name, Definition.of("s", {"text": "x" * 300_000}))
        with pytest.raises(errors.InvalidRequestError):
            await here.vote(name, Vote(service="s", node="n", voter="v", value="x" * 1025))
        with pytest.raises(errors.InvalidRequestError):
            await here.register(name, node("a", weight=-1))
        await here.register(name, node("b"))
        with pytest.raises(errors.TooLargeError):
            await here.update(name, "b", Change(tags=tags))
        assert (await watching(here, name).until_names("b")).nodes == (node("b"),)

    # -- definitions and votes ---------------------------------------------------------------------------

    async def test_a_definition_outlives_who_published_it(self, open_one: OpenOne, names: Names) -> None:
        here, there, name = await open_one(), await open_one(), names()
        first = Definition.of("order.Orders", {"methods": {"get": {"timeout": 0.8}}})
        await here.publish(name, first)
        await here.publish(name, Definition.of("order.Audit", {}))
        assert await there.definitions(name, "order.Orders") == (first,)
        second = Definition.of("order.Orders", {"methods": {}})
        assert second.digest != first.digest
        await there.publish(name, second)
        await here.__aexit__(None, None, None)
        await there.__aexit__(None, None, None)
        later = await open_one()
        assert await later.definitions(name) == (Definition.of("order.Audit", {}), second)
        with pytest.raises(UnknownDefinitionError):
            await later.definitions(name, "order.Nothing")

    async def test_a_digest_that_is_not_that_of_its_document_is_refused(self, open_one: OpenOne, names: Names) -> None:
        here, name = await open_one(), names()
        false = Definition(service="s", digest="0" * 64, document={"a": 1})
        with pytest.raises(errors.InvalidRequestError):
            await here.publish(name, false)
        assert await here.definitions(name) == ()

    async def test_votes_are_told_replaced_and_taken_back(self, open_one: OpenOne, names: Names) -> None:
        here, there, name = await open_one(), await open_one(), names()
        mine = Vote(service="order.Orders", node="n-1", voter="a", value="open 0.7")
        theirs = Vote(service="order.Orders", node="n-1", voter="b", value="open 0.9")
        await here.vote(name, mine)
        await there.vote(name, theirs)
        assert await here.votes(name) == await there.votes(name) == (mine, theirs)
        weaker = Vote(service="order.Orders", node="n-1", voter="a", value="closed")
        await here.vote(name, weaker)
        await there.vote(name, Vote(service="order.Orders", node="n-1", voter="b"))
        assert await there.votes(name) == (weaker,)

    # -- outages -----------------------------------------------------------------------------------------

    async def test_an_outage_leaves_the_last_list_and_says_so(
        self, open_one: OpenOne, names: Names, outage: Outage, watching: Watching
    ) -> None:
        here, name = await open_one(), names()
        await here.register(name, node("a"))
        seen = watching(here, name)
        before = await seen.until_names("a")
        await outage.begin()
        away = await seen.until(lambda last: last.is_stale)
        assert (away.nodes, away.revision > before.revision) == (before.nodes, True)
        assert not here.health.ready
        assert here.health.reason
        first = await anext(here.watch(names()))
        assert (first.nodes, first.is_stale) == ((), True)
        for call in (here.votes(name), here.definitions(name), here.publish(name, Definition.of("s", {}))):
            with pytest.raises(RegistryAwayError):
                await call
        await outage.end()
        after = await seen.until_names("a")
        assert after.revision > away.revision
        await until(lambda: here.health.ready)

    async def test_what_was_asked_in_an_outage_is_so_after_it(
        self, open_one: OpenOne, names: Names, outage: Outage, watching: Watching
    ) -> None:
        here, name = await open_one(), names()
        await here.register(name, node("a"))
        seen = watching(here, name)
        await seen.until_names("a")
        await outage.begin()
        await seen.until(lambda last: last.is_stale)
        async with Registration(here, name, node("b", state="starting"), tell_within=1) as registration:
            await registration.ready()
            assert not registration.is_told
            await outage.end()
            last = await seen.until_names("a", "b")
            await until(lambda: registration.is_told)
            await seen.until(lambda last: last.nodes[-1].state == "ready")
            assert last.nodes[0] == node("a")
        await seen.until_names("a")

    # -- what is built on it -----------------------------------------------------------------------------

    async def test_a_directory_follows_a_registration(self, open_one: OpenOne, names: Names) -> None:
        here, there, name = await open_one(), await open_one(), names()
        async with Directory(there, name) as directory:
            assert (directory.snapshot.nodes, directory.snapshot.is_stale) == ((), False)
            states: list[list[str]] = []
            end = directory.on_change(lambda one: states.append([each.state for each in one.nodes]))
            async with Registration(here, name, node("a", state="starting"), notice=0.0) as registration:
                await until(lambda: states == [["starting"]], lambda: states)
                await registration.ready()
                await until(lambda: states[-1] == ["ready"], lambda: states)
                await registration.drain()
                await until(lambda: states[-1] == ["draining"], lambda: states)
            await until(lambda: states[-1] == [], lambda: states)
            assert directory.suspects == frozenset()
            end()
