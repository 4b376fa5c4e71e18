"""Connection: one to a server of RocketMQ, on which many things are asked at a time, and what makes it anew.

A wait has an end always. A server that does not answer in time is cut off: whatever was asked there gets no answer then.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Mapping

from qiantang.kernel import errors, observe
from qiantang.messaging.adapters.rocketmq import failing, wire
from qiantang.messaging.adapters.rocketmq.address import Address, Host
from qiantang.messaging.adapters.rocketmq.wire import Answer, Code, Command
from qiantang.messaging.adapters.sharing.supervising import Supervisor
from qiantang.messaging.errors import BrokerAwayError, BusClosedError, OutcomeUnknownError, UndecodableError

log = observe.BoundedLog(logging.getLogger(__name__))

CONNECT_SECONDS = 5.0
ASK_SECONDS = 6.0
AGAIN_LONGEST = 2.0

Hear = Callable[[Command], None]


class Connection:
    """One connection that is open. `hear` gets what the server says by itself."""

    def __init__(
        self, address: Address, host: Host, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], hear: Hear
    ) -> None:
        self.host = host
        self.is_opened = True
        self._address = address
        self._hear = hear
        self._reader, self._writer = streams
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Command]] = {}
        self._when_closed: list[Callable[[], None]] = []
        self._task = asyncio.create_task(self._read(), name=f"answers of RocketMQ at {_place(host)}")

    async def call(
        self, code: Code, fields: Mapping[str, str], body: bytes = b"", *, seconds: float = ASK_SECONDS
    ) -> Command:
        """Ask; give the answer, whatever it says.

        Raises:
            BrokerAwayError: nothing was asked: the connection is closed.
            OutcomeUnknownError: no answer came in time, or the connection was lost before; it may have been done.
        """
        if not self.is_opened:
            raise BrokerAwayError(f"the connection to RocketMQ at {_place(self.host)} is lost")
        number = next(self._numbers)
        future: asyncio.Future[Command] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            async with asyncio.timeout(seconds):
                self._write(code, fields, body, number)
                await self._writer.drain()
                return await future
        except TimeoutError as error:
            self.cut()
            raise OutcomeUnknownError(f"RocketMQ at {_place(self.host)} gave no answer within {seconds:g} s") from error
        except OSError as error:
            self.cut()
            raise OutcomeUnknownError(f"the connection to RocketMQ at {_place(self.host)} broke: {error}") from error
        finally:
            self._asked.pop(number, None)
            if future.done() and not future.cancelled():
                future.exception()  # heard, even where the wait ended otherwise

    async def ask(
        self,
        code: Code,
        fields: Mapping[str, str],
        body: bytes = b"",
        *,
        doing: str,
        passing: frozenset[Answer] = frozenset(),
    ) -> Command:
        """Ask; give the answer where it is a good one, or one that is let pass.

        Raises:
            BrokerAwayError: there is no answer, or it is that it cannot now.
            UnknownTopicError, UnauthenticatedError, ForbiddenError, FeatureMissingError: it says no.
        """
        try:
            answer = await self.call(code, fields, body)
        except OutcomeUnknownError as error:
            raise BrokerAwayError(f"{doing}: {error}") from error
        if answer.header.code != Answer.DONE and answer.header.code not in passing:
            raise failing.named(answer, doing)
        return answer

    def when_closed(self, call: Callable[[], None]) -> None:
        """Have something called once the connection is closed."""
        self._when_closed.append(call)

    def cut(self) -> None:
        """Close it at once."""
        if not self.is_opened:
            return
        self.is_opened = False
        self._task.cancel()
        self._writer.transport.abort()
        lost = OutcomeUnknownError(f"the connection to RocketMQ at {_place(self.host)} was lost before it answered")
        for future in self._asked.values():
            if not future.done():
                future.set_exception(lost)
        for call in self._when_closed:
            call()

    async def end(self) -> None:
        """Close it, and wait until its task has ended."""
        self.cut()
        await asyncio.wait({self._task})

    # -- inside ------------------------------------------------------------------------------------------

    def _write(self, code: Code, fields: Mapping[str, str], body: bytes, number: int) -> None:
        address = self._address
        if address.access_key:
            fields = wire.signed(fields, body, address.access_key, address.secret_key)
        self._writer.write(wire.written(code, fields, body, number=number))

    async def _read(self) -> None:
        try:
            while True:
                length = wire.length_of(await self._reader.readexactly(4))
                command = wire.read(await self._reader.readexactly(length))
                if not command.is_answer:
                    self._hear(command)
                elif (future := self._asked.get(command.header.opaque)) is not None and not future.done():
                    future.set_result(command)
        except (OSError, asyncio.IncompleteReadError):
            pass  # whoever waits is told
        except UndecodableError as error:
            log.failure(_place(self.host), "what RocketMQ says is not understood", error=error)
        finally:
            self.cut()


class Remotes:
    """The connections to all servers that somebody needs, one to each, made when it is first asked for and after it was lost."""

    def __init__(self, address: Address, hear: Hear | None = None) -> None:
        self._address = address
        self._hear = hear or _unheard
        self._remotes: dict[Host, _Remote] = {}
        self._closed = False

    async def get(self, host: Host) -> Connection:
        """Give a connection to a server.

        Raises:
            BrokerAwayError: there is none, and none can be made now.
        """
        if self._closed:
            raise BusClosedError(f"the connections to {self._address!r} are closed")
        remote = self._remotes.get(host)
        if remote is None:
            remote = self._remotes[host] = _Remote(self._address, host, self._hear)
        return await remote.get()

    def is_away(self, host: Host) -> bool:
        """Whether a server could not be reached when that was tried last; it is tried again meanwhile."""
        remote = self._remotes.get(host)
        return remote is not None and remote.is_away()

    async def close(self) -> None:
        """Close them all, and make no more."""
        self._closed = True
        remotes, self._remotes = self._remotes, {}
        await asyncio.gather(*(one.close() for one in remotes.values()))


class _Remote:
    """The connection to one server, which is tried meanwhile where somebody only wants to know whether it is away."""

    def __init__(self, address: Address, host: Host, hear: Hear) -> None:
        self._address = address
        self._host = host
        self._hear = hear
        self._supervisor = Supervisor("RocketMQ", _place(host), self._connect, longest=AGAIN_LONGEST)
        self._trying: asyncio.Task[None] | None = None

    def is_away(self) -> bool:
        if not self._supervisor.is_failing:
            return False
        if self._trying is None or self._trying.done():
            self._trying = asyncio.create_task(self._try(), name=f"trying RocketMQ at {_place(self._host)}")
        return True

    async def get(self) -> Connection:
        return await self._supervisor.get()

    async def close(self) -> None:
        if self._trying is not None:
            self._trying.cancel()
            await asyncio.wait({self._trying})
        await self._supervisor.close()

    async def _try(self) -> None:
        with contextlib.suppress(errors.QiantangError):
            await self.get()

    async def _connect(self, _number: int) -> Connection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                tls, name = self._address.tls, self._address.tls_name
                streams = await asyncio.open_connection(*self._host, ssl=tls, server_hostname=name)
        except (OSError, TimeoutError) as error:
            said = str(error) or f"no answer within {CONNECT_SECONDS:g} s"
            raise BrokerAwayError(f"RocketMQ at {_place(self._host)} cannot be reached: {said}") from error
        return Connection(self._address, self._host, streams, self._hear)


async def first_of(remotes: Remotes, hosts: tuple[Host, ...]) -> Connection:
    """Give a connection to the first of some servers that can be reached.

    Raises:
        BrokerAwayError: none of them can.
    """
    failure: errors.QiantangError | None = None
    for host in hosts:
        try:
            return await remotes.get(host)
        except BrokerAwayError as error:
            failure = error
    raise failure or BrokerAwayError("no server of RocketMQ is named")


def _place(host: Host) -> str:
    return f"{host[0]}:{host[1]}"


def _unheard(_command: Command) -> None:
    """Nobody wants what servers say by themselves."""
