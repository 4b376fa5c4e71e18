"""Streaming: how the handler of a call that streams is run between its two directions, whatever it is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from qiantang.rpc.errors import InvalidArgumentsError
from qiantang.rpc.model.definition import MethodDefinition
from qiantang.rpc.model.streams import GIVES
from qiantang.rpc.provider.work import Work
from qiantang.rpc.wire import headers
from qiantang.rpc.wire.streams import Span, Stream


async def answer(work: Work, stream: Stream) -> bytes:
    """Run the handler: give its result, or nothing once all items of it were sent. A generator is closed, however it goes.

    Raises:
        QiantangError: what the stream, or the handler, ended with; of a handler also anything else.
    """
    definition = work.handler.definition
    found = work.handler.call(work.arguments, items_of(definition, stream))
    if not definition.streams & GIVES:
        return headers.encode(await found)
    async with contextlib.aclosing(found):
        async for item in found:
            await stream.send(headers.encode(item))
    return b""


async def items_of(definition: MethodDefinition, stream: Stream) -> AsyncGenerator[Any]:
    """Give what the caller streams, each item read as its type.

    Raises:
        InvalidArgumentsError: an item does not fit.
        QiantangError: what ended the stream.
    """
    while (body := await stream.next()) is not None:
        try:
            item = definition.read_item(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise InvalidArgumentsError(
                f"an item of {definition.stream} does not fit {definition.path}: {error}"
            ) from error
        yield item


def span_of(header: headers.StreamHeader, now: float) -> Span:
    """Give the time of a stream, as its caller said it."""
    return Span(header.idle / 1000, now + header.whole / 1000) if header.whole else Span(header.idle / 1000)
