"""Degrading: what callers are answered with when a service cannot, over real sockets, waiting and blocking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.client.blocking import BlockingCaller
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.governance.policy import Report
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import definition_of, method, service
from qiantang.rpc.provider.serving import Provider

WHO = by_name("acme/prod/bank/till")


class Price(msgspec.Struct):
    amount: float
    tags: list[str] = []


@service("test.Prices")
class Prices(Protocol):
    """What is called here."""

    @method(idempotent=True, timeout=30.0)
    async def price(self, article: str, count: int = 1) -> Price: ...

    async def names(self) -> list[str]: ...


class Market:
    """Answers, unless it is ill or says no."""

    def __init__(self) -> None:
        self.began = 0
        self.error: Exception | None = None
        self.amount = 1.0

    async def price(self, article: str, count: int = 1) -> Price:
        self.began += 1
        if self.error is not None:
            raise self.error
        return Price(self.amount * count, [article])

    async def names(self) -> list[str]:
        return ["tea"]


class Stand:
    """A market, and who calls it."""

    def __init__(self, market: Market, caller: Caller, node: Node) -> None:
        self.market = market
        self.caller = caller
        self.node = node

    def rule(self, degrade: dict[str, Any], **more: Any) -> Report:
        target = {"service": "test.Prices", "method": "price"}
        return self.caller.governor.rule({"d": msgspec.json.encode({"target": target, "degrade": degrade, **more})})

    @property
    def figures(self) -> tuple[dict[str, int], int]:
        degrade = self.caller.governor.chain(definition_of(Prices).methods["price"]).degrade
        assert degrade is not None
        return degrade.answered, degrade.failed


@asynccontextmanager
async def stand() -> AsyncGenerator[Stand]:
    market = Market()
    provider = Provider("n1").add(Prices, market)
    address = await provider.listen("127.0.0.1")
    node = Node(name="n1", addresses={"csf1": address}, services={"test.Prices": Provided()})
    async with provider, Caller(WHO, [node]) as caller:
        yield Stand(market, caller, node)


class Backup:
    """What a consumer declares for bad times."""

    async def price(self, article: str, count: int = 1) -> Price:
        await asyncio.sleep(0)
        return Price(9.0 * count, [article, "backup"])


def plain(article: str, count: int) -> Price:
    return Price(8.0 * count, [article, "plain"])


async def test_a_fallback_answers_what_failed_with_the_same_arguments() -> None:
    async with stand() as one:
        backed, planned = one.caller.client(Prices, Backup()), one.caller.client(Prices, {"price": plain})
        one.market.error = RuntimeError("broken")
        with pytest.raises(rpc_errors.FailedError):
            await backed.price("tea")
        one.rule({"how": "fallback"})
        assert await backed.price("tea", count=2) == Price(18.0, ["tea", "backup"])
        assert await planned.price("tea") == Price(8.0, ["tea", "plain"])
        with pytest.raises(rpc_errors.FailedError):
            await one.caller.client(Prices).price("tea")
        assert await backed.names() == ["tea"], "a method that the fallback lacks is called as ever"
        one.market.error = None
        assert await backed.price("tea") == Price(1.0, ["tea"])
        assert one.figures == ({"internal": 2}, 1)


async def test_what_the_service_answers_is_never_replaced() -> None:
    async with stand() as one:
        client = one.caller.client(Prices, Backup())
        one.rule({"how": "fallback"})
        for error in (errors.NotFoundError("none"), errors.ConflictError("no"), errors.InvalidRequestError("what")):
            one.market.error = error
            with pytest.raises(type(error)):
                await client.price("tea")
        assert one.figures == ({}, 0)


async def test_what_is_refused_here_is_answered_too_with_why_it_was() -> None:
    async with stand() as one:
        client = one.caller.client(Prices, Backup())
        one.rule({"how": "fallback"}, rate={"per_second": 0.001, "burst": 1})
        assert (await client.price("tea")).amount == 1.0
        assert (await client.price("tea")).amount == 9.0
        one.rule({"how": "fallback"}, breaker={"force": "open"})
        assert (await client.price("tea")).amount == 9.0
        one.rule({"how": "fallback"}, faults=[{"until": 4e9, "abort_share": 1.0}])
        assert (await client.price("tea")).amount == 9.0
        one.rule({"how": "fallback"})
        one.caller.use([])
        assert (await client.price("tea")).amount == 9.0
        gone = Node(name="n2", addresses={"csf1": "127.0.0.1:1"}, services={"test.Prices": Provided()})
        one.caller.use([gone])
        assert (await client.price("tea")).amount == 9.0
        assert one.figures == ({"limit": 1, "circuit": 1, "fault": 1, "no_node": 1, "unavailable": 1}, 0)


async def test_always_does_not_call_at_all() -> None:
    async with stand() as one:
        client = one.caller.client(Prices, Backup())
        one.rule({"how": "fallback", "when": "always"})
        assert (await client.price("tea")).amount == 9.0
        one.rule({"how": "value", "when": "always", "value": {"amount": 7.5}})
        first = await client.price("tea")
        first.tags.append("mine")
        assert await client.price("tea") == Price(7.5), "each is given a value of its own"
        one.rule({"how": "error", "when": "always"})
        with pytest.raises(rpc_errors.DegradedError, match=r"test.Prices/price is not called by rule d") as refused:
            await client.price("tea")
        assert not rpc_errors.was_processed(refused.value)
        one.rule({"how": "fallback", "when": "always"})
        with pytest.raises(rpc_errors.DegradedError, match="declared no fallback"):
            await one.caller.client(Prices).price("tea")
        assert one.market.began == 0
        assert await client.names() == ["tea"]


async def test_a_value_that_does_not_fit_makes_the_rule_invalid_and_the_last_good_one_stays() -> None:
    async with stand() as one:
        client = one.caller.client(Prices)
        assert one.rule({"how": "value", "value": {"amount": 2}}).applied == ("d",)
        report = one.rule({"how": "value", "value": {"amount": "much"}})
        assert report.applied == ()
        assert "its value does not fit what test.Prices/price gives" in report.problems["d"]
        assert "its last good state counts" in report.problems["d"]
        one.market.error = RuntimeError("broken")
        assert await client.price("tea") == Price(2.0)


async def test_a_value_for_a_method_that_was_not_known_says_so_at_its_first_call() -> None:
    async with stand() as one:
        assert one.rule({"how": "value", "value": {"amount": "much"}, "when": "always"}).applied == ("d",)
        with pytest.raises(rpc_errors.DegradedError, match=r"no answer by rule d: its value does not fit"):
            await one.caller.client(Prices).price("tea")
        assert one.figures == ({}, 1)


async def test_the_last_good_answer_to_the_same_arguments() -> None:
    async with stand() as one:
        client = one.caller.client(Prices)
        await client.price("cup")
        one.rule({"how": "last_good"})
        await client.price("tea")
        one.market.error = RuntimeError("broken")
        kept = await client.price("tea")
        kept.tags.append("mine")
        assert await client.price("tea", 1) == Price(1.0, ["tea"])
        for other in (client.price("tea", 2), client.price("cup")):
            with pytest.raises(rpc_errors.FailedError):
                await other
        lane = current.set(msgspec.structs.replace(current.get(), tag="blue"))
        with pytest.raises(rpc_errors.FailedError):
            await client.price("tea")
        current.reset(lane)
        one.rule({"how": "last_good", "when": "always"})
        one.market.error, one.market.amount = None, 5.0
        assert (await client.price("tea")).amount == 1.0
        with pytest.raises(rpc_errors.DegradedError, match="none like it was answered lately"):
            await client.price("cup")


async def test_answers_are_kept_while_a_rule_asks_for_them_and_no_longer() -> None:
    async with stand() as one:
        client = one.caller.client(Prices)
        one.rule({"how": "last_good"})
        await client.price("tea")
        kept = one.caller.governor.chain(definition_of(Prices).methods["price"]).degrade
        one.rule({"how": "last_good", "age": 100})
        assert (kept is not None, len(kept or ())) == (True, 1), "another threshold forgets nothing"
        one.rule({"how": "fallback"})
        assert len(kept or ()) == 0
        one.rule({"how": "last_good"})
        await client.price("tea")
        assert len(kept or ()) == 1
        one.caller.governor.rule({})
        assert len(kept or ()) == 0
        one.rule({"how": "last_good"})
        one.market.error = RuntimeError("broken")
        with pytest.raises(rpc_errors.FailedError):
            await client.price("tea")


async def test_a_fallback_that_fails_or_hangs_is_no_answer() -> None:
    async def hangs(article: str, count: int) -> Price:
        await asyncio.sleep(60)
        return Price(0.0)

    def fails(article: str, count: int) -> Price:
        raise errors.GoneError("this too")

    async with stand() as one:
        one.market.error = RuntimeError("broken")
        one.rule({"how": "fallback"}, timeout={"seconds": 0.2})
        with pytest.raises(rpc_errors.DeadlineError, match=r"the fallback of test\.Prices/price gave nothing"):
            await one.caller.client(Prices, {"price": hangs}).price("tea")
        with pytest.raises(errors.GoneError):
            await one.caller.client(Prices, {"price": fails}).price("tea")
        assert one.figures == ({}, 2)


@pytest.mark.parametrize(
    ("fallback", "why"),
    [
        ({"price": lambda article: None}, "does not take"),
        ({"price": lambda product, count: None}, "does not take"),
        ({"price": lambda article, count, more: None}, "does not take"),
        ({"price": 3.5}, "is no function"),
        ({"cost": plain}, "the fallback cost stands for no method of test.Prices"),
        (object(), "the fallback object stands for no method of test.Prices"),
    ],
)
async def test_a_fallback_that_does_not_fit_is_refused_when_it_is_given(fallback: Any, why: str) -> None:
    async with Caller(WHO) as caller:
        with pytest.raises(errors.MisconfiguredError, match=why):
            caller.client(Prices, fallback)


async def test_callers_that_block_are_answered_alike() -> None:
    async with stand() as one:

        def call(degrade: dict[str, Any]) -> Any:
            with BlockingCaller(WHO, [one.node]) as caller:
                client: Any = caller.client(Prices, {"price": plain})
                caller.governor.rule({"d": msgspec.json.encode({"degrade": degrade})})
                found = []
                for error in (None, RuntimeError("broken"), errors.NotFoundError("none")):
                    one.market.error = error
                    try:
                        found.append(client.price("tea").amount)
                    except errors.QiantangError as raised:
                        found.append(raised.code)
                return found

        assert await asyncio.to_thread(call, {"how": "fallback"}) == [1.0, 8.0, "not_found"]
        assert await asyncio.to_thread(call, {"how": "last_good"}) == [1.0, 1.0, "not_found"]
        assert await asyncio.to_thread(call, {"how": "fallback", "when": "always"}) == [8.0, 8.0, 8.0]
        with BlockingCaller(WHO) as caller, pytest.raises(errors.MisconfiguredError, match="has no event loop"):
            caller.client(Prices, Backup())
