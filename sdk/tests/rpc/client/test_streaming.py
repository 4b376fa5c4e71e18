"""Streams: items there and back over real sockets, at the pace of who reads, and all that may end them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import sys
import threading
import time
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.registry.model import Node, Provided
from qiantang.rpc import errors as rpc_errors
from qiantang.rpc.client.calling import Caller
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider import session
from qiantang.rpc.provider.serving import Provider, ProviderSettings
from qiantang.rpc.wire import flow, frames, headers

WHO = by_name("acme/prod/bank/till")


class Row(msgspec.Struct, frozen=True):
    number: int
    note: str = ""


class SoldOutError(rpc_errors.ServiceError):
    """Nothing is left of it."""

    code = "test.streaming_sold_out"


@service("test.Store")
class Store(Protocol):
    """What is called here."""

    def rows(self, many: int, size: int = 0) -> AsyncIterator[Row]: ...

    def plain(self, many: int) -> AsyncIterator[str]: ...

    async def total(self, factor: int, rows: AsyncIterator[Row]) -> int: ...

    async def plain_total(self, rows: AsyncIterator[Row]) -> int: ...

    def doubled(self, rows: AsyncIterator[Row]) -> AsyncIterator[int]: ...

    def plain_doubled(self, rows: AsyncIterator[Row]) -> AsyncIterator[int]: ...

    def fails(self, after: int, how: str) -> AsyncIterator[int]: ...

    @method(timeout=1.0)
    def slow(self, pauses: list[float]) -> AsyncIterator[int]: ...

    @method(timeout=1.5)
    def hurried(self, size: int) -> AsyncIterator[bytes]: ...

    @method(timeout=1.0)
    async def patient(self, rows: AsyncIterator[Row]) -> int: ...

    @method(idempotent=True)
    def endless(self, rows: AsyncIterator[int]) -> AsyncIterator[int]: ...

    async def one(self) -> int: ...


class AtStore:
    """Streams; counts what it began, made and closed."""

    def __init__(self) -> None:
        self.began = self.made = self.closed = 0
        self.below = float("nan")

    async def rows(self, many: int, size: int = 0) -> AsyncIterator[Row]:
        self.began += 1
        try:
            for number in range(many):
                self.made += 1
                yield Row(number, "x" * size)
        finally:
            self.closed += 1

    def plain(self, many: int) -> Iterator[str]:
        try:
            for _ in range(many):
                self.made += 1
                yield f"{threading.current_thread().name} {current.get().caller}"
        finally:
            self.closed += 1

    async def total(self, factor: int, rows: AsyncIterator[Row]) -> int:
        return factor * sum([row.number async for row in rows])

    def plain_total(self, rows: Iterator[Row]) -> int:
        assert threading.current_thread().name.startswith("qiantang-rpc")
        try:
            return sum(row.number for row in rows)
        finally:
            self.closed += 1

    async def doubled(self, rows: AsyncIterator[Row]) -> AsyncIterator[int]:
        async for row in rows:
            yield 2 * row.number

    def plain_doubled(self, rows: Iterator[Row]) -> Iterator[int]:
        for row in rows:
            yield 2 * row.number

    async def fails(self, after: int, how: str) -> AsyncIterator[int]:
        for number in range(after):
            yield number
        if how == "sold out":
            raise SoldOutError("no tea is left", facts={"article": "tea"})
        raise RuntimeError(f"a secret: {how}")

    async def slow(self, pauses: list[float]) -> AsyncIterator[int]:
        self.below = current.get().remaining()
        try:
            for number, pause in enumerate(pauses):
                await asyncio.sleep(pause)
                yield number
        finally:
            self.closed += 1

    async def hurried(self, size: int) -> AsyncIterator[bytes]:
        try:
            while True:
                self.made += 1
                yield b"x" * size
        finally:
            self.closed += 1

    async def patient(self, rows: AsyncIterator[Row]) -> int:
        return sum([row.number async for row in rows])

    async def endless(self, rows: AsyncIterator[int]) -> AsyncIterator[int]:
        self.began += 1
        try:
            yield -1
            async for row in rows:
                yield row
            await asyncio.Event().wait()
        finally:
            self.closed += 1

    async def one(self) -> int:
        return 1


class Estate:
    """A store, its provider, and who calls it."""

    def __init__(self, store: AtStore, provider: Provider, caller: Caller) -> None:
        self.store = store
        self.provider = provider
        self.caller = caller
        self.client = caller.client(Store)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)

    @property
    def under_way(self) -> int:
        """How many calls the caller's connections have under way."""
        pools = [target.pool for target in self.caller._targets._of[""].values()]
        return sum(len(connection) for pool in pools for connection in pool._connections)

    async def idle(self) -> None:
        """Wait until nothing is under way at either end."""
        await self.until(lambda: not self.provider.running)
        for target in self.caller._targets._of[""].values():
            for connection in target.pool._connections:
                await self.until(lambda one=connection: not len(one) and not one._streams.numbers())
            assert target.inflight == 0
        for one in self.provider._sessions:
            assert not one._streams.numbers()  # type: ignore[union-attr]
            assert one._streams._kept == 0  # type: ignore[union-attr]


