"""Governing: nodes that fail, leave or do too much, and rules that say how often, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors, wire
from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.client.blocking import BlockingCaller
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import definition_of, method, service
from qiantang.rpc.model.reports import Report
from qiantang.rpc.model.routes import Condition, ConditionRoute, Route, TagRoute, Target
from qiantang.rpc.provider.serving import Provider

WHO = by_name("acme/prod/bank/till")


@service("test.Stock")
class Stock(Protocol):
    """What is called here."""

    @method(idempotent=True)
    async def where(self) -> str: ...

    @method(idempotent=True, hash_key="article")
    async def keeps(self, article: str) -> str: ...

    async def take(self, how: str = "") -> str: ...

    @method(timeout=0.3, idempotent=True)
    async def slow(self) -> str: ...


class House:
    """One node of the stock; `ill` makes it fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ill = ""
        self.began = 0
        self.provider = Provider(name).add(Stock, self)

    async def where(self) -> str:
        self.began += 1
        if self.ill == "overloaded":
            raise rpc_errors.OverloadedError("too much to do")
        if self.ill:
            raise RuntimeError(self.ill)
        return f"{self.name} {current.get().attempt}"

    async def keeps(self, article: str) -> str:
        return self.name

    async def take(self, how: str = "") -> str:
        self.began += 1
        if how == "lose":
            for session in list(self.provider._sessions):
                session._link.abort()  # type: ignore[union-attr]
        if how == "below":
            raise rpc_errors.NodeAwayError("what is called below could not be reached")
        return self.name

    async def slow(self) -> str:
        self.began += 1
        if self.ill:
            await asyncio.sleep(60)
        return self.name


class Estate:
    """Some houses and who calls them."""

    def __init__(self, houses: Sequence[House], nodes: Sequence[Node], caller: Caller) -> None:
        self.houses = {one.name: one for one in houses}
        self.nodes = {one.name: one for one in nodes}
        self.caller = caller
        self.client = caller.client(Stock)

    def change(self, name: str, **more: Any) -> None:
        """Have the registry say something else of a node."""
        self.nodes[name] = msgspec.structs.replace(self.nodes[name], **more)
        self.caller.use(list(self.nodes.values()))

    def rule(self, **rules: Any) -> Report:
        return self.caller.governor.rule({name: msgspec.json.encode(rule) for name, rule in rules.items()})

    async def asked(self, count: int) -> Counter[str]:
        return Counter([(await self.client.where()).split()[0] for _ in range(count)])


@asynccontextmanager
async def estate(count: int = 3) -> AsyncGenerator[Estate]:
    houses = [House(f"n{number}") for number in range(1, count + 1)]
    async with AsyncExitStack() as stack:
        nodes = [
            Node(
                name=one.name,
                addresses={"csf1": await one.provider.listen("127.0.0.1")},
                services={"test.Stock": Provided()},
            )
            for one in houses
        ]
        for one in houses:
            stack.push_async_callback(one.provider.close)
        caller = await stack.enter_async_context(Caller(WHO, nodes))
        yield Estate(houses, nodes, caller)


async def test_calls_are_shared_and_a_node_that_weighs_nothing_or_is_not_ready_gets_none() -> None:
    async with estate() as some:
        assert set(await some.asked(60)) == {"n1", "n2", "n3"}
        some.change("n1", weight=0)
        some.change("n2", state="offline")
        assert set(await some.asked(20)) == {"n3"}
        some.change("n2", state="ready")
        found = await some.asked(60)
        assert "n2" in found
        assert "n1" not in found


async def test_a_node_that_is_gone_costs_no_call() -> None:
    async with estate() as some:
        await some.asked(20)
        await some.houses["n1"].provider.close()
        found = await some.asked(60)
        assert set(found) == {"n2", "n3"}


async def test_a_node_that_leaves_costs_no_call_of_any_kind() -> None:
    async with estate() as some:
        leaving: asyncio.Task[None] | None = None
        found: Counter[str] = Counter()
        for number in range(300):
            if number == 100:
                leaving = asyncio.create_task(some.houses["n1"].provider.drain())
            found[await some.client.take()] += 1
        assert leaving is not None
        await leaving
        assert sum(found.values()) == 300


