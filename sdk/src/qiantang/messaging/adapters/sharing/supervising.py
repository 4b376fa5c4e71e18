"""Supervising: one connection to a server, made when it is asked for, and made again after a loss.

After a failure nobody tries for a while, longer each time and by chance: who asks meanwhile is told at once. Each connection has a
number of its own, so that nothing is said on one of what came over another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from qiantang.kernel import errors, observe
from qiantang.kernel.backoff import Backoff
from qiantang.messaging.errors import BusClosedError

log = observe.BoundedLog(logging.getLogger(__name__))

AGAIN_FIRST, AGAIN_LONGEST = 0.1, 5.0


class Connection(Protocol):
    """What is supervised."""

    @property
    def is_opened(self) -> bool:
        """Whether it is there."""
        ...

    def cut(self) -> None:
        """End it at once, saying nothing to the server."""
        ...

    async def end(self) -> None:
        """End it in order; a server that does not answer is cut off."""
        ...


C = TypeVar("C", bound=Connection)


class Supervisor(Generic[C]):
    """Gives the connection that is there, or makes one. `server` and `name` say in the log which it is.

    `make` connects, given the number of the connection. `prepare` gets each that follows a lost one, before anybody else. `longest`
    is how many seconds nobody tries after many failures in a row.
    """

    def __init__(
        self,
        server: str,
        name: str,
        make: Callable[[int], Awaitable[C]],
        prepare: Callable[[C], Awaitable[None]] | None = None,
        *,
        longest: float = AGAIN_LONGEST,
    ) -> None:
        self._server = server
        self._name = name
        self._make = make
        self._prepare = prepare
        self._connection: C | None = None
        self._count = 0
        self._turn = asyncio.Lock()
        self._failure: errors.QiantangError | None = None
        self._backoff = Backoff(AGAIN_FIRST, longest)
        self._again = 0.0
        self._closed = False

    @property
    def is_failing(self) -> bool:
        """Whether no connection could be made when that was tried last."""
        return self._failure is not None and not self._closed

    async def get(self) -> C:
        """Give a connection.

        Raises:
            BrokerAwayError: there is none, and none can be made now.
            UnauthenticatedError, ForbiddenError: the server does not let us in.
        """
        found = self._connection
        if found is not None and found.is_opened:
            return found
        async with self._turn:
            if self._closed:
                raise BusClosedError(f"the connection {self._name} to {self._server} is closed")
            found = self._connection
            if found is not None and found.is_opened:
                return found
            return await self._again_later()

    def drop(self, connection: C) -> None:
        """Cut a connection off that does not answer."""
        connection.cut()
        if self._connection is connection:
            self._connection = None

    async def close(self) -> None:
        """End the connection, and make no more."""
        async with self._turn:
            self._closed = True
            connection, self._connection = self._connection, None
        if connection is not None:
            await connection.end()

    async def _again_later(self) -> C:
        clock = asyncio.get_running_loop().time
        if self._failure is not None and clock() < self._again:
            raise self._failure
        try:
            self._connection = await self._connect()
        except errors.QiantangError as error:
            log.failure(self._name, f"{self._server} cannot be reached, or says no", error=error)
            self._failure = error
            self._again = clock() + self._backoff.next()
            raise
        if self._failure is not None:
            log.recovered(self._name, f"{self._server} is there again")
        self._failure = None
        self._backoff.reset()
        return self._connection

    async def _connect(self) -> C:
        connection = await self._make(self._count + 1)
        if self._count and self._prepare is not None:
            try:
                await self._prepare(connection)
            except BaseException:
                connection.cut()
                raise
        self._count += 1
        return connection