@asynccontextmanager
async def estate(unix: str = "", settings: ProviderSettings | None = None) -> AsyncGenerator[Estate]:
    store = AtStore()
    provider = Provider("n1", settings).add(Store, store)
    address = await (provider.listen_unix(unix) if unix else provider.listen("127.0.0.1"))
    async with Caller(WHO, [node("n1", address)]) as caller:
        try:
            yield Estate(store, provider, caller)
        finally:
            await provider.close()


def node(name: str, address: str) -> Node:
    return Node(name=name, addresses={"csf1": address}, services={"test.Store": Provided()})


async def rows(many: int, size: int = 0) -> AsyncIterator[Row]:
    for number in range(many):
        yield Row(number, "y" * size)


async def none() -> AsyncIterator[int]:
    for number in range(0):
        yield number


async def taken(stream: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in stream]


async def put(stream: AsyncIterator[Any], got: list[Any]) -> None:
    """Take all, and have what came even where it ends with an error."""
    async for one in stream:
        got.append(one)  # noqa: PERF401


@pytest.mark.parametrize("socket", ["tcp", "unix"])
async def test_items_go_there_and_back_in_their_order(socket: str, tmp_path: Any) -> None:
    async with estate(f"{tmp_path}/store" if socket == "unix" else "") as at:
        assert await taken(at.client.rows(1000)) == [Row(number) for number in range(1000)]
        assert await taken(at.client.rows(0)) == []
        assert await at.client.total(2, rows(1000)) == 999_000
        assert await at.client.total(factor=1, rows=rows(0)) == 0
        assert await taken(at.client.doubled(rows(1000))) == [2 * number for number in range(1000)]
        assert await at.client.one() == 1
        await at.idle()
        assert at.provider.connections == 1


async def test_plain_functions_stream_in_threads_item_by_item() -> None:
    async with estate() as at:
        found = await taken(at.client.plain(50))
        assert len(found) == 50
        assert {one.split()[1] for one in found} == {"acme/prod/bank/till"}
        assert found[0].startswith("qiantang-rpc")
        assert await at.client.plain_total(rows(100)) == 4950
        assert await taken(at.client.plain_doubled(rows(100))) == [2 * number for number in range(100)]
        async with aclosing(at.client.plain(10_000_000)) as items:  # type: ignore[type-var]
            assert (await anext(items)).startswith("qiantang-rpc")
        await at.idle()
        assert at.store.closed == 3


async def test_many_streams_and_calls_share_a_connection() -> None:
    async with estate() as at:
        several = [taken(at.client.rows(200, 1000)) for _ in range(30)]
        more = [at.client.total(1, rows(200, 1000)) for _ in range(30)]
        calls = [at.client.one() for _ in range(100)]
        found = await asyncio.gather(*several, *more, *calls)
        assert [len(one) for one in found[:30]] == [200] * 30  # type: ignore[arg-type]
        assert found[30:] == [19_900] * 30 + [1] * 100
        await at.idle()


