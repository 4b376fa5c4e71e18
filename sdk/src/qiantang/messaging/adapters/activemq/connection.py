"""Connection: one connection to the server: what is subscribed on it, and who waits for an answer.

It is made once, and never again: a loss is told to all who have to do with it. What comes is told at once, in its order.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable
from typing import Final

from qiantang.messaging.adapters.activemq import failing, frames
from qiantang.messaging.adapters.activemq.failing import RefusedError
from qiantang.messaging.adapters.activemq.incoming import Incoming, Said

ANSWER_SECONDS: Final = 8.0
CLOSE_SECONDS: Final = 2.0
WRITE_SECONDS: Final = 5.0
BEATS: Final = 3
"""So many heartbeats are sent in the time in which one is promised."""
MISSED: Final = 2.5
"""So many heartbeats of the server may be missed."""
BUFFER: Final = 1024 * 1024

Told = Callable[[BaseException | None], None]
"""Hears None for a receipt, the server's error, or `ConnectionError` where the connection is lost."""
Deliver = Callable[[Said], None]


class StompConnection(asyncio.Protocol):
    """See the module. `number` tells it from those before it."""

    def __init__(self, heartbeat: float, number: int) -> None:
        self.number = number
        self.version = ""
        self.is_opened = False
        self.lost: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[Said] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._incoming = Incoming()
        self._numbers = itertools.count(1)
        self._told: dict[str, Told] = {}
        self._subscribed: dict[str, Deliver] = {}
        self._reason: RefusedError | None = None
        self._losses: list[Callable[[], None]] = []
        self._writable = asyncio.Event()
        self._writable.set()
        self._heartbeat = heartbeat
        self._heard = self._loop.time()
        self._doubted = False
        self._beat: asyncio.TimerHandle | None = None

    # -- its life ----------------------------------------------------------------------------------------

    async def open(self, headers: dict[str, str]) -> None:
        """Wait until the server lets us in.

        Raises:
            RefusedError: it does not.
            ConnectionError: the connection is lost.
        """
        self._write(frames.connect(headers))
        said = await self._connected
        self.version = said.headers.get("server", "").partition("/")[2]
        self.is_opened = True
        self._tick()

    def cut(self) -> None:
        """End it at once, saying nothing to the server."""
        if self._transport is not None:
            self._transport.abort()
        self._lose(ConnectionError("it was cut off"))

    async def end(self) -> None:
        """End it in order; a server that does not answer is cut off."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                receipt = self.next()
                await self.ask(f"DISCONNECT\nreceipt:{receipt}\n\n\0".encode(), receipt)
        except (*failing.FAILURES, RefusedError):
            pass
        self.cut()
        await asyncio.sleep(0)

    def when_lost(self, told: Callable[[], None]) -> None:
        """Have somebody told when it is lost, soon where it is already."""
        if self.lost is None:
            self._losses.append(told)
        else:
            self._loop.call_soon(told)

    def not_when_lost(self, told: Callable[[], None]) -> None:
        """Have somebody told of that no more."""
        if told in self._losses:
            self._losses.remove(told)

    # -- saying ------------------------------------------------------------------------------------------

    def next(self) -> str:
        """Give a name for a receipt, a transaction or a subscription that was not used on this connection."""
        return f"{next(self._numbers)}"

    def expect(self, receipt: str, told: Told) -> None:
        """Have somebody told what comes of what is written next and asks for this receipt."""
        self._told[receipt] = told

    async def is_writable(self, wait: float) -> bool:
        """Say whether the server reads what is written, within so many seconds."""
        try:
            async with asyncio.timeout(wait):
                await self._writable.wait()
        except TimeoutError:
            return False
        return True

    async def write(self, data: bytes) -> None:
        """Put frames on their way, all or none of them.

        Raises:
            ConnectionError: the connection is lost.
            TimeoutError: the server has not read what was written before, in time.
        """
        if not self._writable.is_set():
            async with asyncio.timeout(WRITE_SECONDS):
                await self._writable.wait()
        self._write(data)

    def write_now(self, data: bytes) -> None:
        """Put a few bytes on their way, whatever waits to be written; not where the connection is lost."""
        if self.is_opened:
            self._write(data)

    async def ask(self, data: bytes, *receipts: str) -> None:
        """Write frames that ask for these receipts, and wait for all of them.

        Raises:
            RefusedError: the server does not do one of them.
            ConnectionError: the connection is lost.
            TimeoutError: no answer came in time.
        """
        waiting: list[asyncio.Future[None]] = []
        for receipt in receipts:
            future: asyncio.Future[None] = self._loop.create_future()
            self.expect(receipt, functools.partial(_answer, future))
            waiting.append(future)
        try:
            await self.write(data)
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.gather(*waiting)
        finally:
            for future in waiting:
                future.cancel()

    async def wait_for(self, future: asyncio.Future[None]) -> None:
        """Wait for something that comes over this connection.

        Raises:
            ConnectionError: the connection is lost.
            TimeoutError: it did not come in time.
        """
        async with asyncio.timeout(ANSWER_SECONDS):
            await asyncio.wait({future, self._closed}, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise ConnectionError(f"the connection is lost: {self.lost}")

    # -- subscribing -------------------------------------------------------------------------------------

    async def subscribe(self, destination: str, deliver: Deliver, **more: str) -> str:
        """Subscribe, and wait until that is so; give the name of the subscription.

        Raises:
            As `ask`; it is not subscribed then.
        """
        id, headers = self.subscription(destination, deliver, **more)
        receipt = self.next()
        try:
            await self.ask(frames.subscribe({**headers, "receipt": receipt}), receipt)
        except BaseException:
            self.unsubscribe(id)
            raise
        return id

    def unsubscribe(self, id: str) -> None:
        """Be told of a subscription no more, and end it as soon as the server hears that."""
        self.forget(id)
        self.write_now(frames.unsubscribe(id))

    def subscription(self, destination: str, deliver: Deliver, **more: str) -> tuple[str, dict[str, str]]:
        """Have what comes of a subscription told, which is to be written next; give its name, and its headers."""
        id = self.next()
        self._subscribed[id] = deliver
        return id, {"id": id, "destination": destination, **more}

    def forget(self, id: str) -> None:
        """Have nothing told of a subscription any more."""
        self._subscribed.pop(id, None)

    # -- the protocol ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's
        self._transport.set_write_buffer_limits(BUFFER)  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        self._heard, self._doubted = self._loop.time(), False
        try:
            for said in self._incoming.feed(data):
                self._hear(said)
        except ValueError as error:
            self._lose(error)
            self.cut()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(exc or ConnectionError("the server closed it"))

    # -- inside ------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if self.lost is not None or self._transport is None:
            raise ConnectionError(f"the connection is lost: {self.lost}")
        self._transport.write(data)

    def _hear(self, said: Said) -> None:
        if said.command == "MESSAGE":
            deliver = self._subscribed.get(said.headers.get("subscription", ""))
            if deliver is not None:
                deliver(said)
        elif said.command == "RECEIPT":
            self._answered(said.headers.get("receipt-id", ""), None)
        elif said.command == "CONNECTED":
            if not self._connected.done():
                self._connected.set_result(said)
        elif said.command == "ERROR":
            self._refused(RefusedError(said), said.headers.get("receipt-id", ""))

    def _answered(self, receipt: str, error: BaseException | None) -> bool:
        told = self._told.pop(receipt, None)
        if isinstance(error, RefusedError) and self._reason is not None:
            error = self._reason  # of what did not ask for a receipt itself: a transaction is refused for it
        if told is not None:
            self._reason = None
            told(error)
        return told is not None

    def _refused(self, error: RefusedError, receipt: str) -> None:
        """Hear an error: of what was asked, of connecting, or for which the server closes the connection next."""
        if self._answered(receipt, error):
            return
        if not self._connected.done():
            self._connected.set_exception(error)
        elif error.is_too_large:
            self._lose(error)
        else:
            self._reason = error

    def _lose(self, error: BaseException) -> None:
        if self.lost is not None:
            return
        self.lost, self.is_opened = error, False
        if self._beat is not None:
            self._beat.cancel()
        self._writable.set()
        if not self._connected.done():
            self._connected.set_exception(ConnectionError(f"the connection is lost: {error}"))
            self._connected.exception()  # whoever opens it has gone perhaps
        told, self._told = list(self._told.values()), {}
        losses, self._losses = self._losses, []
        self._closed.set_result(None)
        self._subscribed.clear()
        for one in told:
            one(error)
            if isinstance(error, RefusedError):  # it is for the first: the server looked at nothing after it
                error = failing.UntouchedError(f"{error}")
        for loss in losses:
            loss()

    def _tick(self) -> None:
        """Send a heartbeat, and miss the server's; what lies in the buffer after standing still is heard first."""
        if self.lost is not None:
            return
        if self._loop.time() - self._heard > MISSED * self._heartbeat:
            if self._doubted:
                self._lose(ConnectionError(f"nothing was heard of the server for {MISSED * self._heartbeat:g} s"))
                self.cut()
                return
            self._doubted = True
        if self._writable.is_set():
            self._write(b"\n")
        self._beat = self._loop.call_later(self._heartbeat / BEATS, self._tick)


def _answer(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error if isinstance(error, RefusedError) else ConnectionError(f"{error}"))
