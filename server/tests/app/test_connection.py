"""Connection: a request that does not come to its end is given up, and one that does is none the worse for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from qiantang_server.app import connection
from qiantang_server.app.connection import MAX_HEAD, BoundedConnection

GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the length of the body and the names of the headers."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    said = json.dumps({"size": size, "headers": [name.decode() for name, _ in scope["headers"]]}).encode()
    length = (b"content-length", str(len(said)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": said})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(echo, http=BoundedConnection, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BoundedConnection(config, state, {}, _loop=loop), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for one in list(state.connections):
        one.transport.abort()
    await server.wait_closed()


async def say(port: int, *parts: bytes, end: bool = False) -> bytes:
    """Send the parts and give all that comes back until the other side has said enough, or closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if end:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_head_that_does_not_come_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_WITHIN", 0.05)
    for begun in (b"", b"GET /x", b"GET /x HTTP/1.1\r\nHost: x\r\n", GET.replace(b"GET", b"HEAD") + b"GET /y"):
        said = await say(port, begun)
        assert said.count(b"200 OK") == begun.count(b"\r\n\r\n")


async def test_a_body_that_does_not_come_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BODY_WITHIN", 0.05)
    assert await say(port, b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc") == b""


async def test_a_whole_request_has_no_deadline_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_WITHIN", 0.05)
    monkeypatch.setattr(connection, "BODY_WITHIN", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(GET)
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"}")
        await asyncio.sleep(0.15)  # idle, as a client's pool is
    writer.close()


@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 20])
async def test_bodies_come_whole_however_they_are_cut(port: int, piece: int) -> None:
    body = bytes(range(256)) * 100 if piece < 1000 else bytes(range(256)) * 4000
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(body[n : n + 500]), body[n : n + 500]) for n in range(0, len(body), 500))
    for data in (
        head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nX-Trailer: t\r\n\r\n",
    ):
        said = await say(port, *(data[n : n + piece] for n in range(0, len(data), piece)))
        answer = json.loads(said.partition(b"\r\n\r\n")[2])
        assert answer["size"] == len(body)
        assert "x-trailer" not in answer["headers"]


@pytest.mark.parametrize(("size", "status"), [(MAX_HEAD - 200, 200), (MAX_HEAD + 2000, 431), (4 * MAX_HEAD, 431)])
@pytest.mark.parametrize("where", ["header", "headers", "address"])
async def test_a_head_is_bounded_wherever_it_is_long(port: int, size: int, status: int, where: str) -> None:
    long = {
        "header": b"GET /x HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * size,
        "headers": b"GET /x HTTP/1.1\r\nHost: x\r\n" + b"\r\n".join([b"X-A: " + b"a" * 89] * (size // 96)),
        "address": b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: x",
    }[where]
    for step in (1 << 20, 999):
        data = long + b"\r\nConnection: close\r\n\r\n"
        said = await say(port, *(data[n : n + step] for n in range(0, len(data), step)))
        if said or status == 200:  # the line may be closed while the rest is still being sent
            assert said.startswith(b"HTTP/1.1 %d" % status), said[:100]


async def test_chunks_have_not_more_around_them_than_in_them(port: int) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    honest = await say(
        port, head + b"1\r\nx\r\n" * 30_000 + b"0\r\n\r\n", GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    )
    assert honest.startswith(b"HTTP/1.1 200")
    for end in (b"0\r\nX-T: ", b"1;ext="):
        said = await say(port, head, *([end] + [b"a" * 60_000] * 5))
        assert not said or said.startswith(b"HTTP/1.1 400"), said[:100]