async def test_large_items_go_one_by_one_and_larger_ones_are_refused() -> None:
    async with estate(settings=ProviderSettings(max_frame=4 << 20)) as at:
        found = await taken(at.client.rows(6, 3 << 20))
        assert [(row.number, len(row.note)) for row in found] == [(number, 3 << 20) for number in range(6)]
        assert await at.client.total(1, rows(6, 3 << 20)) == 15
        assert await at.client.total(1, rows(100, flow.HALF + 1000)) == 4950
        with pytest.raises(rpc_errors.TooLargeError, match="takes 4,194,304"):
            await at.client.total(1, rows(1, 5 << 20))
        with pytest.raises(rpc_errors.TooLargeError, match="takes 8,388,608"):
            await taken(at.client.rows(1, 9 << 20))
        await at.idle()


async def test_who_reads_slowly_is_sent_no_more_than_the_window_and_costs_no_more_memory() -> None:
    async with estate() as at:
        tracemalloc.start()
        try:
            async with aclosing(at.client.rows(100_000, 10_000)) as items:  # type: ignore[type-var]
                await anext(items)
                before = tracemalloc.get_traced_memory()[0]
                await at.until(lambda: at.store.made * 10_000 > flow.WINDOW * 0.9)
                await asyncio.sleep(0.1)
                made = at.store.made
                assert made * 10_000 < flow.WINDOW * 1.2
                for _ in range(10):
                    await anext(items)
                await asyncio.sleep(0.05)
                assert at.store.made == made, "credit is renewed when half of the window was taken, not before"
                for _ in range(500):
                    await anext(items)
                await at.until(lambda: at.store.made > made)
                assert tracemalloc.get_traced_memory()[0] - before < 4 * flow.WINDOW
        finally:
            tracemalloc.stop()
        await at.idle()
        assert at.store.closed == 1


async def test_a_handler_that_reads_slowly_is_sent_no_more_than_the_window() -> None:
    async with estate() as at:
        sent = 0

        async def many() -> AsyncIterator[int]:
            nonlocal sent
            while True:
                sent += 1
                yield 1 << 62

        stream = at.client.endless(many())
        assert await anext(stream) == -1
        await asyncio.sleep(0.2)
        most = flow.WINDOW // flow.OVERHEAD
        assert 0 < sent <= 2 * most, "what this end does not read, the handler sends no more, and takes no more"
        await stream.aclose()  # type: ignore[attr-defined]
        await at.idle()


