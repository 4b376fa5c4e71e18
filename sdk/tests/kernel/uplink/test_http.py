"""The HTTP connection against a server that says exactly what a test wants, good or bad."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from qiantang.kernel.uplink.address import Address
from qiantang.kernel.uplink.http import AnswerTooLargeError, Connection, Request
from qiantang.kernel.uplink.line import BrokenError, Tls, UnreachableError

GET = Request(method="GET", target="/x")
LIMIT = 10_000
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Address]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Address("http", "127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


def saying(*answers: bytes, seen: list[bytes] | None = None) -> Script:
    """Say each of these, each after one request without a body was read."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            head = await reader.readuntil(b"\r\n\r\n")
            if seen is not None:
                seen.append(head)
            writer.write(answer)
            await writer.drain()

    return script


def gzipped(content: bytes) -> bytes:
    packed = gzip.compress(content)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
    return head % len(packed) + packed


async def exchange(script: Script, limit: int = LIMIT) -> bytes:
    async with serving(script) as address:
        connection = await Connection.open(address, Tls(), 5)
        try:
            return (await connection.exchange(GET, limit)).body
        finally:
            connection.close()


async def test_keeps_the_connection_and_names_the_host() -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    async with serving(saying(answer, answer, seen=seen)) as address:
        connection = await Connection.open(address, Tls(), 5)
        assert (await connection.exchange(GET, LIMIT)).body == b"ok"
        assert connection.reusable
        assert (await connection.exchange(GET, LIMIT)).body == b"ok"
        await asyncio.sleep(0.05)
        assert not connection.reusable  # the server closed it meanwhile
        connection.close()
    assert all(f"host: {address.authority}".encode() in head.lower() for head in seen)


async def test_reads_chunks_gzip_and_interim_answers() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
    assert await exchange(saying(chunked)) == b"abcde"
    assert await exchange(saying(gzipped(b"hello"))) == b"hello"
    early = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"
    assert await exchange(saying(early)) == b"x"


async def test_does_not_follow_redirects() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n"
    async with serving(saying(moved)) as address:
        connection = await Connection.open(address, Tls(), 5)
        assert (await connection.exchange(GET, LIMIT)).head.status == 302
        connection.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4e20\r\n" + b"x" * 20_000 + b"\r\n0\r\n\r\n",
        gzipped(b"\0" * 5_000_000),
    ],
    ids=["announced", "chunked", "bomb"],
)
async def test_a_body_over_the_limit_is_refused(answer: bytes) -> None:
    with pytest.raises(AnswerTooLargeError):
        await exchange(saying(answer))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nxxxxx",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 12\r\n\r\n" + gzip.compress(b"hi")[:12],
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
    ],
    ids=["nothing", "no-http", "cut", "brotli", "not-gzip", "cut-gzip", "huge-head", "no-final-answer"],
)
async def test_what_cannot_be_read_is_a_broken_line(answer: bytes) -> None:
    with pytest.raises(BrokenError):
        await exchange(saying(answer))


async def test_nobody_listening() -> None:
    async with serving(saying()) as address:
        pass
    with pytest.raises(UnreachableError, match=str(address)):
        await Connection.open(address, Tls(), 5)


async def test_an_unknown_name() -> None:
    with pytest.raises(UnreachableError):
        await Connection.open(Address("http", "nobody.invalid", 1), Tls(), 10)
