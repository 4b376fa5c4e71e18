"""HTTP: the same methods with JSON; whoever sends nonsense gets a problem document, and costs nobody else anything."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import msgspec
import pytest

from qiantang.kernel import errors
from qiantang.rpc.model.context import current
from qiantang.rpc.model.definition import method, service
from qiantang.rpc.provider import serving
from qiantang.rpc.provider.serving import Provider, ProviderSettings

TILL = "acme/prod/bank/till"


class Line(msgspec.Struct):
    article: str
    count: int = 1


@service("test.Counter")
class Counter(Protocol):
    """What is called here."""

    async def total(self, lines: list[Line], factor: int = 1) -> int: ...

    async def fail(self, secret: str) -> None: ...

    @method(timeout=0.2)
    async def sleep(self) -> None: ...

    async def caller(self) -> str: ...


class Counts:
    """Answers."""

    async def total(self, lines: list[Line], factor: int = 1) -> int:
        return factor * sum(one.count for one in lines)

    async def fail(self, secret: str) -> None:
        if secret == "busy":
            raise errors.ExhaustedError("come back later", retry_after=7)
        raise RuntimeError(secret)

    async def sleep(self) -> None:
        await asyncio.sleep(60)

    async def caller(self) -> str:
        return f"{current.get().caller} {current.get().trace} {current.get().remaining() < 0.2}"


@asynccontextmanager
async def counter(settings: ProviderSettings | None = None) -> AsyncGenerator[tuple[Provider, int]]:
    provider = Provider("n1", settings).add(Counter, Counts())
    address = await provider.listen_http("127.0.0.1")
    assert address.startswith("http://127.0.0.1:")
    try:
        yield provider, int(address.rpartition(":")[2])
    finally:
        await provider.close()


def request(path: str, body: Any = None, verb: str = "POST", **more: str) -> bytes:
    written = b"" if body is None else json.dumps(body).encode()
    head = {"host": "x", "authorization": f"Bearer {TILL}", "content-length": f"{len(written)}", **more}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in head.items())
    return f"{verb} {path} HTTP/1.1\r\n{lines}\r\n".encode() + written


async def answers(port: int, *requests: bytes) -> list[tuple[int, dict[str, str], Any]]:
    """Send requests over one connection; give status, headers and body of each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found: list[tuple[int, dict[str, str], Any]] = []
    try:
        for one in requests:
            writer.write(one)
            found.append(await asyncio.wait_for(_answer(reader), 30))
    finally:
        writer.close()
    return found


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    head = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), head, json.loads(await reader.readexactly(int(head["content-length"])))


async def test_methods_answer_with_json_over_a_connection_that_stays() -> None:
    async with counter() as (provider, port):
        lines = [{"article": "tea", "count": 2}, {"article": "cup"}]
        found = await answers(
            port,
            request("/test.Counter/total", {"lines": lines}),
            request("/test.Counter/total", {"lines": lines, "factor": 10}),
            request("/test.Counter/caller", {}, traceparent="00-1-2-01", qiantang_timeout_ms="150"),
        )
        assert [one[2] for one in found] == [3, 30, f"{TILL} 00-1-2-01 True"]
        assert provider.running == 0


async def test_requests_that_come_together_are_answered_in_their_order() -> None:
    async with counter() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        some = [request("/test.Counter/total", {"lines": [], "factor": 1}), request("/test.Counter/caller", {})]
        writer.write(b"".join(some * 3))
        found = [(await asyncio.wait_for(_answer(reader), 30))[2] for _ in range(6)]
        assert found == [0, f"{TILL}  False"] * 3
        writer.close()


async def test_who_reads_nothing_is_answered_no_more_and_what_he_sends_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(serving, "FRAME_WITHIN", 0.3)
    async with counter() as (provider, port):
        made = socket.create_connection(("127.0.0.1", port))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setblocking(False)
        loop, sent = asyncio.get_running_loop(), 0
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(30):
                while sent < 400 << 20:
                    await loop.sock_sendall(made, request("/openapi.json", verb="GET") * 1000)
                    sent += 1
        made.close()
        assert sent < 100
        assert not provider.connections