@pytest.mark.parametrize("how", ["aclose", "break", "cancel"])
async def test_who_has_had_enough_ends_the_handler(how: str) -> None:
    async with estate() as at:
        if how == "aclose":
            items = at.client.rows(1_000_000)
            await anext(items)
            await items.aclose()  # type: ignore[attr-defined]
        elif how == "break":
            async for _ in at.client.rows(1_000_000):
                break
            gc.collect()
        else:
            task = asyncio.create_task(taken(at.client.endless(none())))
            await at.until(lambda: at.store.began == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await at.until(lambda: at.store.closed == 1)
        await at.idle()
        assert await at.client.one() == 1


async def test_a_handler_that_ends_early_stops_what_the_caller_streams() -> None:
    async with estate() as at:
        closed = False

        async def many() -> AsyncIterator[Row]:
            nonlocal closed
            try:
                for number in range(10_000_000):
                    yield Row(number, "z" * 100)
            finally:
                closed = True

        async def two(factor: int, rows: AsyncIterator[Row]) -> int:
            return factor * (await anext(rows)).number + (await anext(rows)).number

        at.store.total = two  # type: ignore[method-assign]
        other = Provider("n2").add(Store, at.store)
        at.caller.use([node("n2", await other.listen("127.0.0.1"))])
        assert await at.client.total(1, many()) == 1
        assert closed
        assert await at.client.one() == 1, "what was on its way is no fault"
        await at.idle()
        await other.close()


async def test_errors_come_after_the_items_before_them_and_are_of_the_same_class() -> None:
    async with estate() as at:
        for after in (0, 5):
            got: list[int] = []
            with pytest.raises(SoldOutError, match="no tea is left") as caught:
                await put(at.client.fails(after, "sold out"), got)
            assert caught.value.facts == {"article": "tea"}
            assert got == list(range(after))
        with pytest.raises(rpc_errors.FailedError) as failed:
            await taken(at.client.fails(3, "1234"))
        assert "1234" not in str(failed.value)
        await at.idle()


async def test_an_error_of_what_the_caller_streams_is_its_own_and_cancels_the_call() -> None:
    async with estate() as at:

        async def broken() -> AsyncIterator[Any]:
            yield 7
            raise LookupError("the file ended")

        got: list[int] = []
        with pytest.raises(LookupError, match="the file ended"):
            await put(at.client.endless(broken()), got)
        await at.until(lambda: at.store.closed == 1)
        with pytest.raises(LookupError):
            await at.client.total(1, broken_rows())
        await at.idle()


async def test_what_is_streamed_may_be_cancelled_by_others() -> None:
    async with estate() as at:

        async def cancelled() -> AsyncIterator[Row]:
            yield Row(1)
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await at.client.total(1, cancelled())
        await at.idle()
        assert at.caller._targets._of[""]["n1"].success == 1.0


async def test_a_stream_that_a_leaving_node_had_begun_is_made_again_only_where_it_may_be() -> None:
    async with estate() as at:
        other_store = AtStore()
        other = Provider("n2").add(Store, other_store)
        address = await other.listen("127.0.0.1")
        waiting = asyncio.create_task(taken(at.client.doubled(Silent())))
        await at.until(lambda: at.provider.running == 1)
        at.caller.use([*(one.node for one in at.caller._targets._of[""].values()), node("n2", address)])
        await at.provider.drain(0.05)
        with pytest.raises(rpc_errors.DrainingError):
            await waiting
        assert not other.running
        await other.close()


class Silent:
    """Streams nothing, and does not end."""

    def __aiter__(self) -> Silent:
        return self

    async def __anext__(self) -> Any:
        await asyncio.Event().wait()


async def test_an_error_that_what_is_streamed_passes_on_says_nothing_against_the_node() -> None:
    async with estate() as at:

        async def relayed() -> AsyncIterator[Row]:
            yield Row(1)
            raise rpc_errors.ConnectionLostError("another node was lost")

        for _ in range(10):
            with pytest.raises(rpc_errors.ConnectionLostError, match="another node"):
                await at.client.total(1, relayed())
        assert at.caller._targets._of[""]["n1"].success == 1.0
        await at.idle()


async def test_who_takes_the_first_item_alone_may_do_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CANCELS_A_SECOND", 0)
    async with estate() as at:
        for _ in range(20):
            async with aclosing(at.client.rows(1_000_000)) as items:  # type: ignore[type-var]
                assert await anext(items) == Row(0)
        await at.idle()
        assert at.provider.connections == 1


async def broken_rows() -> AsyncIterator[Row]:
    yield Row(1)
    raise LookupError("the file ended")


async def test_items_that_do_not_fit_are_refused_on_either_side() -> None:
    async with estate() as at:

        async def wrong(item: Any) -> AsyncIterator[Any]:
            yield item

        with pytest.raises(rpc_errors.InvalidArgumentsError, match=r"an item of rows does not fit test\.Store/total"):
            await at.client.total(1, wrong("one"))
        with pytest.raises(
            rpc_errors.InvalidArgumentsError, match=r"an item of rows of test\.Store/total cannot be written"
        ):
            await at.client.total(1, wrong(object()))
        for call in (at.client.plain_total, at.client.doubled):
            with pytest.raises(rpc_errors.InvalidArgumentsError, match="an async iterator: a int is none"):
                call(7)  # type: ignore[operator]
            with pytest.raises(rpc_errors.InvalidArgumentsError, match="an async iterator"):
                call()  # type: ignore[operator]
        with pytest.raises(rpc_errors.InvalidArgumentsError, match="does not take that"):
            at.client.rows()  # type: ignore[call-arg]
        await at.idle()


async def test_the_time_of_a_method_is_between_items_and_not_of_the_whole() -> None:
    async with estate() as at:
        assert await taken(at.client.slow([0.25] * 5)) == list(range(5)), "longer in all than one may take"
        assert at.store.below == float("inf")
        for pauses in ([30.0], [0.0, 0.0, 30.0]):
            got: list[int] = []
            with pytest.raises(rpc_errors.DeadlineError):
                await put(at.client.slow(pauses), got)
            assert got == list(range(len(pauses) - 1))
        await at.until(lambda: at.store.closed == 3)

        async def paced(pause: float) -> AsyncIterator[Row]:
            for number in range(5):
                await asyncio.sleep(pause)
                yield Row(number)

        assert await at.client.patient(paced(0.25)) == 10
        with pytest.raises(rpc_errors.DeadlineError):
            await at.client.patient(paced(30))
        await at.idle()


async def test_the_call_above_bounds_the_whole() -> None:
    async with estate() as at:
        context = current.set(msgspec.structs.replace(current.get(), deadline=time.monotonic() + 1.5))
        try:
            got: list[int] = []
            with pytest.raises(rpc_errors.DeadlineError):
                await put(at.client.slow([0.2] * 100), got)
            assert 1 <= len(got) < 8
            assert at.store.below < 1.5
        finally:
            current.reset(context)
        await at.idle()


async def test_who_stops_reading_is_told_after_what_he_had_and_says_nothing_against_the_node() -> None:
    async with estate() as at:
        got = 0
        with pytest.raises(rpc_errors.DeadlineError):
            async for _ in at.client.hurried(50_000):
                got += 1
                if got == 1:  # the end has come here as well, while all that came before it waits to be read
                    await at.until(lambda: at.store.closed == 1 and not at.under_way)
        assert got * 50_000 > flow.WINDOW * 0.9
        target = at.caller._targets._of[""]["n1"]
        assert target.success == 1.0
        await at.idle()


async def test_a_stream_counts_by_the_time_to_its_first_item() -> None:
    async with estate() as at:
        await taken(at.client.slow([0.0] + [0.4] * 5))
        assert at.caller._targets._of[""]["n1"].cost < 1.0
        target = at.caller._targets._of[""]["n1"]
        async with aclosing(at.client.endless(none())) as items:  # type: ignore[type-var]
            await anext(items)
            assert (target.inflight, at.provider.running) == (1, 1)
        assert target.inflight == 0


async def test_how_many_at_a_time_counts_streams_while_they_last() -> None:
    async with estate() as at:
        at.caller.governor.rule({"two": b'{"target": {"service": "test.Store"}, "concurrency": {"most": 2}}'})
        at.provider.guard.rule({"three": b'{"target": {"service": "test.Store"}, "concurrency": {"most": 3}}'})
        several = [at.client.endless(none()) for _ in range(4)]
        for one in several[:2]:
            await anext(one)
        with pytest.raises(rpc_errors.LimitedError):
            await anext(several[3])
        at.caller.governor.rule({})
        await anext(several[2])
        with pytest.raises(rpc_errors.LimitedError):
            await anext(at.client.endless(none()))
        for one in several[:3]:
            await one.aclose()  # type: ignore[attr-defined]
        await at.idle()
        assert await anext(at.client.endless(none())) == -1


async def test_a_node_that_leaves_lets_streams_go_on_and_tells_them_when_its_time_is_over() -> None:
    async with estate() as at:
        short, long = at.client.rows(3), at.client.endless(none())
        assert await anext(short) == Row(0)
        assert await anext(long) == -1
        leaving = asyncio.create_task(at.provider.drain(1.5))
        await asyncio.sleep(0.1)
        assert await taken(short) == [Row(1), Row(2)]
        with pytest.raises(rpc_errors.DrainingError, match="has left") as told:
            await anext(long)
        assert told.value.retryable
        assert rpc_errors.was_processed(told.value)
        await leaving
        await at.until(lambda: at.store.closed == 2 and not at.provider.running)


async def test_before_the_first_item_a_stream_goes_elsewhere_and_after_it_never() -> None:
    async with estate() as at:
        other_store = AtStore()
        other = Provider("n2").add(Store, other_store)
        nodes = [node("gone", "127.0.0.1:1"), node("n2", await other.listen("127.0.0.1"))]
        at.caller.use(nodes)
        for _ in range(6):
            assert len(await taken(at.client.rows(3))) == 3
        stream = at.client.endless(none())
        await anext(stream)
        for one in list(other._sessions):
            one._link.abort()  # type: ignore[union-attr]
        with pytest.raises(rpc_errors.ConnectionLostError):
            await anext(stream)
        assert other_store.began == 7
        await at.idle()
        await other.close()


async def test_a_provider_that_dies_in_the_middle_ends_streams_after_what_came() -> None:
    async with estate() as at:
        stream = at.client.rows(1_000_000, 1000)
        await anext(stream)
        await at.until(lambda: at.store.made > 900)
        await at.provider.close()
        got = 1
        with pytest.raises(rpc_errors.ConnectionLostError):
            async for _ in stream:
                got += 1
        assert got > 900
        with contextlib.suppress(errors.UnavailableError):
            await at.client.total(1, rows(3))
        await at.until(lambda: at.store.closed == 1)


async def test_a_caller_that_dies_ends_the_handlers_also_those_in_threads() -> None:
    async with estate() as at:

        async def silent() -> AsyncIterator[Row]:
            yield Row(1)
            await asyncio.Event().wait()

        waiting = [asyncio.create_task(at.client.plain_total(silent())) for _ in range(2)]
        stream = at.client.endless(none())
        await anext(stream)
        await at.until(lambda: at.provider.running == 3)
        for one in list(at.provider._sessions):
            one._link.abort()  # type: ignore[union-attr]
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, rpc_errors.ConnectionLostError) for one in found)
        await at.until(lambda: at.store.closed == 3)
        await stream.aclose()  # type: ignore[attr-defined]


