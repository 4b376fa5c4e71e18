"""Connection: one connection to the server, which `sharing.supervising` makes when it is asked for."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final

import pamqp.frame
from aiormq import spec
from aiormq.connection import Connection as PlainConnection
from aiormq.connection import FrameReceiver, SSLContextProvider, TransportFactory
from aiormq.exceptions import AMQPConnectionError, AMQPError, ConnectionClosed, ProbableAuthenticationError
from pamqp.frame import FrameTypes
from yarl import URL

from qiantang.messaging.adapters.rabbitmq import failing
from qiantang.messaging.adapters.rabbitmq.address import Address
from qiantang.messaging.adapters.rabbitmq.channels import Answers, Channel
from qiantang.messaging.adapters.rabbitmq.incoming import Incoming
from qiantang.messaging.adapters.sharing.supervising import Supervisor
from qiantang.messaging.errors import BrokerAwayError

CONNECT_SECONDS: Final = 5.0
RPC_SECONDS: Final = 8.0
CLOSE_SECONDS: Final = 2.0
FAILURES = (AMQPError, OSError, TimeoutError, RuntimeError, asyncio.CancelledError)
"""What the library raises of a connection or channel that is lost; cancelled is what waited for it."""

Prepare = Callable[["RabbitConnection"], Awaitable[None]]


class _Transports(TransportFactory):
    """Keeps what it makes: to take messages out of what comes, and to cut it off."""

    incoming: Incoming

    def __init__(self) -> None:
        self.writer: asyncio.StreamWriter | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        provider: SSLContextProvider = kwargs.pop("ssl_context_provider")
        context = await provider.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        self.incoming = Incoming(loop)
        protocol = asyncio.StreamReaderProtocol(self.incoming, loop=loop)
        host, port = url.host or "", url.port or 0  # both are there: the address was read
        try:
            transport, _ = await loop.create_connection(lambda: protocol, host, port, ssl=context, **kwargs)
        except OSError as error:
            raise AMQPConnectionError(*error.args) from error
        self.writer = asyncio.StreamWriter(transport, protocol, self.incoming, loop)
        return self.incoming, self.writer


class RabbitConnection(PlainConnection):
    """A plain connection, that is made once. `number` tells it from those before it."""

    def __init__(self, url: URL, number: int) -> None:
        self._transports = _Transports()
        super().__init__(url, transport_factory=self._transports)
        self.number = number

    async def channel_for(self, answers: Answers | None = None) -> Channel:
        """Open a channel.

        Raises:
            BrokerAwayError: it cannot be opened.
        """
        number = next(one for one in range(1, 65536) if one not in self.channels)
        channel = Channel(self, number, self.cut, answers)
        self.channels[number] = channel
        self._transports.incoming.takers[number] = channel
        with naming("opening a channel"):
            await channel.open(timeout=RPC_SECONDS)
        return channel

    async def is_blocked(self, wait: float) -> bool:
        """Say whether the server takes nothing on this connection for want of memory or disk, still after so many seconds."""
        try:
            async with asyncio.timeout(wait):
                await self.ready()
        except TimeoutError:
            return True
        return False

    def cut(self) -> None:
        """End it at once, saying nothing to the server."""
        if self._transports.writer is not None:
            self._transports.writer.transport.abort()

    async def end(self) -> None:
        """End it in order; a server that does not answer is cut off."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.close(None)
        except FAILURES:
            self.cut()
            await asyncio.sleep(0)

    @staticmethod
    async def _rpc(
        request: Any, writer: asyncio.StreamWriter, frame_receiver: FrameReceiver, wait_response: bool = True
    ) -> FrameTypes | None:
        """Ask during the handshake: aiormq's own does not tell why the server says no."""
        writer.write(pamqp.frame.marshal(request, 0))
        await writer.drain()
        if not wait_response:
            return None
        frame = (await frame_receiver.get_frame())[2]
        if isinstance(frame, spec.Connection.Close):
            if frame.reply_code == failing.ACCESS_REFUSED:
                raise ProbableAuthenticationError(frame.reply_text)
            raise ConnectionClosed(frame.reply_code, frame.reply_text)
        return frame


def supervisor(address: Address, name: str, prepare: Prepare) -> Supervisor[RabbitConnection]:
    """Give what has a connection to an address, of this name."""
    return Supervisor("RabbitMQ", name, functools.partial(_connect, address, name), prepare)


async def _connect(address: Address, name: str, number: int) -> RabbitConnection:
    connection = RabbitConnection(address.client_url(name), number)
    plain: Any = connection  # annotated in part only
    try:
        with naming(f"connecting to {address!r}"):
            async with asyncio.timeout(CONNECT_SECONDS):
                await plain.connect()
    except BaseException:
        connection.cut()
        raise
    return connection


@contextlib.contextmanager
def naming(doing: str, but: type[Exception] | tuple[()] = ()) -> Generator[None]:
    """Raise errors of ours for those of the library, `but` for some, and for a wait that the loss of its channel cancelled."""
    try:
        yield
    except but:
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerAwayError(f"RabbitMQ: {doing} was broken off: the connection was lost") from error
    except (*FAILURES, ValueError) as error:
        raise failing.named(error, doing) from error
