"""csf1: ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from bench.rpc.stacks.load import ORDER, Found, Order, calls
from qiantang.registry.model import Node, Provided
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider.serving import Provider

LARGE = msgspec.structs.replace(ORDER, note="n" * (1 << 20))


@service("bench.Orders")
class Orders(Protocol):
    """What is called."""

    @method(timeout=10.0, idempotent=True)
    async def echo(self, order: Order) -> Order: ...


class Echo:
    """Answers."""

    async def echo(self, order: Order) -> Order:
        return order


async def serve(ready: Callable[[str], None]) -> None:
    async with Provider("one").add(Orders, Echo()) as provider:
        ready(await provider.listen("127.0.0.1"))
        await asyncio.Event().wait()


async def measure(address: str, concurrency: int, seconds: float) -> Found:
    return await _measure(address, ORDER, concurrency, seconds)


async def measure_large(address: str, concurrency: int, seconds: float) -> Found:
    return await _measure(address, LARGE, concurrency, seconds)


async def _measure(address: str, order: Order, concurrency: int, seconds: float) -> Found:
    node = Node(name="one", addresses={"csf1": address}, services={"bench.Orders": Provided()})
    async with Caller(by_name("bench/bench/bench/caller"), [node]) as caller:
        orders = caller.client(Orders)
        return await calls(lambda: orders.echo(order), concurrency, seconds)
