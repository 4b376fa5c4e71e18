"""Failover: three providers under load, one of which is killed with -9; an idempotent method."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import ExitStack

import uvloop

from bench.children import Child
from bench.figures import Value, quantile, rounded
from bench.rpc.calls import ANSWER_SECONDS
from bench.rpc.stacks.csf1 import Orders
from bench.rpc.stacks.load import ORDER
from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name

PROVIDERS = 3
CONCURRENCY = 16
BEFORE_SECONDS = 4.0
EVENT_SECONDS = 2.0
"""What counts as during the event: from the kill on."""


def measure() -> dict[str, Value]:
    """Kill one of three, and say how many calls failed and how late they were."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Child("bench.rpc.ends", "csf1", "serve")) for _ in range(PROVIDERS)]
        addresses = [one.answer(ANSWER_SECONDS)["address"] for one in servers]
        failed, before, during = uvloop.run(_run(addresses, servers[0].pid))
    return {
        "failover_failed_calls": failed,
        "failover_p99_ratio": rounded(quantile(during, 0.99) / quantile(before, 0.99)),
        "failover_calls": len(during),
        "failover_p99_before_ms": rounded(quantile(before, 0.99) * 1e3),
        "failover_p99_during_ms": rounded(quantile(during, 0.99) * 1e3),
    }


async def _run(addresses: list[str], victim: int) -> tuple[int, list[float], list[float]]:
    nodes = [
        Node(name=f"n{number}", addresses={"csf1": address}, services={"bench.Orders": Provided()})
        for number, address in enumerate(addresses)
    ]
    async with Caller(by_name("bench/bench/bench/caller"), nodes) as caller:
        load = _Load(caller.client(Orders))
        tasks = [asyncio.create_task(load.run()) for _ in range(CONCURRENCY)]
        await asyncio.sleep(1.0)
        before = await load.during(BEFORE_SECONDS)
        os.kill(victim, signal.SIGKILL)
        during = await load.during(EVENT_SECONDS)
        load.ends = True
        await asyncio.gather(*tasks)
    return load.failed, before, during


class _Load:
    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._took: list[float] = []
        self.failed = 0
        self.ends = False

    async def during(self, seconds: float) -> list[float]:
        took: list[float] = []
        self._took = took
        await asyncio.sleep(seconds)
        return list(took)

    async def run(self) -> None:
        while not self.ends:
            began = time.perf_counter()
            try:
                await self._orders.echo(ORDER)
            except errors.QiantangError:
                self.failed += 1
            self._took.append(time.perf_counter() - began)
