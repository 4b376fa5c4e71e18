"""Hedging: a second node is asked when the first takes long, over real sockets; what each node then counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.registry.testing import until
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.client.pool import NodePool
from qiantang.rpc.client.targets import Target
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import definition_of, method, service
from qiantang.rpc.provider.serving import Provider


@service("test.Depot")
class Depot(Protocol):
    """What is called here."""

    @method(idempotent=True, hash_key="article", timeout=30.0)
    async def find(self, article: str) -> str: ...

    @method(hash_key="article", timeout=30.0)
    async def take(self, article: str) -> str: ...


class House:
    """A node; while it is `held` its calls wait, and then fail where it says so."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = self.given_up = 0
        self.free = asyncio.Event()
        self.free.set()
        self.error: Exception | None = None
        self.attempts: list[int] = []

    async def find(self, article: str) -> str:
        self.began += 1
        self.attempts.append(current.get().attempt)
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.error is not None:
            raise self.error
        return self.name

    async def take(self, article: str) -> str:
        return await self.find(article)


class Site:
    """Some houses, who calls them, and which of them an article's calls go to first."""

    def __init__(self, caller: Caller, houses: dict[str, House]) -> None:
        self.caller = caller
        self.client = caller.client(Depot)
        self.houses = houses
        self.article = ""

    def rule(self, **more: Any) -> None:
        sections = {"hedge": {"min_calls": 1, "floor": 0.02}, "adaptive": {"mode": "off"}, **more}
        report = self.caller.governor.rule({"h": msgspec.json.encode(sections)})
        assert report.applied == ("h",)

    async def find_homes(self) -> None:
        """Find an article that lives at n1; the calls are those that are measured."""
        number = 0
        while await self.client.find(f"a{number}") != "n1":
            number += 1
        self.article = f"a{number}"
        for house in self.houses.values():
            house.began, house.attempts = 0, []

    def target(self, name: str) -> Target[NodePool]:
        return self.caller._targets._of[""][name]

    @property
    def under_way(self) -> int:
        return sum(self.target(name).inflight for name in self.houses)


@asynccontextmanager
async def site(count: int = 2, **rules: Any) -> AsyncGenerator[Site]:
    houses = [House(f"n{number}") for number in range(1, count + 1)]
    async with AsyncExitStack() as stack:
        nodes: list[Node] = []
        for one in houses:
            provider = Provider(one.name).add(Depot, one)
            address = await provider.listen("127.0.0.1")
            stack.push_async_callback(provider.close)
            nodes.append(Node(name=one.name, addresses={"csf1": address}, services={"test.Depot": Provided()}))
        caller = await stack.enter_async_context(Caller(by_name("acme/prod/bank/till"), nodes))
        found = Site(caller, {one.name: one for one in houses})
        found.rule(**rules)
        await found.find_homes()
        found.rule(**rules)  # have what was measured be looked at now, and not within a second
        yield found


async def test_the_first_answer_counts_and_the_other_attempt_is_cancelled_at_its_node() -> None:
    async with site() as one:
        n1, n2 = one.houses["n1"], one.houses["n2"]
        n1.free.clear()
        assert await one.client.find(one.article) == "n2"
        await until(lambda: n1.given_up == 1)
        assert (n1.began, n2.began) == (1, 1)
        assert (n1.attempts, n2.attempts) == ([0], [1]), "the second is an attempt, and not tried again below"
        assert one.under_way == 0
        breaker = one.caller.governor.chain(definition_of(Depot).methods["find"]).node_breaker(one.target("n1"))
        assert breaker is not None
        assert (breaker.inflight, breaker.window.failures) == (0, 0), "given up is nobody's fault"
        assert one.target("n1").success == 1.0


async def test_the_slow_node_may_still_be_the_first() -> None:
    async with site() as one:
        for house in one.houses.values():
            house.free.clear()
        waiting = asyncio.create_task(one.client.find(one.article))
        await until(lambda: one.houses["n2"].began == 1)
        one.houses["n1"].free.set()
        assert await waiting == "n1"
        await until(lambda: one.houses["n2"].given_up == 1)
        assert one.under_way == 0


@pytest.mark.parametrize("fails", ["n1", "n2"])
async def test_a_failure_waits_for_the_other(fails: str) -> None:
    async with site(retry={"attempts": 1}) as one:
        for house in one.houses.values():
            house.free.clear()
        waiting = asyncio.create_task(one.client.find(one.article))
        await until(lambda: one.houses["n2"].began == 1)
        one.houses[fails].error = rpc_errors.OverloadedError("much")
        one.houses[fails].free.set()
        await until(lambda: one.under_way == 1)
        (other,) = set(one.houses) - {fails}
        one.houses[other].free.set()
        assert await waiting == other
        assert one.under_way == 0


