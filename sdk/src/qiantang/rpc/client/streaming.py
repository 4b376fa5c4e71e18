"""Streaming: calls whose results or arguments are streams, through the same rules as all calls: one call from begin to end.

Until its first item came such a call is made again elsewhere as any other, unless something was taken of what the caller streams;
after that never. What rules and balance take as its time is that until the first item.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from qiantang.kernel import errors
from qiantang.rpc.client import exchange
from qiantang.rpc.client.asking import Asked, span_of
from qiantang.rpc.client.connection import Connection
from qiantang.rpc.client.going import Going
from qiantang.rpc.client.governing import Governor
from qiantang.rpc.client.pool import NodePool
from qiantang.rpc.client.targets import Target
from qiantang.rpc.errors import DeadlineError, InvalidArgumentsError, UnreadableResultError
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.model.streams import GIVES, TAKES
from qiantang.rpc.wire.frames import Bytes
from qiantang.rpc.wire.streams import Stream

Nodes = Governor[Target[NodePool]]


class Streaming:
    """The calls of one caller that stream."""

    def __init__(self, governor: Nodes) -> None:
        self._governor = governor

    def open(self, method: MethodDefinition, arguments: Any, outgoing: Any) -> Any:
        """Give an async iterator of what a method gives, or what gives its result when it is awaited. Nothing is called before.

        Raises:
            InvalidArgumentsError: a value cannot be carried, or what is to be streamed is no async iterator.
        """
        stream = _iterator(method, outgoing) if method.streams & TAKES else None
        asked = Asked(method, arguments, exchange.written(method, arguments), current.get(), stream)
        return self._items(asked) if method.streams & GIVES else self._result(asked)

    async def _items(self, asked: Asked) -> AsyncGenerator[Any]:
        call, failure = StreamedCall(self._governor, asked), None
        try:
            body = await call.first()
            while body:
                yield exchange.result_of(asked.method, call.node, body)
                body = await call.next()
        except BaseException as error:
            failure = error
            raise
        finally:
            await call.end(failure)

    async def _result(self, asked: Asked) -> Any:
        call, failure = StreamedCall(self._governor, asked), None
        try:
            return exchange.result_of(asked.method, call.node, await call.first() or b"")
        except BaseException as error:
            failure = error
            raise
        finally:
            await call.end(failure)


class StreamedCall:
    """One call on its way, with all its attempts; `end` follows. It begins to count when it is made."""

    def __init__(self, governor: Nodes, asked: Asked) -> None:
        self.node = ""
        self._asked = asked
        self._going: Going[Target[NodePool]] = governor.begin(
            asked.method, asked.arguments, asked.above, time.monotonic()
        )
        self._span = span_of(self._going.ticket, asked.above)
        self._open: tuple[Connection, Stream, asyncio.Future[Bytes]] | None = None
        self._pump: asyncio.Task[None] | None = None
        self._was_taken = False
        self._own: Exception | None = None
        self._has_begun = False

    async def first(self) -> Bytes | None:
        """Give the first item, or the result; None where the stream ended without one.

        Raises:
            QiantangError: what befell the last attempt.
        """
        going = self._going
        pause = going.wait(going.ticket.begun)
        while True:
            if pause:
                await asyncio.sleep(pause)
            try:
                found = await self._attempt()
            except errors.QiantangError as error:
                await self._leave()
                if self._was_taken:
                    raise  # nobody can take again what the caller streams
                pause = going.failed(error, time.monotonic())
            else:
                self._has_begun = True
                going.answered(time.monotonic())
                return found

    async def next(self) -> Bytes | None:
        """Give the next item, or None at the end.

        Raises:
            QiantangError: what ended the stream otherwise.
        """
        assert self._open is not None  # noqa: S101  # the first was given
        _, stream, answer = self._open
        found = await stream.next()
        if found is None and answer.done() and answer.result():
            raise UnreadableResultError(f"{self.node} gave a result of {self._asked.method.path}, and no stream")
        return found

    async def end(self, failure: BaseException | None) -> None:
        """The call is over, however that came."""
        stream = self._open[1] if self._open is not None else None
        try:
            await self._leave()
            await _close(self._asked.outgoing)
        finally:
            self._going.end(time.monotonic(), self._counts(failure, stream))

    def _counts(self, failure: BaseException | None, stream: Stream | None) -> BaseException | None:
        """Give what the end says of the node: who has had enough, or read too slowly, says nothing against it."""
        if isinstance(failure, errors.QiantangError) and failure is not self._own:
            is_slow = isinstance(failure, DeadlineError) and stream is not None and stream.is_behind
            return None if is_slow else failure
        return None if self._has_begun or failure is None else asyncio.CancelledError()

    async def _attempt(self) -> Bytes | None:
        going, asked, now = self._going, self._asked, time.monotonic()
        deadline = going.ticket.deadline
        pool = going.target(now).pool
        connection = pool.ready() or await pool.connection(deadline)
        header = exchange.stream_header_of(going.header(connection.methods, asked.above, now), self._span, now)
        stream, answer = await connection.open(header, asked.body, asked.method.streams, deadline, self._span)
        self._open, self.node = (connection, stream, answer), connection.node
        if asked.outgoing is not None:
            self._pump = asyncio.create_task(self._send(asked.outgoing, stream, answer), name=f"stream to {self.node}")
        return await (self.next() if asked.method.streams & GIVES else answer)

    async def _send(self, outgoing: AsyncIterator[Any], stream: Stream, answer: asyncio.Future[Bytes]) -> None:
        """Send what the caller streams; an error of it is what the call ends with."""
        self._was_taken = True
        try:
            async for item in outgoing:
                await stream.send(exchange.item_of(self._asked.method, item))
            stream.finish()
        except asyncio.CancelledError:
            answer.cancel()  # whoever did that to it: nothing more is sent, so nothing is waited for
            raise
        except Exception as error:  # it is raised where the caller waits
            if not answer.done():
                self._own = error
                answer.set_exception(error)

    async def _leave(self) -> None:
        """End the attempt that is under way, at both ends."""
        if self._open is not None:
            connection, stream, _ = self._open
            connection.give_up(stream.number)
            self._open = None
        if self._pump is not None:
            pump, self._pump = self._pump, None
            pump.cancel()
            await asyncio.wait([pump])


def _iterator(method: MethodDefinition, outgoing: Any) -> AsyncIterator[Any]:
    if not hasattr(outgoing, "__aiter__"):
        kind = type(outgoing).__name__
        raise InvalidArgumentsError(f"{method.path} takes, as {method.stream}, an async iterator: a {kind} is none")
    return aiter(outgoing)


async def _close(outgoing: AsyncIterator[Any] | None) -> None:
    """Have an async generator run what it does at its end."""
    close = getattr(outgoing, "aclose", None)
    if close is not None:
        await close()
