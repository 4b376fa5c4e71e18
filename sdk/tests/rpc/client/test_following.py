"""Following: callers use what directories say, of several microservices, wherever those live, over real sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors, runtime
from qiantang.registry.adapters import memory
from qiantang.registry.client import Directory
from qiantang.registry.model import Change, Node, Provided, Snapshot
from qiantang.registry.port import Registry
from qiantang.registry.settings import RegistrySettings
from qiantang.registry.testing import fresh_name, until
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.balance import picking
from qiantang.rpc.balance.endpoint import Endpoint
from qiantang.rpc.balance.explaining import explain
from qiantang.rpc.balance.matching import Call, Consumer
from qiantang.rpc.balance.routing import Router
from qiantang.rpc.client.blocking import BlockingCaller
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.following import Following, at_once
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider.serving import Provider
from sdk.tests.rpc.balance.fleet import chance

WHO = by_name("acme/prod/bank/till")


@service("test.Tea")
class Tea(Protocol):
    """What one microservice provides."""

    @method(idempotent=True, timeout=30.0)
    async def brew(self) -> str: ...


@service("test.Cups")
class Cups(Protocol):
    """What another one does."""

    @method(idempotent=True, timeout=30.0)
    async def fetch(self) -> str: ...


class Kitchen:
    """Answers for both, with where it is."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.ill = False

    async def brew(self) -> str:
        if self.ill:
            raise RuntimeError("ill")
        return self.place

    async def fetch(self) -> str:
        return self.place


