"""Serving: a provider answers for services on its addresses, within its limits, and leaves without a failed call."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from typing import Annotated, Final, Self, cast

import msgspec

from qiantang.kernel import errors, wire
from qiantang.kernel.observe import BoundedLog
from qiantang.kernel.tls import is_loopback
from qiantang.rpc.errors import BEGUN, DrainingError, OverloadedError
from qiantang.rpc.model.definition import ServiceDefinition, definition_of, document_of
from qiantang.rpc.model.openapi import openapi_of
from qiantang.rpc.provider.guarding import Guard
from qiantang.rpc.provider.handlers import Handler, handlers_of
from qiantang.rpc.provider.http import HttpSession
from qiantang.rpc.provider.pulse import Pulse
from qiantang.rpc.provider.session import Session
from qiantang.rpc.provider.threads import Threads
from qiantang.rpc.wire import frames
from qiantang.rpc.wire.link import Link
from qiantang.rpc.wire.proof import Admits, LocalGate

HELLO_WITHIN: Final = 5.0
FRAME_WITHIN: Final = 30.0
SILENT_FOR: Final = 60.0
LOOK_SECONDS: Final = 1.0
BACKLOG: Final = 1024

log = logging.getLogger(__name__)


class ProviderSettings(wire.Wire, frozen=True):
    """Limits of a provider. A caller's connection has `connection_calls` calls under way at most, all together `calls`."""

    connections: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 10_000
    calls: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 4_096
    connection_calls: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 1_024
    max_frame: Annotated[int, msgspec.Meta(ge=1 << 10, le=1 << 30)] = frames.MAX_FRAME
    threads: Annotated[int, msgspec.Meta(ge=1, le=512)] = 16
    """For handlers that are plain functions."""
    thread_queue: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 1_024
    """Calls that wait for one of these threads; more are refused."""


