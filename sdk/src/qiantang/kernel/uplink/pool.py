"""Pool: the bounded set of an uplink's connections; those at rest are used again, or closed in time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator

from qiantang.kernel.uplink.address import Address
from qiantang.kernel.uplink.http import Connection
from qiantang.kernel.uplink.line import Tls

REST_SECONDS = 20.0


class Pool:
    """At most `limit` exchanges at a time. Belongs to one loop; a forked child makes a new one."""

    def __init__(self, limit: int, tls: Tls) -> None:
        self._places = asyncio.Semaphore(limit)
        self._tls = tls
        self._resting: list[Connection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    @contextlib.asynccontextmanager
    async def connection(self, address: Address, connect_timeout: float, *, fresh: bool) -> AsyncGenerator[Connection]:
        """Lend a connection: one at rest unless it must be `fresh`, else a new one.

        Raises:
            UnreachableError: no new connection within the timeout.
        """
        async with self._places:
            taken = None if fresh else self._take(address)
            connection = taken or await Connection.open(address, self._tls, connect_timeout)
            try:
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Close the connections at rest; those lent out are closed when they come back."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        while self._resting:
            self._resting.pop().close()

    def _take(self, address: Address) -> Connection | None:
        for connection in reversed(self._resting):
            if connection.address == address:
                self._resting.remove(connection)
                if connection.reusable:
                    return connection
                connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        if self._closed or not connection.reusable:
            connection.close()
            return
        self._resting.append(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(REST_SECONDS, self._close_rested)

    def _close_rested(self) -> None:
        old = time.monotonic() - REST_SECONDS
        for connection in [one for one in self._resting if one.idle_since <= old]:
            self._resting.remove(connection)
            connection.close()
        self._sweep = None
        if self._resting:
            self._sweep = asyncio.get_running_loop().call_later(REST_SECONDS, self._close_rested)
