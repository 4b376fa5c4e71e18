"""Guarding: who may call, how much is taken, and what is shed, over both faces of a provider."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider import pulse
from qiantang.rpc.provider.serving import Provider

NO_RETRY = {"r": b'{"retry": {"attempts": 1}, "adaptive": {"mode": "off"}, "node_breaker": {"mode": "off"}}'}


@service("test.Mill")
class Mill(Protocol):
    """What is called here."""

    @method(timeout=10)
    async def grind(self, corn: str = "rye", seconds: float = 0.0) -> str: ...

    @method(timeout=10, priority="critical")
    async def save(self) -> str: ...

    async def block(self, seconds: float) -> None: ...


class Grinds:
    """Answers."""

    def __init__(self) -> None:
        self.began = 0

    async def grind(self, corn: str = "rye", seconds: float = 0.0) -> str:
        self.began += 1
        await asyncio.sleep(seconds)
        return corn

    async def save(self) -> str:
        return "saved"

    async def block(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  # what handlers must not do


class House:
    """A mill, and callers of it."""

    def __init__(self, provider: Provider, mill: Grinds, nodes: list[Node]) -> None:
        self.provider = provider
        self.mill = mill
        self.nodes = nodes

    @asynccontextmanager
    async def client(self, application: str = "acme/prod/bank/till") -> AsyncGenerator[Mill]:
        async with Caller(by_name(application), self.nodes) as caller:
            caller.governor.rule(NO_RETRY)
            yield caller.client(Mill)

    def rule(self, **rules: Any) -> None:
        report = self.provider.guard.rule({name: msgspec.json.encode(rule) for name, rule in rules.items()})
        assert not report.problems


@asynccontextmanager
async def house() -> AsyncGenerator[House]:
    mill = Grinds()
    provider = Provider("n1").add(Mill, mill)
    address = await provider.listen("127.0.0.1")
    try:
        yield House(provider, mill, [Node(name="n1", addresses={"csf1": address}, services={"test.Mill": Provided()})])
    finally:
        await provider.close()


async def refused(call: Any, kind: type[Exception] = errors.NotSubscribedError) -> None:
    with pytest.raises(kind):
        await call


async def test_who_is_refused_or_has_not_subscribed_calls_nothing() -> None:
    async with house() as one, one.client() as till, one.client("acme/prod/shop/web") as web:
        assert await till.grind() == "rye"
        one.rule(lists={"access": {"refused": ["shop/web"]}})
        assert await till.grind() == "rye"
        await refused(web.grind())
        one.rule(subscribers={"access": {"subscribers_only": True}})
        await refused(till.grind())
        one.provider.guard.subscribe({"test.Mill": {"bank/till"}})
        assert await till.grind() == "rye"
        await refused(web.grind())
        began = one.mill.began
        await refused(web.grind("oats"))
        assert one.mill.began == began


async def test_limits_of_the_provider_are_kept_whoever_calls() -> None:
    async with house() as one, one.client() as till, one.client("acme/prod/shop/web") as web:
        one.rule(most={"target": {"service": "test.Mill"}, "concurrency": {"most": 3}})
        found = await asyncio.gather(*(client.grind(seconds=0.3) for client in (till, web) * 4), return_exceptions=True)
        assert sum(isinstance(answer, errors.LimitedError) for answer in found) == 5
        assert await till.grind() == "rye", "what ended has made room"
        one.rule(hot={"target": {"service": "test.Mill"}, "hot": [{"argument": "corn", "per_second": 1, "burst": 2}]})
        found = await asyncio.gather(*(web.grind("spelt") for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(answer, errors.LimitedError) for answer in found) == 3
        assert await web.grind("millet") == "millet"


async def test_calls_that_are_given_up_before_they_began_make_room_again() -> None:
    async with house() as one, one.client() as till:
        one.rule(most={"concurrency": {"most": 2}})
        for _ in range(20):
            tasks = [asyncio.create_task(till.grind(seconds=5)) for _ in range(2)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(30):
            while one.provider.running:
                await asyncio.sleep(0.01)
        assert await asyncio.gather(till.grind(), till.grind()) == ["rye", "rye"]


async def test_an_overloaded_provider_sheds_what_is_less_important_first() -> None:
    async with house() as one, one.client() as till:
        one.rule(shed={"shedding": {"cooling": 60}})
        assert await asyncio.gather(*(till.grind() for _ in range(20))) == ["rye"] * 20
        one.provider.guard.load.lag = 10.0
        running = asyncio.create_task(till.grind(seconds=1.0))
        async with asyncio.timeout(30):
            while one.provider.running < 1:
                await asyncio.sleep(0.005)
        second = asyncio.create_task(till.grind(seconds=1.0))
        async with asyncio.timeout(30):
            while one.provider.running < 2 and not second.done():
                await asyncio.sleep(0.005)
        await refused(till.grind(), errors.OverloadedError)
        await asyncio.gather(running, second, return_exceptions=True)
        assert await till.save() == "saved"


async def test_pacing_and_faults_on_purpose_happen_before_the_handler() -> None:
    async with house() as one, one.client() as till:
        one.rule(late={"faults": [{"until": time.time() + 60, "delay": 0.2, "delay_share": 1}]})
        began = time.monotonic()
        assert await till.grind() == "rye"
        assert time.monotonic() - began >= 0.19
        one.rule(broken={"faults": [{"until": time.time() + 60, "abort_share": 1}]})
        await refused(till.grind(), errors.InjectedError)
        one.rule(over={"faults": [{"until": time.time() - 1, "abort_share": 1}]})
        assert await till.grind() == "rye"


async def test_http_goes_through_the_same_rules() -> None:
    async with house() as one:
        port = int((await one.provider.listen_http("127.0.0.1")).rpartition(":")[2])
        one.rule(lists={"access": {"refused": ["shop/web"]}, "rate": {"per_second": 0.001, "burst": 1}})

        async def post(who: str) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                f"POST /test.Mill/grind HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {who}\r\n"
                "content-length: 2\r\nconnection: close\r\n\r\n{}".encode()
            )
            try:
                return await asyncio.wait_for(reader.read(), 30)
            finally:
                writer.close()

        assert b"rpc.not_subscribed" in await post("acme/prod/shop/web")
        assert b'"rye"' in await post("acme/prod/bank/till")
        assert b"rpc.limited" in await post("acme/prod/bank/till")
        assert one.provider.running == 0


async def test_who_blocks_the_loop_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(pulse, "BLOCKED_SECONDS", 0.1)
    with caplog.at_level(logging.ERROR):
        async with house() as one, one.client() as till:
            await asyncio.sleep(0.1)
            await till.block(1.0)
            await asyncio.sleep(0.1)
            assert one.provider.guard.load.lag > 0
    told = [record for record in caplog.records if "blocks the event loop" in record.getMessage()]
    assert any("block" in str(getattr(record, "stack", "")) for record in told), "others may be named on a busy machine"


async def test_what_the_catalog_says_counts_whatever_rules_say() -> None:
    async with house() as one, one.client() as till:
        guard = one.provider.guard
        assert await till.grind("rye")
        guard.subscribe({"test.Mill": {"bank/other"}})
        with pytest.raises(errors.NotSubscribedError, match="refused by rule catalog: bank/till has not subscribed"):
            await till.grind("rye")
        guard.subscribe({"test.Mill": {"bank"}})
        assert await till.grind("rye")
        guard.subscribe({"test.Mill": {"bank"}}, {"test.Mill": "test.Mill is offline"})
        with pytest.raises(errors.NotSubscribedError, match=r"test\.Mill is offline"):
            await till.grind("rye")
        guard.subscribe({})
        assert await till.grind("rye")