class Provider:
    """Answers calls. Of one event loop; open it as an async context manager, which drains at its end.

    `node` is what the provider is called towards its callers and in logs; `gate` says who may call. Without one whoever is on this
    machine may, and the provider listens to nobody else. `guard` takes rules.
    """

    def __init__(self, node: str, settings: ProviderSettings | None = None, *, gate: Admits | None = None) -> None:
        self.node = node
        self.gate = gate or LocalGate()
        self.guard = Guard()
        self.settings = settings or ProviderSettings()
        self.max_frame = self.settings.max_frame
        self.max_calls = self.settings.connection_calls
        self._handlers: list[Handler] = []
        self.services: dict[str, ServiceDefinition] = {}
        self.log = BoundedLog(log)
        self._threads = Threads(node, self.settings.threads, self.settings.thread_queue)
        self._by_path: dict[str, Handler] = {}
        self._sessions: set[Session | HttpSession] = set()
        self._servers: list[asyncio.Server] = []
        self._running = 0
        self._leaving = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._look: asyncio.Task[None] | None = None
        self._pulse: Pulse | None = None

    def add(self, service: type, implementation: object) -> Self:
        """Answer for a service, by an object that has its methods.

        Raises:
            MisconfiguredError: the object lacks one of them, or the service is there already, or the provider serves already.
        """
        definition = definition_of(service)
        if definition.name in self.services:
            raise errors.MisconfiguredError(f"{self.node} answers for service {definition.name} already")
        if self._servers:
            raise errors.MisconfiguredError(f"{self.node} serves already: add {definition.name} before")
        self.services[definition.name] = definition
        found = handlers_of(definition, implementation, self._threads)
        self._handlers += found
        self._by_path |= {f"/{one.definition.path}": one for one in found}
        return self

    async def listen(self, host: str, port: int = 0, *, tls: ssl.SSLContext | None = None) -> str:
        """Answer on a TCP address; give it as host:port.

        Raises:
            MisconfiguredError: others could reach it, and there is no gate or no TLS.
        """
        self._require_safe(host, tls)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept, host, port, ssl=tls, backlog=BACKLOG)
        self._serve(server)
        return _written(server)

    async def listen_http(self, host: str, port: int = 0, *, tls: ssl.SSLContext | None = None) -> str:
        """Answer the same methods over HTTP/1.1 with JSON; give the base URL. Raises what `listen` does."""
        self._require_safe(host, tls)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept_http, host, port, ssl=tls, backlog=BACKLOG)
        self._serve(server)
        return f"{'http' if tls is None else 'https'}://{_written(server)}"

    async def listen_unix(self, path: str) -> str:
        """Answer on a unix socket; give its address."""
        loop = asyncio.get_running_loop()
        self._serve(await loop.create_unix_server(self._accept, path, backlog=BACKLOG))
        return f"unix:{path}"

    async def drain(self, within: float = 30.0) -> None:
        """Take no more calls, and wait until those under way are answered, at most so many seconds; streams are ended then."""
        self._leaving = True
        for server in self._servers:
            server.close()
        for session in self._sessions:
            session.say_goodbye("the node is leaving")
        try:
            async with asyncio.timeout(within):
                await self._idle.wait()
        except TimeoutError:
            leaving = DrainingError(f"{self.node} has left: another node goes on", facts={BEGUN: True})
            for session in list(self._sessions):
                session.end_streams(leaving)

    async def close(self) -> None:
        """End all connections, and what is under way on them."""
        self._leaving = True
        if self._look is not None:
            self._look.cancel()
            await asyncio.gather(self._look, return_exceptions=True)
            self._look = None
        if self._pulse is not None:
            self._pulse.end()
            self._pulse = None
        for server in self._servers:
            server.close()
        for session in list(self._sessions):
            session.close()
        self._threads.close()

    async def __aenter__(self) -> Self:
        """Begin; `listen` opens its addresses."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drain, and end."""
        await self.drain()
        await self.close()

    @property
    def running(self) -> int:
        """How many calls are under way."""
        return self._running

    @property
    def connections(self) -> int:
        """How many callers' connections are open."""
        return len(self._sessions)

    # -- what sessions ask -------------------------------------------------------------------------------

    @property
    def handlers(self) -> Sequence[Handler]:
        """What it answers for; a call names one by its place."""
        return self._handlers

    def may_begin(self) -> errors.QiantangError | None:
        """Count a call, or say why it cannot be taken."""
        if self._leaving:
            return DrainingError(f"{self.node} is leaving: another node answers")
        if self._running >= self.settings.calls:
            return OverloadedError(f"{self.node} has {self._running:,} calls under way, as many as it may have")
        self._running += 1
        if self._running == 1:
            self._idle.clear()
        return None

    def ended(self) -> None:
        """A call has ended."""
        self._running -= 1
        if not self._running:
            self._idle.set()

    def load(self) -> int:
        """Give what it has of what it can take, 0 to 255."""
        return min(255, self._running * 255 // self.settings.calls)

    def left(self, session: Session | HttpSession) -> None:
        """A connection has ended."""
        self._sessions.discard(session)

    # -- inside ------------------------------------------------------------------------------------------

    def _require_safe(self, host: str, tls: ssl.SSLContext | None) -> None:
        if not is_loopback(host) and (tls is None or isinstance(self.gate, LocalGate)):
            raise errors.MisconfiguredError(
                f"{self.node} would listen on {host or 'every address'}, where others can reach it, without "
                f"{'TLS' if tls is None else 'a gate that knows its callers'}"
            )

    def _serve(self, server: asyncio.Server) -> None:
        self._servers.append(server)
        if self._look is None:
            self._look = asyncio.create_task(self._look_at_all(), name=f"connections of {self.node}")
            self._pulse = Pulse(self.guard.load, self.log, self._threads).begin()

    def _accept(self) -> asyncio.Protocol:
        if len(self._sessions) >= self.settings.connections or self._leaving:
            return _Refused()
        link = Link(answers=True, max_frame=self.max_frame)
        self._sessions.add(Session(link, self))
        return link

    def _accept_http(self) -> asyncio.Protocol:
        if len(self._sessions) >= self.settings.connections or self._leaving:
            return _Refused()
        session = HttpSession(self, self._by_path, self._described)
        self._sessions.add(session)
        return session

    def _described(self) -> bytes:
        documents = [document_of(one) for one in self.services.values()]
        return msgspec.json.encode(openapi_of(documents, f"Services of {self.node}"))

    async def _look_at_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = loop.time()
            for session in list(self._sessions):
                session.look(now, HELLO_WITHIN, FRAME_WITHIN, SILENT_FOR)


def _written(server: asyncio.Server) -> str:
    bound = server.sockets[0].getsockname()
    return f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"


class _Refused(asyncio.Protocol):
    """A connection that there is no room for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """End it at once."""
        cast("asyncio.Transport", transport).abort()