async def test_when_both_fail_the_last_error_is_told_and_tried_again_elsewhere() -> None:
    async with site(3, retry={"attempts": 3, "budget": 1.0, "least": 100}) as one:
        n1, second = one.houses["n1"], None
        for name in ("n2", "n3"):
            one.houses[name].free.clear()
        n1.free.clear()
        waiting = asyncio.create_task(one.client.find(one.article))
        await until(lambda: one.houses["n2"].began + one.houses["n3"].began == 1)
        second = next(house for house in one.houses.values() if house.began and house is not n1)
        (third,) = set(one.houses.values()) - {n1, second}
        for house in (n1, second):
            house.error = rpc_errors.OverloadedError("much")
            house.free.set()
        third.free.set()
        assert await waiting == third.name
        assert third.attempts == [2]
        assert one.under_way == 0


async def test_a_service_that_answers_with_an_error_is_an_answer_for_whoever_is_last() -> None:
    async with site(retry={"attempts": 1}) as one:
        for house in one.houses.values():
            house.free.clear()
            house.error = errors.NotFoundError("no such article")
        waiting = asyncio.create_task(one.client.find(one.article))
        await until(lambda: one.houses["n2"].began == 1)
        for house in one.houses.values():
            house.free.set()
        with pytest.raises(errors.NotFoundError):
            await waiting
        assert one.under_way == 0


async def no_second(one: Site, call: Any) -> None:
    """Give a second attempt time enough to begin, and see that none does."""
    one.houses["n1"].free.clear()
    waiting = asyncio.create_task(call(one.article))
    await until(lambda: one.houses["n1"].began == 1)
    await asyncio.sleep(0.2)
    assert one.houses["n2"].began == 0
    one.houses["n1"].free.set()
    assert await waiting == "n1"
    assert one.under_way == 0


async def test_what_is_not_idempotent_is_asked_once() -> None:
    async with site() as one:
        await no_second(one, one.client.take)


async def test_what_is_an_attempt_from_further_up_is_asked_once() -> None:
    async with site() as one:
        above = current.set(msgspec.structs.replace(current.get(), attempt=1))
        await no_second(one, one.client.find)
        current.reset(above)


async def test_without_a_budget_of_retries_nothing_is_asked_twice() -> None:
    async with site(retry={"budget": 0.0, "least": 0.0}) as one:
        await no_second(one, one.client.find)


async def test_retries_and_hedges_share_one_budget() -> None:
    async with site(retry={"budget": 0.0, "least": 0.3}) as one:  # three in ten seconds
        one.houses["n1"].free.clear()
        for _ in range(3):
            assert await one.client.find(one.article) == "n2"
        chain = one.caller.governor.chain(definition_of(Depot).methods["find"])
        assert chain.retries is not None
        assert not chain.retries.budget.draw(asyncio.get_running_loop().time())


async def test_before_enough_was_measured_nothing_is_asked_twice() -> None:
    async with site(hedge={"min_calls": 1000, "floor": 0.02}) as one:
        await no_second(one, one.client.find)


async def test_where_there_is_no_other_node_the_one_is_waited_for() -> None:
    async with site() as one:
        nodes = [
            msgspec.structs.replace(one.target(name).node, weight=weight) for name, weight in (("n1", 1), ("n2", 0))
        ]
        one.caller.use(nodes)
        await no_second(one, one.client.find)


async def test_a_call_that_is_given_up_gives_up_both_attempts() -> None:
    async with site() as one:
        for house in one.houses.values():
            house.free.clear()
        waiting = asyncio.create_task(one.client.find(one.article))
        await until(lambda: one.houses["n2"].began == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: all(house.given_up == 1 for house in one.houses.values()))
        assert one.under_way == 0


async def test_three_may_be_asked_where_the_rule_says_so() -> None:
    async with site(3, hedge={"min_calls": 1, "floor": 0.02, "most": 3}, retry={"least": 100}) as one:
        for house in one.houses.values():
            house.free.clear()
        waiting = asyncio.create_task(one.client.find(one.article))
        await until(lambda: all(house.began == 1 for house in one.houses.values()))
        one.houses["n3"].free.set()
        assert await waiting == "n3"
        await until(lambda: one.houses["n1"].given_up == one.houses["n2"].given_up == 1)
        assert one.under_way == 0


async def test_another_attempt_is_slow_for_its_node_from_its_own_beginning() -> None:
    rules = {"retry": {"budget": 1.0, "least": 100, "first": 0.3, "longest": 0.3}, "hedge": {"min_calls": 1000}}
    slow = {"node_breaker": {"slow_seconds": 0.2, "slow_rate": 0.1, "min_calls": 1}}
    async with site(**rules, **slow) as one:
        n1 = one.houses["n1"]
        n1.error = rpc_errors.OverloadedError("much")
        chain = one.caller.governor.chain(definition_of(Depot).methods["find"])
        n1.free.clear()
        waiting = asyncio.create_task(one.client.find(one.article))
        await until(lambda: n1.began == 1)
        await asyncio.sleep(0.25)
        n1.free.set()
        assert await waiting == "n2"
        breaker = chain.node_breaker(one.target("n2"))
        assert breaker is not None
        assert (breaker.state, breaker.window.slow) == ("closed", 0)
