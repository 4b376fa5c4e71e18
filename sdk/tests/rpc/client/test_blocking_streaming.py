"""Blocking streams: plain iterators there or back, from threads, over sockets that nobody else uses meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, Protocol, cast

import pytest

from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.client.blocking import BlockingCaller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider.serving import Provider, ProviderSettings
from qiantang.rpc.wire import flow


@service("test.Files")
class Files(Protocol):
    """What is called here."""

    def rows(self, many: int, size: int = 0) -> AsyncIterator[bytes]: ...

    async def total(self, rows: AsyncIterator[bytes]) -> int: ...

    async def first(self, rows: AsyncIterator[bytes]) -> bytes: ...

    def both(self, rows: AsyncIterator[int]) -> AsyncIterator[int]: ...

    def fails(self, after: int) -> AsyncIterator[int]: ...

    @method(timeout=1.0)
    def slow(self, pauses: list[float]) -> AsyncIterator[int]: ...

    @method(timeout=0.4)
    async def never(self, rows: AsyncIterator[bytes]) -> int: ...

    async def one(self) -> int: ...


class AtFiles:
    """Answers; counts what it made and closed."""

    def __init__(self) -> None:
        self.made = self.closed = 0

    async def rows(self, many: int, size: int = 0) -> AsyncIterator[bytes]:
        try:
            for number in range(many):
                self.made += 1
                yield b"%d" % number + b"x" * size
        finally:
            self.closed += 1

    async def total(self, rows: AsyncIterator[bytes]) -> int:
        return sum([len(row) async for row in rows])

    async def first(self, rows: AsyncIterator[bytes]) -> bytes:
        async for row in rows:
            return row
        raise errors.NotFoundError("there is no first")

    async def both(self, rows: AsyncIterator[int]) -> AsyncIterator[int]:
        async for row in rows:
            yield row

    async def fails(self, after: int) -> AsyncIterator[int]:
        for number in range(after):
            yield number
        raise errors.ForbiddenError("not for you")

    async def slow(self, pauses: list[float]) -> AsyncIterator[int]:
        try:
            for number, pause in enumerate(pauses):
                await asyncio.sleep(pause)
                yield number
        finally:
            self.closed += 1

    async def never(self, rows: AsyncIterator[bytes]) -> int:
        await asyncio.Event().wait()
        return 0

    async def one(self) -> int:
        return 1


class House:
    """A provider on a loop of its own thread, and who calls it; `client` is typed by what blocking callers have."""

    def __init__(self, caller: BlockingCaller, at: AtFiles, provider: Provider) -> None:
        self.caller = caller
        self.client = cast("Any", caller.client(Files))
        self.at = at
        self.provider = provider

    def until(self, condition: Any) -> None:
        ends = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < ends
            time.sleep(0.005)


@contextmanager
def house(max_frame: int = 8 << 20) -> Generator[House]:
    loop, at = asyncio.new_event_loop(), AtFiles()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    async def serve() -> tuple[Provider, str]:
        provider = Provider("n1", ProviderSettings(max_frame=max_frame)).add(Files, at)
        return provider, await provider.listen("127.0.0.1")

    provider, address = run(serve())
    node = Node(name="n1", addresses={"csf1": address}, services={"test.Files": Provided()})
    try:
        with BlockingCaller(by_name("acme/prod/bank/till"), [node]) as caller:
            yield House(caller, at, provider)
    finally:
        run(provider.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def chunks(many: int, size: int) -> Iterator[bytes]:
    for _ in range(many):
        yield b"y" * size


def test_items_come_and_go_over_a_connection_that_is_used_again() -> None:
    with house() as to:
        assert list(to.client.rows(1000)) == [b"%d" % number for number in range(1000)]
        assert list(to.client.rows(0)) == []
        assert to.client.total(chunks(1000, 100)) == 100_000
        assert to.client.total([]) == 0
        assert to.client.one() == 1
        assert to.provider.connections == 1
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda many: len(list(to.client.rows(many, 5000))), [400] * 16))
            sent = list(pool.map(lambda many: to.client.total(chunks(many, 5000)), [400] * 16))
        assert (found, sent) == ([400] * 16, [2_000_000] * 16)
        to.until(lambda: not to.provider.running)


def test_much_goes_through_windows_and_large_items_one_by_one() -> None:
    with house() as to:
        assert to.client.total(chunks(200, 100_000)) == 20_000_000
        assert to.client.total(chunks(5, 6 << 20)) == 30 << 20
        assert [len(row) for row in to.client.rows(5, 6 << 20)] == [1 + (6 << 20)] * 5
        with pytest.raises(rpc_errors.TooLargeError):
            to.client.total(chunks(1, 9 << 20))
        assert to.client.one() == 1


def test_who_reads_slowly_is_sent_no_more_than_the_window() -> None:
    with house() as to, closing(to.client.rows(100_000, 10_000)) as rows:
        next(rows)
        time.sleep(0.3)
        assert to.at.made * 10_000 < 1.2 * flow.WINDOW
        for _ in range(200):
            next(rows)
        to.until(lambda: to.at.made * 10_000 > 1.4 * flow.WINDOW)


def test_who_has_had_enough_ends_the_handler() -> None:
    with house() as to:
        for row in to.client.rows(1_000_000, 100):
            assert row.startswith(b"0")
            break
        to.until(lambda: to.at.closed == 1 and not to.provider.running)
        assert to.client.one() == 1


def test_a_result_that_comes_early_ends_what_is_sent() -> None:
    with house() as to:
        assert to.client.first(chunks(1_000_000_000, 1000)) == b"y" * 1000
        assert to.client.one() == 1
        with pytest.raises(errors.NotFoundError):
            to.client.first([])


def test_errors_come_after_the_items_before_them_and_those_of_the_iterable_are_its_own() -> None:
    with house() as to:
        rows, got = to.client.fails(3), []
        with pytest.raises(errors.ForbiddenError, match="not for you"):
            for row in rows:
                got.append(row)  # noqa: PERF402
        assert got == [0, 1, 2]

        def broken() -> Iterator[bytes]:
            yield b"1"
            raise LookupError("the file ended")

        with pytest.raises(LookupError):
            to.client.total(broken())
        to.until(lambda: not to.provider.running)
        with pytest.raises(rpc_errors.InvalidArgumentsError, match="does not fit"):
            to.client.total(["text that is no bytes"] * 3)
        with pytest.raises(rpc_errors.InvalidArgumentsError, match="an iterable: a int is none"):
            to.client.total(7)


def test_the_time_is_between_two_items() -> None:
    with house() as to:
        assert len(list(to.client.slow([0.25] * 5))) == 5
        for pauses in ([30.0], [0.0, 30.0]):
            with pytest.raises(rpc_errors.DeadlineError):
                list(to.client.slow(pauses))
        with pytest.raises(rpc_errors.DeadlineError):
            to.client.never(chunks(1_000_000, 10_000))
        to.until(lambda: to.at.closed == 3 and not to.provider.running)
        assert to.client.one() == 1


def test_both_ways_at_once_is_refused() -> None:
    with house() as to, pytest.raises(errors.UnsupportedError, match="streams both ways"):
        to.client.both([1, 2])


def test_a_provider_that_dies_ends_the_stream_and_is_not_asked_again() -> None:
    with house() as to:
        rows = to.client.rows(1_000_000, 100)
        next(rows)
        for session in list(to.provider._sessions):
            session._loop.call_soon_threadsafe(session._link.abort)  # type: ignore[union-attr]
        with pytest.raises(rpc_errors.ConnectionLostError):
            list(rows)
        to.until(lambda: to.at.closed == 1)
        assert to.at.made < 100_000