async def test_what_may_have_been_processed_is_tried_again_only_where_that_is_safe() -> None:
    async with estate() as some:
        with pytest.raises(rpc_errors.ConnectionLostError):
            await some.client.take("lose")
        assert sum(one.began for one in some.houses.values()) == 1
        for name in ("n1", "n2"):
            some.houses[name].ill = "sleeps"
        some.rule(limits={"retry": {"attempts": 3}, "timeout": {"seconds": 5}, "target": {"service": "test.Stock"}})
        some.houses["n1"].ill = some.houses["n2"].ill = "overloaded"
        answers = [await some.client.where() for _ in range(5)]
        assert {one.split()[0] for one in answers} == {"n3"}


async def test_what_a_handler_raises_was_processed_though_its_own_call_was_not() -> None:
    async with estate() as some:
        some.rule(r={"outlier": {"consecutive_local": 1}})
        with pytest.raises(rpc_errors.NodeAwayError) as found:
            await some.client.take("below")
        assert rpc_errors.was_processed(found.value)
        assert sum(one.began for one in some.houses.values()) == 1
        outliers = some.caller.governor.chain(definition_of(Stock).methods["take"]).outliers
        assert outliers is not None
        assert not outliers.ejected(), "the node answered: it could be reached"


async def test_attempts_are_counted_on_the_wire_and_an_attempt_is_not_tried_again_below() -> None:
    async with estate(2) as some:
        some.houses["n1"].ill = "overloaded"
        seen = {await some.client.where() for _ in range(30)}
        assert seen <= {"n2 0", "n2 1"}
        assert "n2 1" in seen or some.houses["n1"].began == 0
        for house in some.houses.values():
            house.ill, house.began = "overloaded", 0
        context = current.set(msgspec.structs.replace(current.get(), attempt=1))
        try:
            with pytest.raises(errors.ExhaustedError):
                await some.client.where()
        finally:
            current.reset(context)
        assert sum(one.began for one in some.houses.values()) == 1


async def test_the_breaker_of_a_node_opens_and_lets_it_in_again() -> None:
    async with estate(2) as some:
        rule = {"node_breaker": {"consecutive": 3, "wait": 0.2, "probes": 1, "jitter": 0}, "outlier": {"mode": "off"}}
        some.rule(r={**rule, "retry": {"attempts": 2, "on": ["internal"], "budget": 1}})
        some.houses["n1"].ill = "broken"
        assert set(await some.asked(60)) == {"n2"}
        began = some.houses["n1"].began
        assert began < 20
        some.houses["n1"].ill = ""
        async with asyncio.timeout(60):
            while "n1" not in await some.asked(20):
                await asyncio.sleep(0.05)


async def test_everything_open_says_which_node_and_why_and_when() -> None:
    async with estate(1) as some:
        some.rule(r={"node_breaker": {"consecutive": 2, "wait": 60}, "retry": {"attempts": 1}})
        some.houses["n1"].ill = "broken"
        for _ in range(2):
            with pytest.raises(rpc_errors.FailedError):
                await some.client.where()
        with pytest.raises(rpc_errors.CircuitOpenError, match=r"rule r: no node may take .* n1 \(2 calls") as refused:
            await some.client.where()
        assert 0 < (refused.value.retry_after or 0) <= 72
        assert not rpc_errors.was_processed(refused.value)


async def test_rules_limit_how_often_and_with_what_and_are_swapped_at_once() -> None:
    async with estate() as some:
        report = some.rule(
            often={"target": {"service": "test.Stock", "method": "where"}, "rate": {"per_second": 1, "burst": 3}},
            hot={
                "target": {"service": "test.Stock", "method": "keeps"},
                "hot": [{"argument": "article", "per_second": 1, "burst": 2}],
            },
        )
        assert sorted(report.applied) == ["hot", "often"]
        found = await asyncio.gather(*(some.client.where() for _ in range(6)), return_exceptions=True)
        assert sum(isinstance(one, rpc_errors.LimitedError) for one in found) == 3
        tea = await asyncio.gather(*(some.client.keeps("tea") for _ in range(4)), return_exceptions=True)
        assert sum(isinstance(one, rpc_errors.LimitedError) for one in tea) == 2
        assert await some.client.keeps("cup")
        report = some.rule(often={"target": {"service": "test.Stock", "method": "where"}, "rate": {"per_second": -1}})
        assert "often" in report.problems
        some.rule()
        assert await some.asked(20)


