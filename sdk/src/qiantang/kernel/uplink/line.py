"""Line: a connected socket of the runtime's loop, plain or under TLS.

asyncio's own transports are not used: a forked child could not let go of them without a warning or a word on
the wire. A line is a plain socket that the runtime closes in the child, and TLS is done in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from qiantang.kernel import errors, runtime
from qiantang.kernel.tls import client_context
from qiantang.kernel.uplink.address import Address

T = TypeVar("T")

RECEIVE_BYTES = 65_536


class UnreachableError(errors.UnavailableError):
    """No connection to the server: nothing was sent."""

    code = "uplink.unreachable"


class BrokenError(errors.UnavailableError):
    """The line broke after something was sent: whether it took effect is unknown."""

    code = "uplink.broken"


class Tls(msgspec.Struct, frozen=True):
    """How to trust the servers and prove oneself: the system's authorities unless a file is named."""

    authority_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


@functools.lru_cache(maxsize=16)
def tls_context(tls: Tls) -> ssl.SSLContext:
    """Give the context for these options: one for all the clients in the process that share them.

    Raises:
        MisconfiguredError: a file cannot be read or is not what it should be.
    """
    try:
        return client_context(authority=tls.authority_file, certificate=tls.certificate_file, key=tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise errors.MisconfiguredError(
            f"cannot set up TLS to the servers: {error}; check {tls.authority_file}, "
            f"{tls.certificate_file} and {tls.key_file}"
        ) from error


class Line:
    """A plain line. One task at a time sends or receives; `close` is heard by nobody but the kernel."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self._loop.sock_sendall(self._socket, data)

    async def receive(self) -> bytes:
        """Give the next bytes, b"" at the end."""
        return await self._loop.sock_recv(self._socket, RECEIVE_BYTES)

    def idle_and_open(self) -> bool:
        """Say whether a line at rest is still good: neither closed by the far side nor with bytes astray."""
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK)) and self._may_have_bytes()
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _may_have_bytes(self) -> bool:
        return False

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


class TlsLine(Line):
    """A line under TLS, done in memory over the socket."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(connection)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def handshake(self) -> None:
        """Agree on keys and check the server's certificate."""
        await self._drive(self._tls.do_handshake)

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self._drive(functools.partial(self._tls.write, data))

    async def receive(self) -> bytes:
        """Give the next bytes, b"" at the end."""
        try:
            return await self._drive(functools.partial(self._tls.read, RECEIVE_BYTES))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def _may_have_bytes(self) -> bool:
        return True  # a session ticket; a close notice is found out by the first read

    async def _drive(self, step: Callable[[], T]) -> T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                self._feed(await super().receive())
            else:
                await self._flush()
                return result

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await super().send(self._outgoing.read())


async def dial(address: Address, tls: Tls, seconds: float) -> Line:
    """Connect, trying each of the host's addresses in turn.

    Raises:
        UnreachableError: not connected within `seconds`, or the server's certificate is not trusted.
    """
    context = tls_context(tls) if address.encrypted else None
    try:
        async with asyncio.timeout(seconds):
            connection = await _connect(address)
            if context is None:
                return Line(connection)
            return await _secure(connection, context, address.host)
    except TimeoutError as error:
        raise UnreachableError(f"{address} did not answer within {seconds:g} s") from error
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"cannot connect to {address}: {error}") from error


async def _connect(address: Address) -> socket.socket:
    problem: OSError = OSError(f"the name {address.host} has no address")
    for family, kind, protocol, _name, place in await _resolve(address.host, address.port):
        try:
            return await _connect_to(family, kind, protocol, place)
        except OSError as error:
            problem = error
    raise problem


async def _resolve(host: str, port: int) -> list[tuple[Any, ...]]:
    look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    with contextlib.suppress(socket.gaierror):
        return look_up(flags=socket.AI_NUMERICHOST)  # no look-up, so no thread
    return await runtime.offload(look_up)


async def _connect_to(family: int, kind: int, protocol: int, place: Any) -> socket.socket:
    connection = socket.socket(family, kind, protocol)
    try:
        runtime.own(connection)
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await asyncio.get_running_loop().sock_connect(connection, place)
    except BaseException:
        connection.close()
        raise
    return connection


async def _secure(connection: socket.socket, context: ssl.SSLContext, host: str) -> TlsLine:
    line = TlsLine(connection, context, host)
    try:
        await line.handshake()
    except BaseException:
        line.close()
        raise
    return line
