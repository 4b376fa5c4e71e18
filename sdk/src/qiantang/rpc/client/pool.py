"""Pool: the connections of one process to one node: one, and more only where that has more calls under way than it should."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, Final

from qiantang.kernel import errors
from qiantang.kernel.backoff import Backoff
from qiantang.rpc.client.connection import CONNECT_SECONDS, Connection, Introduces, connect
from qiantang.rpc.errors import NodeAwayError, NoTokenError, ProtocolError

MOST_CONNECTIONS: Final = 4
CROWDED_FROM: Final = 256
LEAVE_SECONDS: Final = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


class NodePool:
    """Of one node. While it cannot be reached, calls are told so at once, and one tries again after a pause that grows.

    `failed` is told each time that nothing answers there, or something that is no provider.
    """

    def __init__(
        self,
        address: str,
        introduce: Introduces,
        tls: ssl.SSLContext | None = None,
        failed: Callable[[], None] | None = None,
    ) -> None:
        self.address = address
        self._introduce = introduce
        self._tls = tls
        self._failed = failed
        self._connections: list[Connection] = []
        self._opening: asyncio.Task[Connection] | None = None
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._not_before = 0.0
        self._why: errors.QiantangError | None = None
        self._closed = False

    def ready(self) -> Connection | None:
        """Give a connection that takes a call now, without waiting; opens another beside it where it is crowded."""
        best: Connection | None = None
        for one in self._connections:
            if one.takes_calls and (best is None or len(one) < len(best)):
                best = one
        if best is not None and len(best) > CROWDED_FROM and len(self._connections) < MOST_CONNECTIONS:
            self._open()
        return best

    async def connection(self, deadline: float) -> Connection:
        """Give a connection that takes a call, at the deadline on the loop's clock at the latest.

        Raises:
            NodeAwayError: the node cannot be reached, or not in time.
        """
        found = self.ready()
        if found is not None:
            return found
        if self._closed:
            raise NodeAwayError(f"the connections to {self.address} are closed")
        loop = asyncio.get_running_loop()
        if self._why is not None and loop.time() < self._not_before:
            raise NodeAwayError(f"{self.address} is away: {self._why.detail}")
        opening = self._open()
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.shield(opening)
        except TimeoutError:
            raise NodeAwayError(f"{self.address} could not be connected to within the time of the call") from None

    async def close(self, within: float = LEAVE_SECONDS) -> None:
        """End all connections, once what is under way on them is answered, or so many seconds have passed."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        connections, self._connections = self._connections, []
        await asyncio.gather(*(one.close(within) for one in connections))

    def _open(self) -> asyncio.Task[Connection]:
        if self._opening is None or self._opening.done():
            self._connections = [one for one in self._connections if one.takes_calls or len(one)]
            self._opening = asyncio.create_task(self._connect(), name=f"connect to {self.address}")
            self._opening.add_done_callback(look_at)
        return self._opening

    async def _connect(self) -> Connection:
        try:
            connection = await connect(self.address, self._introduce, tls=self._tls, within=CONNECT_SECONDS)
        except NoTokenError:
            raise  # it says nothing of the node
        except errors.QiantangError as error:
            self._why = error
            self._not_before = asyncio.get_running_loop().time() + self._backoff.next()
            if self._failed is not None and isinstance(error, NodeAwayError | ProtocolError):
                self._failed()
            raise
        self._why = None
        self._backoff.reset()
        self._connections.append(connection)
        return connection


def look_at(task: asyncio.Task[Any]) -> None:
    """Have looked at why it failed: whoever waits hears it, and where nobody does it is no fault of the program."""
    if not task.cancelled():
        with contextlib.suppress(BaseException):
            task.exception()
