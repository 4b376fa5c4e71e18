"""Calls: a caller and a provider over a real socket, and all that may go wrong between them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider.serving import Provider, ProviderSettings


class Order(msgspec.Struct, frozen=True):
    number: int
    note: str = ""


class SoldOutError(rpc_errors.ServiceError):
    """Nothing is left of it."""

    code = "test.sold_out"


@service("test.Shop")
class Shop(Protocol):
    """What is called here."""

    @method(idempotent=True)
    async def echo(self, order: Order, times: int = 1) -> list[Order]: ...

    async def fail(self, how: str) -> None: ...

    @method(timeout=0.2)
    async def sleep(self, seconds: float) -> str: ...

    def block(self, seconds: float) -> str: ...

    async def below(self, seconds: float) -> float: ...


class Counter:
    """The shop itself; counts what it began and gave up."""

    def __init__(self) -> None:
        self.began = self.given_up = 0

    async def echo(self, order: Order, times: int = 1) -> list[Order]:
        return [order] * times

    async def fail(self, how: str) -> None:
        if how == "sold out":
            raise SoldOutError("no tea is left", facts={"article": "tea"})
        if how == "forbidden":
            raise errors.ForbiddenError("not for you")
        raise RuntimeError(f"a secret: {how}")

    async def sleep(self, seconds: float) -> str:
        self.began += 1
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return "slept"

    def block(self, seconds: float) -> str:
        time.sleep(seconds)
        return f"{threading.current_thread().name} {current.get().caller}"

    async def below(self, seconds: float) -> float:
        del seconds
        return current.get().remaining()


@asynccontextmanager
async def shop(settings: ProviderSettings | None = None) -> AsyncGenerator[tuple[Shop, Counter, Provider, Caller]]:
    counter = Counter()
    provider = Provider("n1", settings).add(Shop, counter)
    address = await provider.listen("127.0.0.1")
    node = Node(name="n1", addresses={"csf1": address}, services={"test.Shop": Provided()})
    async with Caller(by_name("acme/prod/bank/till"), [node]) as caller:
        try:
            yield caller.client(Shop), counter, provider, caller
        finally:
            await provider.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_results_come_back_as_their_types_and_many_calls_share_a_connection() -> None:
    async with shop() as (client, _, provider, _caller):
        assert await client.echo(Order(1, "tea"), times=2) == [Order(1, "tea")] * 2
        found = await asyncio.gather(*(client.echo(Order(number)) for number in range(200)))
        assert found == [[Order(number)] for number in range(200)]
        assert provider.connections == 1
        assert provider.load() == 0


async def test_errors_of_the_tree_are_raised_again_and_others_say_nothing_of_themselves() -> None:
    async with shop() as (client, _, _provider, _caller):
        with pytest.raises(SoldOutError, match="no tea is left") as sold_out:
            await client.fail("sold out")
        assert sold_out.value.facts == {"article": "tea"}
        with pytest.raises(errors.ForbiddenError, match="not for you"):
            await client.fail("forbidden")
        with pytest.raises(rpc_errors.FailedError) as failed:
            await client.fail("the password is 1234")
        assert "1234" not in str(failed.value)
        assert rpc_errors.was_processed(failed.value)


async def test_a_call_has_its_time_and_its_handler_no_more() -> None:
    async with shop() as (client, counter, provider, _caller):
        assert await client.sleep(0) == "slept"
        with pytest.raises(rpc_errors.DeadlineError):
            await client.sleep(60)
        await until(lambda: counter.given_up == 1 and provider.load() == 0)


async def test_a_call_that_is_given_up_is_given_up_by_its_handler_too() -> None:
    async with shop() as (client, counter, provider, _caller):
        task = asyncio.create_task(client.below(0))
        await task
        waiting = asyncio.create_task(client.sleep(60))
        await until(lambda: counter.began == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await until(lambda: counter.given_up == 1 and not provider.running)


async def test_what_is_called_below_has_no_more_time_than_what_is_above() -> None:
    async with shop() as (client, _, _provider, _caller):
        context = current.set(msgspec.structs.replace(current.get(), deadline=time.monotonic() + 1.0))
        try:
            assert 0 < await client.below(0) < 1.0
            current.set(msgspec.structs.replace(current.get(), deadline=time.monotonic()))
            with pytest.raises(rpc_errors.DeadlineError, match="no time is left"):
                await client.below(0)
        finally:
            current.reset(context)


async def test_plain_functions_run_in_threads_with_the_context_of_the_call() -> None:
    async with shop() as (client, _, _provider, _caller):
        said = await asyncio.gather(client.block(0.05), client.block(0.05), client.echo(Order(1)))
        assert said[0].startswith("qiantang-rpc")
        assert said[1].endswith("acme/prod/bank/till")


async def test_what_does_not_fit_is_refused_on_either_side() -> None:
    async with shop() as (client, _, _provider, _caller):
        with pytest.raises(rpc_errors.InvalidArgumentsError, match=r"test.Shop/echo does not take that"):
            await client.echo(nothing=1)  # type: ignore[call-arg]
        with pytest.raises(rpc_errors.InvalidArgumentsError, match="does not fit the method"):
            await client.echo(Order("one"))  # type: ignore[arg-type]
        with pytest.raises(rpc_errors.InvalidArgumentsError, match="cannot be written"):
            await client.echo(object())  # type: ignore[arg-type]
        with pytest.raises(AttributeError, match="has no method nothing"):
            client.nothing()  # type: ignore[attr-defined]
        assert await client.echo(Order(1)) == [Order(1)]


async def test_large_calls_and_results_go_and_larger_ones_are_refused_by_their_size() -> None:
    async with shop(ProviderSettings(max_frame=2 << 20)) as (client, _, _provider, _caller):
        large = Order(1, "x" * (1 << 20))
        assert await client.echo(large) == [large]
        with pytest.raises(rpc_errors.TooLargeError, match="takes 2,097,152"):
            await client.echo(Order(1, "x" * (3 << 20)))
        with pytest.raises(rpc_errors.TooLargeError, match="the result has"):
            await client.echo(large, times=9)
        assert await client.echo(Order(2)) == [Order(2)]


async def test_more_than_a_node_takes_is_refused_at_once() -> None:
    async with shop(ProviderSettings(calls=4)) as (client, _, _provider, _caller):
        found = await asyncio.gather(*(client.block(0.3) for _ in range(12)), return_exceptions=True)
        refused = [one for one in found if isinstance(one, rpc_errors.OverloadedError)]
        assert len(refused) == 8
        assert not rpc_errors.was_processed(refused[0])


async def test_a_node_that_leaves_answers_what_it_has_and_takes_no_more() -> None:
    async with shop() as (client, _, provider, _caller):
        waiting = asyncio.create_task(client.block(0.3))
        await until(lambda: provider.running == 1)
        leaving = asyncio.create_task(provider.drain(30))
        await asyncio.sleep(0.05)
        with pytest.raises(errors.UnavailableError) as refused:
            await client.echo(Order(1))
        assert not rpc_errors.was_processed(refused.value)
        assert (await waiting).startswith("qiantang-rpc")
        await leaving


async def test_a_connection_that_is_lost_ends_its_calls_at_once() -> None:
    async with shop() as (client, counter, provider, _caller):
        waiting = [asyncio.create_task(client.block(1.0)) for _ in range(3)]
        await until(lambda: provider.running == 3)
        for session in list(provider._sessions):
            session._link.abort()
        found = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
        assert all(isinstance(one, rpc_errors.ConnectionLostError) for one in found)
        assert rpc_errors.was_processed(found[0])  # type: ignore[arg-type]
        assert await client.echo(Order(1)) == [Order(1)], "another connection is made"
        assert counter.began == 0


async def test_a_node_that_is_not_there_is_said_so_without_waiting_each_time() -> None:
    node = Node(name="gone", addresses={"csf1": "127.0.0.1:1"}, services={"test.Shop": Provided()})
    async with Caller(by_name("acme/prod/bank/till"), [node]) as caller:
        client = caller.client(Shop)
        with pytest.raises(rpc_errors.NodeAwayError, match="could not be connected to"):
            await client.echo(Order(1))
        with pytest.raises(rpc_errors.NodeAwayError):
            await client.echo(Order(1))
        with pytest.raises(rpc_errors.CircuitOpenError, match=r"no node may take test.Shop/echo now: gone \(5 calls"):
            await client.echo(Order(1))
    async with Caller(by_name("acme/prod/bank/till")) as caller:
        with pytest.raises(rpc_errors.UnknownServiceError, match=r"no node can take test\.Shop\.echo: of 0 nodes"):
            await caller.client(Shop).echo(Order(1))


async def test_a_unix_socket_serves_as_well(tmp_path: Any) -> None:
    provider = Provider("n1").add(Shop, Counter())
    address = await provider.listen_unix(f"{tmp_path}/shop")
    node = Node(name="n1", addresses={"csf1": address}, services={"test.Shop": Provided()})
    async with provider, Caller(by_name("acme/prod/bank/till"), [node]) as caller:
        assert await caller.client(Shop).echo(Order(1)) == [Order(1)]
