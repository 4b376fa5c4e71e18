"""Hostile callers of methods that stream: what they send beyond their credit, or for no stream, costs them the connection."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest

from qiantang.rpc.model.definition import service
from qiantang.rpc.model.streams import GIVES, TAKES
from qiantang.rpc.provider import serving, session
from qiantang.rpc.provider.serving import Provider, ProviderSettings
from qiantang.rpc.wire import flow, frames, headers
from sdk.tests.rpc.provider.test_hostile import HELLO, said


@service("test.Pipes")
class Pipes(Protocol):
    """What is called here."""

    def both(self, items: AsyncIterator[bytes]) -> AsyncIterator[bytes]: ...

    async def keeps(self, items: AsyncIterator[bytes]) -> int: ...

    def endless(self) -> AsyncIterator[bytes]: ...

    async def total(self, items: AsyncIterator[bytes]) -> int: ...


BOTH, KEEPS, ENDLESS, TOTAL = range(4)


class AtPipes:
    """Counts what it made."""

    def __init__(self) -> None:
        self.made = self.open = 0

    async def both(self, items: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for item in items:
            yield item

    async def keeps(self, items: AsyncIterator[bytes]) -> int:
        await asyncio.Event().wait()
        return 0

    async def endless(self) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            while True:
                self.made += 1
                yield b"x" * 5000
        finally:
            self.open -= 1

    async def total(self, items: AsyncIterator[bytes]) -> int:
        return sum([len(item) async for item in items])


@asynccontextmanager
async def pipes(settings: ProviderSettings | None = None) -> AsyncGenerator[tuple[AtPipes, Provider, str, int]]:
    at = AtPipes()
    provider = Provider("n1", settings).add(Pipes, at)
    host, _, port = (await provider.listen("127.0.0.1")).rpartition(":")
    try:
        yield at, provider, host, int(port)
    finally:
        await provider.close()


def call(number: int, method: int, streams: int, *, idle: int = 60_000, whole: int = 0) -> bytes:
    header = headers.StreamHeader(method, 60_000, idle=idle, whole=whole)
    return frames.frame(frames.CALL, number, headers.encode(header), b"\x80", streams)


def item(number: int, size: int) -> bytes:
    return frames.frame(frames.STREAM_DATA, number, body=headers.encode(b"x" * size))


def end(number: int) -> bytes:
    return frames.frame(frames.STREAM_END, number)


def credit(number: int, more: Any) -> bytes:
    return frames.frame(frames.CREDIT, number, body=headers.encode(more))


KEPT = call(1, KEEPS, TAKES)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (frames.PREFACE + item(1, 1), b"never began"),
        (HELLO + item(1, 1), b"never began"),
        (HELLO + end(1), b"never began"),
        (HELLO + credit(1, 1), b"never began"),
        (HELLO + KEPT + end(1) + item(1, 1), b"after the end of stream 1"),
        (HELLO + KEPT + end(1) + end(1), b"stream 1 was ended twice"),
        (HELLO + KEPT + item(1, flow.WINDOW - 200) + item(1, 300), b"beyond the credit"),
        (HELLO + KEPT + item(1, flow.HALF) + item(1, 7 << 20), b"beyond the credit"),
        (HELLO + KEPT + item(1, 9 << 20)[:20], b"8,388,608 are allowed"),
        (HELLO + KEPT + KEPT, b"call 1 is under way already"),
        (HELLO + call(1, BOTH, GIVES | TAKES) + credit(1, 1 << 63), b"does not say what its type says"),
        (HELLO + call(1, BOTH, GIVES | TAKES) + credit(1, (1 << 40) - 1), b"is more than was sent"),
        (HELLO + call(1, BOTH, GIVES | TAKES) + credit(1, 1), b"is more than was sent"),
        (HELLO + call(1, BOTH, GIVES | TAKES) + credit(1, -1), b"does not say what its type says"),
        (HELLO + call(1, BOTH, GIVES | TAKES) + credit(1, "much"), b"does not say what its type says"),
        (HELLO + KEPT + frames.frame(frames.CANCEL, 1) + item(1, 3 << 20) * 3, b"has ended, or never began"),
        (HELLO + call(1, BOTH, 0) + item(1, 1), b"never began"),
        (HELLO + call(1, 99, TAKES) + item(1, 3 << 20) * 3, b"has ended, or never began"),
    ],
)
async def test_what_breaks_the_rules_is_told_why_and_sent_away(data: bytes, word: bytes) -> None:
    async with pipes() as (_, provider, host, port):
        assert word in await said(host, port, data)
        async with asyncio.timeout(30):
            while provider.connections or provider.running:
                await asyncio.sleep(0.01)


async def read_until(reader: asyncio.StreamReader, wanted: int, number: int) -> bytes:
    """Give the body of the first frame of a type for a call."""
    found: list[bytes] = []
    one = frames.FrameReader()

    def take(kind: int, _flags: int, call: int, _header: frames.Bytes, body: frames.Bytes) -> None:
        if (kind, call) == (wanted, number):
            found.append(bytes(body))

    while not found:
        data = await asyncio.wait_for(reader.read(1 << 16), 30)
        assert data, "the connection ended"
        one.feed(data, take)
    return found[0]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (call(1, BOTH, 255), b"streams otherwise here"),
        (call(1, TOTAL, GIVES), b"streams otherwise here"),
        (call(1, TOTAL, TAKES, idle=0), b"rpc.invalid_arguments"),
        (call(1, TOTAL, TAKES, idle=1 << 40), b"rpc.invalid_arguments"),
        (call(1, TOTAL, TAKES, whole=-1), b"rpc.invalid_arguments"),
        (call(1, TOTAL, TAKES) + frames.frame(frames.STREAM_DATA, 1, body=b"\xc1"), b"rpc.invalid_arguments"),
        (call(1, TOTAL, TAKES) + frames.frame(frames.STREAM_DATA, 1, body=b"\x91" * 5000), b"rpc.invalid_arguments"),
        (call(1, TOTAL, TAKES) + frames.frame(frames.STREAM_DATA, 1), b"rpc.invalid_arguments"),
        (call(1, TOTAL, TAKES, whole=50), b"rpc.deadline"),
    ],
)
async def test_a_call_that_cannot_be_read_fails_alone_and_what_follows_it_is_passed_over(
    data: bytes, code: bytes
) -> None:
    async with pipes() as (_, provider, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(HELLO + data + item(1, 1000) * 5)
        assert code in await read_until(reader, frames.ERROR, 1)
        writer.write(call(2, TOTAL, TAKES) + item(2, 500) + end(2))
        assert await read_until(reader, frames.RESULT, 2) == headers.encode(500)
        assert provider.running == 0
        writer.close()


async def test_a_stream_may_come_byte_by_byte() -> None:
    async with pipes() as (_, _provider, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for byte in HELLO + call(1, TOTAL, TAKES) + item(1, 10) * 3 + end(1):
            writer.write(bytes((byte,)))
            await asyncio.sleep(0)
        assert await read_until(reader, frames.RESULT, 1) == headers.encode(30)
        writer.close()


async def test_streams_that_nobody_reads_are_bounded_in_number_and_in_what_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(serving, "FRAME_WITHIN", 1.0)
    async with pipes(ProviderSettings(connection_calls=100)) as (at, provider, host, port):
        made = socket.create_connection((host, port))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(made, HELLO)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(30):
                for number in range(1, 5000):
                    await loop.sock_sendall(made, call(number, ENDLESS, GIVES))
        async with asyncio.timeout(30):
            while provider.connections or at.open:
                assert at.open <= 100
                await asyncio.sleep(0.01)
        assert at.made * 5000 < 20 << 20, "what the sockets take, and a turn of each stream"
        made.close()


async def test_a_peer_that_reads_and_gives_no_credit_is_sent_one_window_for_each_stream() -> None:
    async with pipes(ProviderSettings(connection_calls=5)) as (at, provider, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(HELLO + b"".join(call(number, ENDLESS, GIVES, idle=500) for number in range(1, 5)))
        got = 0
        async with asyncio.timeout(30):
            while b"rpc.deadline" not in (data := await reader.read(1 << 16)):
                got += len(data)
        assert 3.5 * flow.WINDOW < got < 4.5 * flow.WINDOW
        async with asyncio.timeout(30):
            while at.open or provider.running:
                await asyncio.sleep(0.01)
        writer.close()


async def test_what_one_connection_has_a_provider_keep_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_KEPT", 3 << 20)
    async with pipes() as (_, provider, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for number in range(1, 5):
            writer.write((HELLO if number == 1 else b"") + call(number, KEEPS, TAKES) + item(number, 1_000_000))
        assert b"exhausted" in await read_until(reader, frames.ERROR, 4)
        assert provider.running == 3
        writer.write(frames.frame(frames.CANCEL, 1) + call(5, TOTAL, TAKES) + item(5, 900_000) + end(5))
        assert await read_until(reader, frames.RESULT, 5) == headers.encode(900_000)
        writer.close()


def anything(chance: random.Random) -> bytes:
    """One frame, mostly of a stream, with what may or may not fit."""
    number, size = chance.randrange(1, 5), chance.choice([0, 1, 100, 70_000, flow.HALF, flow.WINDOW, 2 << 20])
    return chance.choice(
        [
            lambda: call(number, chance.randrange(5), chance.choice([0, 1, 2, 3, 3, 2, 1, 9]), idle=2000),
            lambda: item(number, size),
            lambda: item(number, 10),
            lambda: end(number),
            lambda: credit(number, chance.choice([1, size, 1 << 63, -1, "x"])),
            lambda: frames.frame(frames.CANCEL, number),
            lambda: frames.frame(frames.STREAM_DATA, number, chance.randbytes(3), chance.randbytes(20)),
            lambda: frames.frame(frames.CREDIT, number, body=chance.randbytes(5)),
            lambda: frames.frame(frames.PING),
        ]
    )()


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_comes_in_whatever_order_ends_at_most_its_connection(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(seed)
    async with pipes() as (at, provider, host, port):
        for _ in range(40):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(HELLO)
            reading = asyncio.ensure_future(reader.read())
            for _ in range(chance.randrange(60)):
                data = anything(chance)
                cut = chance.randrange(len(data))
                writer.write(data[:cut])
                await asyncio.sleep(0)
                writer.write(data[cut:])
            await asyncio.sleep(0.01)
            writer.transport.abort()
            await asyncio.gather(reading, return_exceptions=True)
        async with asyncio.timeout(30):
            while provider.connections or provider.running or at.open:
                await asyncio.sleep(0.01)
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(HELLO + call(1, TOTAL, TAKES) + item(1, 500) + end(1))
            assert await read_until(reader, frames.RESULT, 1) == headers.encode(500)
            writer.close()
    assert not [one for one in caplog.records if one.levelname in ("ERROR", "CRITICAL")], caplog.text