async def test_paced_calls_wait_for_their_turn_within_their_time() -> None:
    async with estate(1) as some:
        some.rule(pace={"rate": {"per_second": 20, "pace": 1}})
        began = time.monotonic()
        await some.asked(5)
        assert time.monotonic() - began >= 0.18
        assert some.rule(late={"target": {"service": "test.Stock"}, "timeout": {"seconds": 0.05}}).applied == ("late",)
        some.houses["n1"].ill = "sleeps"
        began = time.monotonic()
        with pytest.raises(rpc_errors.DeadlineError):
            await some.client.slow()


async def test_a_key_stays_with_its_node_until_that_goes() -> None:
    async with estate() as some:
        homes = {f"a{number}": await some.client.keeps(f"a{number}") for number in range(60)}
        assert set(homes.values()) == {"n1", "n2", "n3"}
        assert {article: await some.client.keeps(article) for article in homes} == homes
        some.change("n1", state="draining")
        moved = {article: await some.client.keeps(article) for article in homes}
        assert all(home == homes[article] for article, home in moved.items() if homes[article] != "n1")
        assert "n1" not in moved.values()


async def test_a_call_that_is_given_up_counts_for_nothing() -> None:
    async with estate(1) as some:
        some.rule(r={"concurrency": {"most": 2}, "timeout": {"seconds": 60}})
        some.houses["n1"].ill = "sleeps"
        for _ in range(5):
            tasks = [asyncio.create_task(some.client.slow()) for _ in range(2)]
            await asyncio.sleep(0.02)
            with pytest.raises(rpc_errors.LimitedError):
                await some.client.slow()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        some.houses["n1"].ill = ""
        assert await some.client.slow() == "n1"


async def test_callers_that_block_are_governed_alike() -> None:
    async with estate() as some:
        await some.houses["n1"].provider.close()

        def call() -> list[Any]:
            with BlockingCaller(WHO, list(some.nodes.values())) as caller:
                client = caller.client(Stock)
                places: list[Any] = [client.where() for _ in range(30)]
                rule = {"rate": {"per_second": 0.001, "burst": 1}}
                caller.governor.rule({"r": msgspec.json.encode(rule)})
                places.append(client.where())
                try:
                    client.where()  # type: ignore[unused-coroutine]
                except rpc_errors.LimitedError as error:
                    places.append(error)
                return places

        *places, limited = await asyncio.to_thread(call)
        assert {one.split()[0] for one in places} == {"n2", "n3"}
        assert isinstance(limited, rpc_errors.LimitedError)


async def test_routes_choose_by_arguments_and_by_the_lane_of_the_call() -> None:
    async with estate() as some:
        some.change("n1", tags={"lane": "blue"})
        some.change("n2", tags={"stock": "tea"})
        tea = ConditionRoute(
            when=[Condition(of="argument", name="article", values=["tea"])],
            to=[Target(of="tag", name="stock", values=["tea"])],
        )
        routes = {"lanes": Route(tag=TagRoute()), "tea": Route(condition=tea, force=True)}
        some.caller.governor.route({name: wire.encode(one) for name, one in routes.items()})
        assert {await some.client.keeps("tea") for _ in range(10)} == {"n2"}
        assert "n1" not in await some.asked(40)
        context = current.set(msgspec.structs.replace(current.get(), tag="blue"))
        try:
            assert set(await some.asked(10)) == {"n1"}
        finally:
            current.reset(context)


async def test_how_nodes_are_chosen_is_a_rule_that_changes_live() -> None:
    async with estate() as some:
        target = {"service": "test.Stock"}
        some.rule(turns={"target": target, "balance": {"picker": "round_robin"}})
        assert await some.asked(30) == {"n1": 10, "n2": 10, "n3": 10}
        assert len({await some.client.keeps("tea") for _ in range(9)}) == 3, (
            "the rule counts more than the method's own"
        )
        some.rule(hashed={"target": target, "balance": {"picker": "consistent_hash", "key": "how"}})
        assert len({await some.client.take("x") for _ in range(9)}) == 1
        assert len({await some.client.take(f"{number}") for number in range(60)}) == 3
        assert len({await some.client.keeps("tea") for _ in range(60)}) == 3, "none of its arguments is called so"
        some.rule()
        places = {article: {await some.client.keeps(article) for _ in range(5)} for article in ("tea", "cups", "pots")}
        assert all(len(found) == 1 for found in places.values())
