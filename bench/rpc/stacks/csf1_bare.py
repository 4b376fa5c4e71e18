"""csf1 without rules: one connection, one attempt, no choice; served as `csf1` is."""

from __future__ import annotations

import time
from typing import Any, cast

from bench.rpc.stacks.csf1 import Orders, serve
from bench.rpc.stacks.load import ORDER, Found, calls
from qiantang.rpc.client import exchange
from qiantang.rpc.client.connection import connect
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.client.stubs import Stub
from qiantang.rpc.model.context import NO_CALL
from qiantang.rpc.model.definition import MethodDefinition, definition_of

__all__ = ["measure", "serve"]


async def measure(address: str, concurrency: int, seconds: float) -> Found:
    connection = await connect(address, by_name("bench/bench/bench/caller"))
    definition = definition_of(Orders)

    async def call(method: MethodDefinition, arguments: Any) -> Any:
        body, now = exchange.written(method, arguments), time.monotonic()
        timeout = exchange.timeout_left(method, method.options.timeout, NO_CALL, now)
        header = exchange.header_of(method, connection.methods, NO_CALL, left=timeout, attempt=0, priority=1)
        return exchange.result_of(method, connection.node, await connection.call(header, body, now + timeout))

    orders = cast("Orders", Stub(definition.name, definition.methods, call, _no_streams))
    found = await calls(lambda: orders.echo(ORDER), concurrency, seconds)
    await connection.close()
    return found


def _no_streams(method: MethodDefinition, _arguments: Any, _outgoing: Any) -> Any:
    raise NotImplementedError(method.path)
