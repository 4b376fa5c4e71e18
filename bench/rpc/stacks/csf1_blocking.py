"""csf1 called from threads that block; served as `csf1` is."""

from __future__ import annotations

from bench.rpc.stacks.csf1 import Orders, serve
from bench.rpc.stacks.load import ORDER, Found, threaded
from qiantang.registry.model import Node, Provided
from qiantang.rpc.client.blocking import BlockingCaller
from qiantang.rpc.client.introducing import by_name

__all__ = ["measure", "serve"]


def measure(address: str, concurrency: int, seconds: float) -> Found:
    node = Node(name="one", addresses={"csf1": address}, services={"bench.Orders": Provided()})
    with BlockingCaller(by_name("bench/bench/bench/caller"), [node]) as caller:
        orders = caller.client(Orders)
        return threaded(lambda: lambda: orders.echo(ORDER), concurrency, seconds)