async def test_a_call_ends_with_its_connection() -> None:
    async with counter() as (provider, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/test.Counter/sleep", {}, qiantang_timeout_ms="3000000"))
        async with asyncio.timeout(30):
            while not provider.running:
                await asyncio.sleep(0.005)
            writer.transport.abort()
            while provider.running:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("sent", "status", "code", "word"),
    [
        (request("/test.Counter/total", {"lines": 1}), 422, "rpc.invalid_arguments", "does not fit the method"),
        (request("/test.Counter/total"), 422, "rpc.invalid_arguments", "lines"),
        (request("/test.Counter/nothing", {}), 404, "rpc.unknown_method", "/openapi.json says what there is"),
        (request("/test.Counter/total", verb="GET"), 422, "invalid_request", "with POST"),
        (request("/test.Counter/caller", {}, authorization="Basic eA=="), 401, "unauthenticated", "application"),
        (request("/test.Counter/caller", {}, qiantang_timeout_ms="soon"), 422, "invalid_request", "milliseconds"),
        (request("/test.Counter/sleep", {}), 504, "rpc.deadline", "within its time"),
        (request("/test.Counter/fail", {"secret": "1234"}), 500, "rpc.failed", "its log says why"),
        (request("/test.Counter/fail", {"secret": "busy"}), 429, "exhausted", "come back later"),
    ],
)
async def test_what_goes_wrong_is_a_problem_document(sent: bytes, status: int, code: str, word: str) -> None:
    async with counter() as (provider, port):
        found, head, problem = (await answers(port, sent))[0]
        assert (found, problem["code"], head["content-type"]) == (status, code, "application/problem+json")
        assert word in problem["detail"]
        assert "1234" not in problem["detail"]
        assert head.get("retry-after") == ("7" if code == "exhausted" else None)
        assert provider.running == 0


async def test_what_is_too_large_or_no_http_is_refused_before_it_is_kept() -> None:
    async with counter(ProviderSettings(max_frame=2000)) as (provider, port):
        large = request("/test.Counter/fail", {"secret": "x" * 5000})
        assert (await answers(port, large))[0][0] == 413
        for nonsense in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(nonsense)
            assert (await asyncio.wait_for(reader.read(12), 30)).startswith(b"HTTP/1.1 4")
            writer.close()
        async with asyncio.timeout(30):
            while provider.connections:
                await asyncio.sleep(0.01)


async def test_who_never_ends_a_request_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(serving, "FRAME_WITHIN", 0.1)
    async with counter() as (provider, port):
        for half in (b"POST /x HTTP/1.1\r\nhost: x\r\n", request("/test.Counter/total", {"lines": []})[:-1]):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(half)
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()
        assert provider.connections == 0


async def test_a_node_that_leaves_answers_its_last_request_and_ends_the_connection() -> None:
    async with counter() as (provider, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("/test.Counter/sleep", {}))
        async with asyncio.timeout(30):
            while not provider.running:
                await asyncio.sleep(0.005)
        leaving = asyncio.create_task(provider.drain(30))
        status, head, _ = await asyncio.wait_for(_answer(reader), 30)
        assert (status, head["connection"]) == (504, "close")
        assert await reader.read() == b""
        await leaving
        writer.close()


async def test_the_document_says_what_there_is() -> None:
    async with counter() as (_, port):
        status, _, document = (await answers(port, request("/openapi.json", verb="GET")))[0]
        assert (status, document["openapi"]) == (200, "3.1.0")
        total = document["paths"]["/test.Counter/total"]["post"]
        schema = total["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["lines"]["items"] == {"$ref": "#/components/schemas/test.Counter.Line"}
        assert "test.Counter.Line" in document["components"]["schemas"]
        assert total["parameters"][0]["name"] == "qiantang-timeout-ms"