class Town:
    """A registry in memory, and providers that are registered in it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.address = fresh_name("town")
        self.stack = stack
        self.space = memory.space_of(self.address)
        self.kitchens: dict[str, Kitchen] = {}
        self.providers: dict[str, Provider] = {}

    async def open(self) -> Registry:
        return await self.stack.enter_async_context(memory.make(RegistrySettings(address=self.address)))

    async def node(self, offers: type, microservice: str, name: str) -> Node:
        place = f"{microservice}/{name}"
        kitchen = self.kitchens[place] = Kitchen(place)
        provider = self.providers[place] = Provider(name).add(offers, kitchen)
        address = await provider.listen("127.0.0.1")
        self.stack.push_async_callback(provider.close)
        return Node(name=name, addresses={"csf1": address}, services={f"test.{offers.__name__}": Provided()})


@asynccontextmanager
async def town() -> AsyncGenerator[Town]:
    async with AsyncExitStack() as stack:
        yield Town(stack)


@asynccontextmanager
async def called(
    registry: Registry, *microservices: str
) -> AsyncGenerator[tuple[Caller, dict[str, Callable[[], None]]]]:
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(Caller(WHO))
        ends: dict[str, Callable[[], None]] = {}
        for one in microservices:
            ends[one] = caller.follow(await stack.enter_async_context(Directory(registry, one)))
        yield caller, ends


async def places(call: Callable[[], Any], count: int = 30) -> set[str]:
    return {await call() for _ in range(count)}


async def reaches(call: Callable[[], Any], *wanted: str) -> None:
    """Call until each of these has answered: a node that was slow once is asked again within a second or so."""
    seen: set[str] = set()
    async with asyncio.timeout(60):
        while not seen >= set(wanted):
            seen.add(await call())
            await asyncio.sleep(0)
    assert seen == set(wanted)


async def calls_until(call: Callable[[], Any], true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():
            assert await call() != "tea/n1"
            await asyncio.sleep(0.01)


async def registered(some: Town, registry: Registry, offers: type, microservice: str, *names: str) -> None:
    for name in names:
        await registry.register(microservice, await some.node(offers, microservice, name))


async def test_nodes_of_two_microservices_are_called_though_they_have_the_same_names() -> None:
    async with town() as some:
        registry = await some.open()
        await registered(some, registry, Tea, "tea", "n1", "n2")
        await registered(some, registry, Cups, "cups", "n1", "n2")
        async with called(registry, "tea", "cups") as (caller, _):
            tea, cups = caller.client(Tea), caller.client(Cups)
            assert await places(tea.brew) == {"tea/n1", "tea/n2"}
            assert await places(cups.fetch) == {"cups/n1", "cups/n2"}


async def test_a_service_of_two_microservices_breaks_on_one_node_and_not_on_its_namesake() -> None:
    async with town() as some:
        registry = await some.open()
        for microservice in ("east", "west"):
            await registered(some, registry, Tea, microservice, "n1")
        async with called(registry, "east", "west") as (caller, _):
            rules = {"node_breaker": {"consecutive": 2, "wait": 60}, "outlier": {"consecutive": 0}}
            again = {"retry": {"on": ["internal"], "budget": 1, "least": 100}}
            caller.governor.rule({"r": msgspec.json.encode({**rules, **again, "adaptive": {"mode": "off"}})})
            brew = caller.client(Tea).brew
            assert await places(brew) == {"east/n1", "west/n1"}
            some.kitchens["east/n1"].ill = True
            assert await places(brew) == {"west/n1"}
            some.kitchens["west/n1"].ill = True
            for _ in range(2):
                with pytest.raises((rpc_errors.FailedError, rpc_errors.CircuitOpenError)):
                    await brew()
            with pytest.raises(
                rpc_errors.CircuitOpenError, match=r"(east|west)/n1 \(2 calls.*(east|west)/n1 \(2 calls"
            ):
                await brew()


def test_namesakes_are_told_apart_where_a_choice_is_explained() -> None:
    node = Node(name="n1", addresses={}, services={"test.Tea": Provided()})
    ill = Node(name="n1", addresses={}, services={"test.Tea": Provided()}, state="draining")
    endpoints = tuple(Endpoint(one, 0.0, where) for where, one in (("east", node), ("west", ill), ("", node)))
    table = Router({}, Consumer()).table(endpoints)
    told = explain(table, picking.make("round_robin", chance()), Call(service="test.Tea", method="brew"), 1.0)
    assert (told.steps[0].kept, told.steps[0].dropped) == (["east/n1", "n1"], ["west/n1"])
    assert told.choice is not None
    assert [one.node for one in told.choice.candidates] == ["east/n1", "n1"]


async def test_nodes_that_start_drain_or_are_offline_get_no_calls() -> None:
    async with town() as some:
        registry = await some.open()
        await registered(some, registry, Tea, "tea", "n1", "n2")
        async with called(registry, "tea") as (caller, _):
            brew = caller.client(Tea).brew
            for state in ("starting", "draining", "offline"):
                await registry.update("tea", "n1", Change(state=state))
                await until(lambda state=state: caller._targets._of["tea"]["n1"].node.state == state)
                assert await places(brew) == {"tea/n2"}
            await registry.update("tea", "n1", Change(state="ready"))
            await reaches(brew, "tea/n1", "tea/n2")
            await registered(some, registry, Tea, "tea", "n3")
            await registry.deregister("tea", "n1")
            await registry.deregister("tea", "n2")
            await until(lambda: set(caller._targets._of["tea"]) == {"n3"})
            assert await places(brew) == {"tea/n3"}


async def test_what_is_not_followed_any_more_is_not_called() -> None:
    async with town() as some:
        registry = await some.open()
        await registered(some, registry, Tea, "tea", "n1")
        await registered(some, registry, Cups, "cups", "n1")
        async with called(registry, "tea", "cups") as (caller, ends):
            tea, cups = caller.client(Tea), caller.client(Cups)
            assert await tea.brew() == "tea/n1"
            ends["tea"]()
            ends["tea"]()
            with pytest.raises(rpc_errors.UnknownServiceError):
                await tea.brew()
            await registered(some, registry, Tea, "tea", "n2")
            with pytest.raises(rpc_errors.UnknownServiceError):
                await tea.brew()
            assert await cups.fetch() == "cups/n1"


async def test_a_microservice_is_followed_once_at_a_time() -> None:
    async with town() as some:
        registry = await some.open()
        await registered(some, registry, Tea, "tea", "n1")
        async with called(registry, "tea") as (caller, ends), Directory(registry, "tea") as again:
            with pytest.raises(errors.MisconfiguredError, match="tea is followed already"):
                caller.follow(again)
            ends["tea"]()
            caller.follow(again)
            assert await caller.client(Tea).brew() == "tea/n1"


async def test_a_stale_directory_is_used_and_a_suspect_is_called_until_it_cannot_be_connected_to() -> None:
    async with town() as some:
        registry, providers = await some.open(), await some.open()
        await registered(some, providers, Tea, "tea", "n1", "n2", "n3")
        async with Caller(WHO) as caller, Directory(registry, "tea") as directory:
            caller.follow(directory)
            brew = caller.client(Tea).brew
            await reaches(brew, "tea/n1", "tea/n2", "tea/n3")
            some.space.away = True
            await until(lambda: directory.snapshot.is_stale)
            await reaches(brew, "tea/n1", "tea/n2", "tea/n3")
            some.space.away = False
            await until(lambda: not directory.snapshot.is_stale)
            await providers.__aexit__(None, None, None)
            await until(lambda: len(directory.suspects) == 3)
            await reaches(brew, "tea/n1", "tea/n2", "tea/n3")
            await some.providers["tea/n1"].close()
            await calls_until(brew, lambda: directory.suspects == {"n2", "n3"})
            assert [one.name for one in directory.snapshot.nodes] == ["n2", "n3"]


class Elsewhere:
    """A registry and a directory that live on the loop of the sdk's own thread."""

    def __init__(self, address: str, microservice: str) -> None:
        self.registry = memory.make(RegistrySettings(address=address))
        self.directory = Directory(self.registry, microservice)

    async def begin(self) -> None:
        await self.registry.__aenter__()
        await self.directory.__aenter__()

    async def end(self) -> None:
        await self.directory.__aexit__(None, None, None)
        await self.registry.__aexit__(None, None, None)


