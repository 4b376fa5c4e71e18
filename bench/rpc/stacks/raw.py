"""Raw: a loop that gives back what it reads, on one connection with many requests under way: the limit, without any codec."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import msgspec

from bench.rpc.stacks.load import ORDER, Found, calls

BODY = msgspec.msgpack.encode(ORDER)


class Echo(asyncio.Protocol):
    """Gives back what it reads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class Asks(asyncio.Protocol):
    """Sends, and tells who waits once as much has come back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._left = 0
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._left += len(data)
        while self._left >= len(BODY):
            self._left -= len(BODY)
            self._waiting.popleft().set_result(None)

    def ask(self) -> asyncio.Future[None]:
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        self._transport.write(BODY)
        return waiting


async def serve(ready: Callable[[str], None]) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    ready(f"{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


async def measure(address: str, concurrency: int, seconds: float) -> Found:
    _, asks = await asyncio.get_running_loop().create_connection(Asks, "127.0.0.1", int(address))
    return await calls(asks.ask, concurrency, seconds)