async def test_ends_of_different_versions_are_told_so() -> None:
    @service("test.Store")
    class Other(Protocol):
        async def rows(self, many: int) -> int: ...

        def one(self) -> AsyncIterator[int]: ...

    async with estate() as at:
        client = at.caller.client(Other)
        with pytest.raises(rpc_errors.UnknownMethodError, match="streams otherwise"):
            await client.rows(1)
        with pytest.raises(rpc_errors.UnknownMethodError, match="streams otherwise"):
            await taken(client.one())
        await at.idle()


async def test_a_node_that_sends_beyond_its_credit_is_sent_away() -> None:
    heard = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        challenge = headers.Challenge(headers.VERSION, "n1", b"x" * 16)
        writer.write(frames.frame(frames.CHALLENGE, body=headers.encode(challenge)))
        heard.extend(await reader.read(1000))
        welcome = headers.Welcome(["test.Store/rows"], frames.MAX_FRAME, 10)
        writer.write(frames.frame(frames.WELCOME, body=headers.encode(welcome)))
        heard.extend(await reader.read(1000))
        row = headers.encode(Row(1, "x" * 100_000))
        for _ in range(20):
            writer.write(frames.frame(frames.STREAM_DATA, 1, body=row))
        with contextlib.suppress(ConnectionResetError):
            while data := await reader.read(1000):
                heard.extend(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with Caller(WHO, [node("n1", f"127.0.0.1:{port}")]) as caller:
        got = 0
        with pytest.raises(rpc_errors.ConnectionLostError):
            async for _ in caller.client(Store).rows(1):
                got += 1
                await asyncio.sleep(0.05 if got == 1 else 0)
        assert 1 <= got <= 11
        assert b"beyond the credit of its stream" in heard
    server.close()


async def left(stream: AsyncIterator[Any], chance: random.Random) -> None:
    async with aclosing(stream) as items:  # type: ignore[type-var]
        async for _ in items:
            if chance.random() < 0.1:
                return


async def given_up(stream: Any, chance: random.Random) -> None:
    task = asyncio.ensure_future(stream)
    await asyncio.sleep(chance.random() / 50)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def anything(client: Store, chance: random.Random) -> None:
    many, size = chance.randrange(300), chance.choice([0, 10, 3000, 60_000])
    way = chance.randrange(6)
    if way == 0:
        assert len(await taken(client.rows(many, size))) == many
    elif way == 1:
        assert await client.total(1, rows(many, size)) == sum(range(many))
    elif way == 2:
        await left(client.rows(100_000, size), chance)
    elif way == 3:
        await given_up(client.total(1, rows(100_000, size)), chance)
    elif way == 4:
        await given_up(taken(client.plain_doubled(rows(100_000, size))), chance)
    else:
        with pytest.raises(SoldOutError):
            await taken(client.fails(many, "sold out"))


async def test_streams_that_are_begun_left_and_broken_in_any_order_leave_nothing_behind() -> None:
    chance = random.Random(7)
    async with estate() as at:

        async def some() -> None:
            for _ in range(8):
                await anything(at.client, chance)

        await asyncio.gather(*(some() for _ in range(20)))
        await at.idle()
        assert at.provider.connections == 1
        assert await at.client.one() == 1


async def test_a_breaker_closes_again_though_the_streams_that_try_it_last() -> None:
    async with estate() as at:
        rule = b'{"target": {"service": "test.Store"}, "%s": {"consecutive": 2, "wait": 0.05, "probes": 3}}'
        for kind in (b"breaker", b"node_breaker"):
            at.caller.governor.rule({"r": rule % kind})
            for _ in range(2):
                with pytest.raises(rpc_errors.FailedError):
                    await taken(at.client.fails(0, "x"))
            with pytest.raises(rpc_errors.CircuitOpenError):
                await taken(at.client.fails(2, "sold out"))
            await asyncio.sleep(0.2)
            lasting = [at.client.fails(1_000_000_000, "") for _ in range(4)]
            for one in lasting:
                assert await anext(one) == 0
            for one in lasting:
                await one.aclose()  # type: ignore[attr-defined]
        await at.idle()


CHILD = """
import asyncio
from collections.abc import AsyncIterator
from typing import Protocol
from qiantang.rpc.model.definition import service
from qiantang.rpc.provider.serving import Provider

@service("test.Ticks")
class Ticks(Protocol):
    def ticks(self, size: int) -> AsyncIterator[bytes]: ...

class AtTicks:
    async def ticks(self, size):
        while True:
            yield b"x" * size
            await asyncio.sleep(0.001)

async def main():
    async with Provider("child").add(Ticks, AtTicks()) as provider:
        print(await provider.listen("127.0.0.1"), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@service("test.Ticks")
class Ticks(Protocol):
    """What a program of its own answers for."""

    @method(timeout=20.0, idempotent=True)
    def ticks(self, size: int) -> AsyncIterator[bytes]: ...


async def test_a_program_that_is_killed_in_the_middle_ends_its_streams_at_once_and_they_do_not_begin_anew() -> None:
    async def started() -> tuple[asyncio.subprocess.Process, str]:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        return child, (await asyncio.wait_for(child.stdout.readline(), 60)).decode().strip()

    children = [await started() for _ in range(2)]
    nodes = [
        Node(name=f"n{place}", addresses={"csf1": address}, services={"test.Ticks": Provided()})
        for place, (_, address) in enumerate(children)
    ]
    try:
        async with Caller(WHO, nodes[:1]) as caller:
            stream = caller.client(Ticks).ticks(100)
            for _ in range(5):
                await anext(stream)
            caller.use(nodes)
            children[0][0].kill()
            with pytest.raises(rpc_errors.ConnectionLostError):
                async with asyncio.timeout(15):
                    await taken(stream)
            fresh = caller.client(Ticks).ticks(100)
            assert await anext(fresh) == b"x" * 100, "a new one goes to the node that lives"
            await fresh.aclose()  # type: ignore[attr-defined]
    finally:
        for child, _ in children:
            if child.returncode is None:
                child.kill()
            await child.wait()
