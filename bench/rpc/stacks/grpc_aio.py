"""grpc.aio on its own server, both on asyncio's loop, one channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from bench.rpc.stacks.csf1 import LARGE
from bench.rpc.stacks.grpc_message import METHOD, OPTIONS, Message, serialize, written
from bench.rpc.stacks.load import ORDER, Found, Order, calls


async def _echo(message: Any, _context: Any) -> Any:
    return message


async def serve(ready: Callable[[str], None]) -> None:
    server = grpc.aio.server(options=OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(_echo, Message.FromString, serialize)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bench.Orders", {"echo": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    ready(f"{port}")
    await server.wait_for_termination()


async def measure(address: str, concurrency: int, seconds: float) -> Found:
    return await _measure(address, ORDER, concurrency, seconds)


async def measure_large(address: str, concurrency: int, seconds: float) -> Found:
    return await _measure(address, LARGE, concurrency, seconds)


async def _measure(address: str, order: Order, concurrency: int, seconds: float) -> Found:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{address}", options=OPTIONS) as channel:
        echo = channel.unary_unary(METHOD, serialize, Message.FromString)

        async def call() -> object:
            return await echo(written(order), timeout=10)

        return await calls(call, concurrency, seconds)
