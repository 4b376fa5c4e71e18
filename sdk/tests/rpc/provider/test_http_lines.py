"""Streams over HTTP: a line of JSON for each item, at the pace of who reads, and what went wrong as the last."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest

from qiantang.kernel import errors
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider import serving
from qiantang.rpc.provider.serving import Provider, ProviderSettings
from sdk.tests.rpc.provider.test_http import answers, request


@service("test.Feed")
class Feed(Protocol):
    """What is called here."""

    def rows(self, many: int, size: int = 0) -> AsyncIterator[dict[str, Any]]: ...

    def plain(self, many: int) -> AsyncIterator[int]: ...

    def fails(self, after: int) -> AsyncIterator[int]: ...

    @method(timeout=1.0)
    def slow(self, pauses: list[float]) -> AsyncIterator[float]: ...

    def waits(self) -> AsyncIterator[int]: ...

    async def total(self, rows: AsyncIterator[int]) -> int: ...


class Feeds:
    """Streams; counts what it made and closed."""

    def __init__(self) -> None:
        self.made = self.closed = 0

    async def rows(self, many: int, size: int = 0) -> AsyncIterator[dict[str, Any]]:
        try:
            for number in range(many):
                self.made += 1
                yield {"number": number, "note": "x" * size}
        finally:
            self.closed += 1

    def plain(self, many: int) -> Iterator[int]:
        yield from range(many)

    async def fails(self, after: int) -> AsyncIterator[int]:
        for number in range(after):
            yield number
        raise errors.ForbiddenError("not for you")

    async def slow(self, pauses: list[float]) -> AsyncIterator[float]:
        for pause in pauses:
            await asyncio.sleep(pause)
            yield current.get().remaining()

    async def waits(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            self.closed += 1

    async def total(self, rows: AsyncIterator[int]) -> int:
        return sum([one async for one in rows])


@asynccontextmanager
async def feed(settings: ProviderSettings | None = None) -> AsyncGenerator[tuple[Feeds, Provider, int]]:
    feeds = Feeds()
    provider = Provider("n1", settings).add(Feed, feeds)
    address = await provider.listen_http("127.0.0.1")
    try:
        yield feeds, provider, int(address.rpartition(":")[2])
    finally:
        await provider.close()


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def head_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    named = (line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in named}


async def chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readuntil(b"\r\n"), 16)
    return (await reader.readexactly(size + 2))[:-2]


async def lines_of(reader: asyncio.StreamReader) -> list[Any]:
    status, head = await head_of(reader)
    assert (status, head["content-type"], head["transfer-encoding"]) == (200, "application/x-ndjson", "chunked")
    body = b""
    while part := await chunk(reader):
        body += part
    assert not body or body.endswith(b"\n")
    return [json.loads(line) for line in body.splitlines()]


async def streamed(port: int, *requests: bytes) -> list[list[Any]]:
    """Send requests over one connection; give the lines of each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found: list[list[Any]] = []
    for one in requests:
        writer.write(one)
        found.append(await asyncio.wait_for(lines_of(reader), 30))
    writer.close()
    return found


async def test_items_are_lines_over_a_connection_that_stays() -> None:
    async with feed() as (_, provider, port):
        found = await streamed(
            port,
            request("/test.Feed/rows", {"many": 1000}),
            request("/test.Feed/rows", {"many": 0}),
            request("/test.Feed/plain", {"many": 5}),
        )
        assert found[0] == [{"number": number, "note": ""} for number in range(1000)]
        assert found[1:] == [[], [0, 1, 2, 3, 4]]
        assert provider.running == 0


async def test_who_speaks_http_1_0_has_the_lines_until_the_connection_ends() -> None:
    async with feed() as (_, _provider, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/test.Feed/plain", {"many": 3}).replace(b"HTTP/1.1", b"HTTP/1.0"))
        status, _head = await head_of(reader)
        assert (status, await asyncio.wait_for(reader.read(), 30)) == (200, b"0\n1\n2\n")
        writer.close()


async def test_what_goes_wrong_is_a_problem_before_the_first_item_and_a_line_after_it() -> None:
    async with feed() as (_, provider, port):
        status, head, problem = (await answers(port, request("/test.Feed/fails", {"after": 0})))[0]
        assert (status, head["content-type"], problem["code"]) == (403, "application/problem+json", "forbidden")
        (found,) = await streamed(port, request("/test.Feed/fails", {"after": 2}))
        assert found[:2] == [0, 1]
        assert (found[2]["error"]["status"], found[2]["error"]["detail"]) == (403, "not for you")
        assert provider.running == 0


async def test_a_stream_of_the_caller_is_refused() -> None:
    async with feed() as (_, _provider, port):
        status, _, problem = (await answers(port, request("/test.Feed/total", {})))[0]
        assert status == 501
        assert "takes a stream, which HTTP does not carry here" in problem["detail"]
        _, _, document = (await answers(port, request("/openapi.json", verb="GET")))[0]
        assert "/test.Feed/rows" in document["paths"]
        assert "/test.Feed/total" not in document["paths"]


async def test_its_time_is_between_two_items() -> None:
    async with feed() as (_, provider, port):
        (found,) = await streamed(port, request("/test.Feed/slow", {"pauses": [0.25] * 5}))
        assert len(found) == 5
        (found,) = await streamed(port, request("/test.Feed/slow", {"pauses": [0.0, 30.0]}))
        assert found[-1]["error"]["code"] == "rpc.deadline"
        found = await answers(port, request("/test.Feed/slow", {"pauses": [30.0]}))
        assert found[0][0] == 504
        assert provider.running == 0


async def test_an_item_over_the_limit_of_a_frame_is_an_error() -> None:
    async with feed(ProviderSettings(max_frame=2000)) as (_, _provider, port):
        status, _, problem = (await answers(port, request("/test.Feed/rows", {"many": 1, "size": 5000})))[0]
        assert (status, problem["code"]) == (413, "rpc.too_large")


async def test_who_reads_slowly_is_waited_for_and_who_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(serving, "FRAME_WITHIN", 2.0)
    async with feed() as (feeds, provider, port):
        made = socket.create_connection(("127.0.0.1", port))
        made.setblocking(False)
        loop = asyncio.get_running_loop()
        ask = request("/test.Feed/rows", {"many": 1_000_000, "size": 10_000}, qiantang_timeout_ms="60000")
        await loop.sock_sendall(made, ask)
        await loop.sock_recv(made, 1000)
        await until(lambda: feeds.made > 10)
        for _ in range(40):
            await asyncio.sleep(0.02)
            await loop.sock_recv(made, 1 << 18)
        assert provider.connections == 1, "who reads slowly may"
        assert feeds.made < 3000, "what nobody reads is not made"
        await until(lambda: feeds.closed == 1 and not provider.connections)
        made.close()


async def test_a_stream_ends_with_its_connection() -> None:
    async with feed() as (feeds, provider, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/test.Feed/waits", {}))
        await head_of(reader)
        assert await chunk(reader) == b"1\n"
        writer.transport.abort()
        await until(lambda: feeds.closed == 1 and not provider.running)


async def test_a_node_that_leaves_tells_streams_when_its_time_is_over() -> None:
    async with feed() as (feeds, provider, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/test.Feed/waits", {}))
        await head_of(reader)
        assert await chunk(reader) == b"1\n"
        leaving = asyncio.create_task(provider.drain(1.0))
        assert json.loads(await asyncio.wait_for(chunk(reader), 30))["error"]["code"] == "rpc.draining"
        assert await reader.read() == b"0\r\n\r\n"
        await leaving
        await until(lambda: feeds.closed == 1)
        writer.close()