async def test_a_directory_on_another_loop_is_handed_over_and_hears_of_nodes_that_failed() -> None:
    async with town() as some:
        elsewhere, providers = Elsewhere(some.address, "tea"), await some.open()
        await runtime.bridge(elsewhere.begin())
        try:
            nodes = [await some.node(Tea, "tea", name) for name in ("n1", "n2")]
            used: list[int] = []
            async with Caller(WHO) as caller:
                real = caller.use

                def use(nodes: Sequence[Node], microservice: str = "") -> None:
                    used.append(threading.get_ident())
                    real(nodes, microservice)

                caller.use = use  # type: ignore[method-assign]
                caller.follow(elsewhere.directory)
                for node in nodes:
                    await providers.register("tea", node)
                await until(lambda: len(caller._targets._of.get("tea", ())) == 2)
                await reaches(caller.client(Tea).brew, "tea/n1", "tea/n2")
                await providers.__aexit__(None, None, None)
                await until(lambda: len(elsewhere.directory.suspects) == 2)
                await some.providers["tea/n1"].close()
                await calls_until(caller.client(Tea).brew, lambda: elsewhere.directory.suspects == {"n2"})
            assert set(used) == {threading.get_ident()}
        finally:
            await runtime.bridge(elsewhere.end())


async def test_a_caller_that_blocks_follows_a_directory_on_the_loop_of_the_sdk() -> None:
    async with town() as some:
        elsewhere, providers = Elsewhere(some.address, "tea"), await some.open()
        await runtime.bridge(elsewhere.begin())
        try:
            nodes = [await some.node(Tea, "tea", name) for name in ("n1", "n2")]
            await providers.register("tea", nodes[0])
            with BlockingCaller(WHO) as caller:
                end = caller.follow(elsewhere.directory)
                await until(lambda: caller._targets._of)
                brew: Any = caller.client(Tea).brew
                assert await asyncio.to_thread(brew) == "tea/n1"
                await providers.register("tea", nodes[1])
                await until(lambda: len(caller._targets._of["tea"]) == 2)
                await reaches(lambda: asyncio.to_thread(brew), "tea/n1", "tea/n2")
                await providers.__aexit__(None, None, None)
                await until(lambda: len(elsewhere.directory.suspects) == 2)
                await some.providers["tea/n1"].close()
                await calls_until(lambda: asyncio.to_thread(brew), lambda: elsewhere.directory.suspects == {"n2"})
                end()
                with pytest.raises(rpc_errors.UnknownServiceError):
                    await asyncio.to_thread(brew)
        finally:
            await runtime.bridge(elsewhere.end())


async def test_a_snapshot_that_was_overtaken_is_not_used() -> None:
    async with town() as some:
        registry = await some.open()
        await registered(some, registry, Tea, "tea", "n1")
        async with Directory(registry, "tea") as directory:
            used: list[tuple[str, ...]] = []
            following = Following(directory, lambda nodes, _: used.append(tuple(one.name for one in nodes)), at_once)
            following._heard(Snapshot(revision=directory.snapshot.revision - 1))
            assert used == [("n1",)]
            following.end()
            following._heard(Snapshot(revision=directory.snapshot.revision + 1))
            assert used == [("n1",), ()]
