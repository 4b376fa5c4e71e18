"""grpc with threads: sixteen in the server, one for each caller, one channel."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from bench.rpc.stacks.grpc_message import METHOD, OPTIONS, Message, serialize, written
from bench.rpc.stacks.load import Found, threaded


def _echo(message: Any, _context: Any) -> Any:
    return message


def serve(ready: Callable[[str], None]) -> None:
    server = grpc.server(ThreadPoolExecutor(16), options=OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(_echo, Message.FromString, serialize)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("bench.Orders", {"echo": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ready(f"{port}")
    server.wait_for_termination()


def measure(address: str, concurrency: int, seconds: float) -> Found:
    with grpc.insecure_channel(f"127.0.0.1:{address}", options=OPTIONS) as channel:
        echo = channel.unary_unary(METHOD, serialize, Message.FromString)
        return threaded(lambda: lambda: echo(written(), timeout=10), concurrency, seconds)
