"""Relay: a TCP relay in the way of a client, to cut its connection and to keep it away while the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Relay:
    """Passes bytes on between a port of its own and a server's, unless it is cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._silent = False
        self._heard = asyncio.Event()
        self._heard.set()
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def cut(self) -> None:
        """End all connections and refuse new ones."""
        self.hear()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        self.drop()

    def drop(self) -> None:
        """End all connections; new ones are passed on."""
        for writer in list(self._open):
            writer.transport.abort()

    async def mend(self) -> None:
        """Take connections, on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def silence(self) -> None:
        """Keep connections, and pass nothing on."""
        self._heard.clear()

    def hear(self) -> None:
        """Pass on again, what was kept back first."""
        self._heard.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._open.add(far_writer)
            await asyncio.wait(
                [
                    asyncio.create_task(self._pass(reader, far_writer)),
                    asyncio.create_task(self._pass(far_reader, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            self._open.discard(far_writer)
            far_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._heard.wait()
                writer.write(data)
                await writer.drain()
