"""Load: so many callers, each of which calls again once it has its answer, for a while."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import msgspec

from bench.figures import quantile


class Found(msgspec.Struct):
    """Calls a second, and how long they took, in microseconds."""

    per_s: float
    p50_us: float
    p99_us: float


class Order(msgspec.Struct):
    """What is sent and comes back: seven fields, 227 bytes as msgpack."""

    number: str
    customer: str
    articles: list[str]
    amount: float
    paid: bool
    note: str
    at: int


ORDER = Order(
    "0190b5a2-7c11-7abc-8def-0123456789ab",
    "customer-0815",
    ["green tea, 250 g"] * 2,
    42.5,
    True,
    "n" * 40,
    1_790_000_000,
)
WARM_SECONDS = 0.3


async def calls(call: Callable[[], Awaitable[object]], concurrency: int, seconds: float) -> Found:
    """Call from coroutines."""
    await _calls(call, concurrency, WARM_SECONDS)
    return await _calls(call, concurrency, seconds)


async def _calls(call: Callable[[], Awaitable[object]], concurrency: int, seconds: float) -> Found:
    took: list[float] = []
    began = time.perf_counter()
    ends = began + seconds

    async def one() -> None:
        at = time.perf_counter()
        while at < ends:
            await call()
            now = time.perf_counter()
            took.append(now - at)
            at = now

    await asyncio.gather(*(one() for _ in range(concurrency)))
    return _found(took, time.perf_counter() - began)


def threaded(make: Callable[[], Callable[[], object]], concurrency: int, seconds: float) -> Found:
    """Call from threads; `make` gives each its own way to call."""
    ways = [make() for _ in range(concurrency)]
    _threaded(ways, WARM_SECONDS)
    return _threaded(ways, seconds)


def _threaded(ways: list[Callable[[], object]], seconds: float) -> Found:
    took: list[list[float]] = [[] for _ in ways]
    began = time.perf_counter()
    ends = began + seconds

    def one(call: Callable[[], object], own: list[float]) -> None:
        at = time.perf_counter()
        while at < ends:
            call()
            now = time.perf_counter()
            own.append(now - at)
            at = now

    threads = [threading.Thread(target=one, args=(call, own)) for call, own in zip(ways, took, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _found([one for own in took for one in own], time.perf_counter() - began)


def _found(took: list[float], seconds: float) -> Found:
    return Found(len(took) / seconds, quantile(took, 0.5) * 1e6, quantile(took, 0.99) * 1e6)
