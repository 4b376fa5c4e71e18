"""Connecting: how the server is reached, and is asked to let us in."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from qiantang.messaging.adapters.activemq import failing
from qiantang.messaging.adapters.activemq.address import Address
from qiantang.messaging.adapters.activemq.connection import StompConnection
from qiantang.messaging.adapters.activemq.failing import RefusedError
from qiantang.messaging.adapters.sharing.supervising import Supervisor

CONNECT_SECONDS = 5.0

Prepare = Callable[[StompConnection], Awaitable[None]]


def supervisor(address: Address, name: str, prepare: Prepare) -> Supervisor[StompConnection]:
    """Give what has a connection to an address; `name` is what the server shows of it."""
    return Supervisor("ActiveMQ", name, functools.partial(_connect, address, name), prepare)


async def _connect(address: Address, name: str, number: int) -> StompConnection:
    doing = f"connecting to {address!r}"
    connection = StompConnection(address.heartbeat, number)
    beat = f"{address.heartbeat * 1000}"
    headers = {
        "accept-version": "1.2",
        "host": address.host,
        "heart-beat": f"{beat},{beat}",
        "client-id": f"{name}-{number}",
    }
    if address.user:
        headers |= {"login": address.user, "passcode": address.password}
    try:
        with failing.naming(doing):
            async with asyncio.timeout(CONNECT_SECONDS):
                await _reach(address, connection)
                try:
                    await connection.open(headers)
                except RefusedError as error:
                    raise failing.not_let_in(error, doing) from error
    except BaseException:
        connection.cut()
        raise
    return connection


async def _reach(address: Address, connection: StompConnection) -> None:
    loop = asyncio.get_running_loop()
    more: dict[str, Any] = {"ssl": address.tls} if address.tls is not None else {}
    await loop.create_connection(lambda: connection, address.host, address.port, **more)
