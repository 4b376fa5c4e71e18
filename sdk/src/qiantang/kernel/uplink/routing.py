"""Routing: takes one call to a server that is well, and on to the next one where that is safe."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import TypeVar

import msgspec

from qiantang.kernel import errors, protocol, wire
from qiantang.kernel.uplink.address import Address
from qiantang.kernel.uplink.addresses import AddressBook
from qiantang.kernel.uplink.events import Event, EventStream
from qiantang.kernel.uplink.http import Request
from qiantang.kernel.uplink.line import BrokenError, UnreachableError
from qiantang.kernel.uplink.servers import ServerChoice

R = TypeVar("R")

MIN_ATTEMPT_SECONDS = 0.25
MIN_HEARTBEAT_SECONDS = 0.1
USER_AGENT = "qiantang-sdk"
EVENT_STREAM = "text/event-stream"


class Call(msgspec.Struct, frozen=True):
    """One call, before it is known which server takes it; `body` is made anew for each server tried."""

    method: str
    target: str
    body: Callable[[], bytes]
    idempotent: bool
    token: str = ""
    accept: str = "application/json"
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Never show the token or the body."""
        return f"Call({self.method} {self.target})"

    def request(self) -> Request:
        """Spell it out."""
        encoding = "identity" if self.accept == EVENT_STREAM else "gzip"
        headers = [("accept", self.accept), ("accept-encoding", encoding), ("user-agent", USER_AGENT)]
        headers += self.headers
        body = self.body()
        if body:
            headers.append(("content-type", self.content_type))
        if self.token:
            headers.append(("authorization", f"Bearer {self.token}"))
        return Request(method=self.method, target=self.target, headers=headers, body=body)


Attempt = Callable[[Address, Call], Awaitable[R]]


@contextlib.asynccontextmanager
async def until(seconds: float, error: Callable[[], errors.QiantangError]) -> AsyncGenerator[None]:
    """Bound a block in time; only the bound's own timeout becomes `error()`."""
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            yield
    except TimeoutError as timeout:
        if not timer.expired():
            raise
        raise error() from timeout


class Router:
    """Knows the servers and their health, and learns of both from every call and from what streams tell."""

    def __init__(self, book: AddressBook, chance: random.Random) -> None:
        self._book = book
        self._choice = ServerChoice(chance)
        self._heard_of: tuple[Address, ...] = ()
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def known(self) -> tuple[Address, ...]:
        """All known servers."""
        return self._book.known

    def after_fork(self) -> None:
        """Forget the parent's chores."""
        self._chores = set()
        self._book.after_fork()

    def close(self) -> None:
        """Stop the chores."""
        for chore in list(self._chores):
            chore.cancel()

    async def anywhere(self, call: Call, attempt: Attempt[R], ends: float) -> R:
        """Try the servers in turn, each with its share of the time left until `ends` on the loop's clock.

        Raises:
            UnavailableError: none of them could take it, or the first one broke off a call that is not
            idempotent.
        """
        loop = asyncio.get_running_loop()
        servers = await self._servers()
        problem: errors.QiantangError | None = None
        for index, address in enumerate(servers):
            share = max(MIN_ATTEMPT_SECONDS, (ends - loop.time()) / (len(servers) - index))
            try:
                return await self._on_one(address, call, attempt, share)
            except errors.UnavailableError as error:
                problem = error
                self._choice.failed(address, loop.time(), error.retry_after)
                if not (call.idempotent or isinstance(error, UnreachableError)):
                    raise
        raise problem or UnreachableError("no server of the control plane is known yet")

    async def _on_one(self, address: Address, call: Call, attempt: Attempt[R], share: float) -> R:
        try:
            async with until(share, lambda: _silent(address, call, share)):
                result = await attempt(address, call)
        except errors.UnavailableError:
            raise
        except errors.QiantangError:
            self._choice.succeeded(
                address, asyncio.get_running_loop().time()
            )  # it answered: what it said is another matter
            raise
        self._choice.succeeded(address, asyncio.get_running_loop().time())
        return result

    async def _servers(self) -> list[Address]:
        now = asyncio.get_running_loop().time()
        if self._book.due(now):
            look_up = self._chore(self._book.look_up(now))
            if not self._book.known:
                await asyncio.shield(look_up)
        if self._book.known is not self._heard_of:
            self._heard_of = self._book.known
            self._choice.know(self._heard_of)
        return self._choice.candidates(now)

    def heed(self, stream: EventStream, event: Event) -> None:
        """Learn what an event of a stream says of the servers and of the heartbeat."""
        with contextlib.suppress(errors.InvalidRequestError):
            if event.name == "hello":
                hello = wire.decode(event.data, protocol.Hello)
                stream.heartbeat_seconds = max(MIN_HEARTBEAT_SECONDS, hello.heartbeat_seconds)
                self._told(hello.servers)
            elif event.name == "servers":
                self._told(wire.decode(event.data, protocol.Servers).servers)
            elif event.name == "goodbye":
                now = asyncio.get_running_loop().time()
                self._choice.left(stream.address, now)

    def _told(self, servers: list[str]) -> None:
        if self._book.told(servers):
            self._chore(self._book.save())

    def _chore(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        chore = asyncio.ensure_future(work)
        self._chores.add(chore)
        chore.add_done_callback(self._chores.discard)
        return chore


def _silent(address: Address, call: Call, seconds: float) -> BrokenError:
    return BrokenError(f"{address} did not answer {call.target} within {seconds:.3g} s")
