"""Iterating: plain iterators of handlers, item by item in threads; and what a caller streams, for a handler that blocks."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, Final, Self

from qiantang.rpc.provider.host import NotBegunError
from qiantang.rpc.provider.threads import Threads

_END: Final = object()


async def through_threads(
    threads: Threads, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> AsyncGenerator[Any]:
    """Give what a plain function iterates over: a thread makes each item once the one before was taken, all in one context.

    An async iterator that it gives goes on in the loop.
    """
    context = contextvars.copy_context()
    found = await _whole(threads, functools.partial(context.run, function, *arguments))
    if hasattr(found, "__aiter__"):
        async with contextlib.aclosing(_each(found)) as items:
            async for item in items:
                yield item
        return
    iterator = iter(found)
    step = functools.partial(context.run, next, iterator, _END)
    try:
        while (item := await _whole(threads, step)) is not _END:
            yield item
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            await _closed(threads, functools.partial(context.run, close))


class Blocking(Iterator[Any]):
    """What a caller streams, for a handler in a thread. It ends with the stream, whose time is bounded."""

    def __init__(self, items: AsyncIterator[Any]) -> None:
        self._items = items
        self._loop = asyncio.get_running_loop()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        """Wait in this thread for the next item.

        Raises:
            QiantangError: what ended the stream.
        """
        item = asyncio.run_coroutine_threadsafe(_next(self._items), self._loop).result()
        if item is _END:
            raise StopIteration
        return item


async def _next(items: AsyncIterator[Any]) -> Any:
    return await anext(items, _END)


async def _each(found: Any) -> AsyncGenerator[Any]:
    try:
        async for item in found:
            yield item
    finally:
        close = getattr(found, "aclose", None)
        if close is not None:
            await close()


async def _whole(threads: Threads, step: Callable[[], Any]) -> Any:
    """Let a thread do something to its end, also when nobody waits for it any more: what runs cannot be closed."""
    running = threads.step(step)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # nobody asks for it
        raise


async def _closed(threads: Threads, close: Callable[[], Any]) -> None:
    try:
        running = threads.step(close)
    except NotBegunError:  # the provider has ended, and its threads with it
        close()
    else:
        await running
