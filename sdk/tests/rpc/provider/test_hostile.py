"""Hostile callers: bytes that are no protocol, silence, and frames out of order cost a provider little, and others nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import pytest

from qiantang.kernel.errors import MisconfiguredError
from qiantang.rpc.model.definition import service
from qiantang.rpc.provider import serving, session
from qiantang.rpc.provider.serving import Provider, ProviderSettings
from qiantang.rpc.wire import frames, headers


@service("test.Slow")
class Slow(Protocol):
    """Waits."""

    async def wait(self) -> None: ...


class Waits:
    """Never ends by itself."""

    async def wait(self) -> None:
        await asyncio.Event().wait()


@service("test.Big")
class Big(Protocol):
    """Gives much."""

    async def wait(self) -> bytes: ...


class Gives:
    """Counts what it gave."""

    given = 0

    async def wait(self) -> bytes:
        Gives.given += 1
        return b"x" * 100_000


@asynccontextmanager
async def provider(settings: ProviderSettings | None = None) -> AsyncGenerator[tuple[Provider, str, int]]:
    one = Provider("n1", settings).add(Slow, Waits())
    host, _, port = (await one.listen("127.0.0.1")).rpartition(":")
    try:
        yield one, host, int(port)
    finally:
        await one.close()


async def said(host: str, port: int, data: bytes) -> bytes:
    """Send something; give all that comes back until the provider ends the connection."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


HELLO = frames.PREFACE + frames.frame(
    frames.HELLO, body=headers.encode(headers.Hello(headers.VERSION, "acme/prod/bank/till"))
)


def call(number: int, method: int = 0, body: bytes = b"\x80") -> bytes:
    return frames.frame(frames.CALL, number, headers.encode(headers.CallHeader(method, 60_000)), body)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"preface of csf1"),
        (frames.PREFACE + b"\xff" * 20, b"the type 255"),
        (frames.PREFACE + call(1), b"before HELLO"),
        (HELLO + HELLO[4:], b"after HELLO"),
        (frames.PREFACE + frames.frame(frames.HELLO, body=b"\xc1"), b"does not say what its type says"),
        (frames.PREFACE + frames.frame(frames.HELLO, body=headers.encode([9, "a"])), b"version 9 of csf1"),
        (frames.PREFACE + frames.frame(frames.HELLO, body=headers.encode([1, "till"])), b"unauthenticated"),
        (HELLO + call(1) + call(1), b"call 1 is under way already"),
        (HELLO + frames.frame(frames.RESULT, 1), b"a frame of type 5"),
    ],
)
async def test_what_breaks_the_rules_is_told_why_and_sent_away(data: bytes, word: bytes) -> None:
    async with provider() as (one, host, port):
        assert word in await said(host, port, data)
        async with asyncio.timeout(30):
            while one.connections or one.running:
                await asyncio.sleep(0.01)


async def answered(host: str, port: int, data: bytes) -> list[tuple[int, int, bytes]]:
    """Send something; give the frames that come back within a while."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(data)
    got: list[tuple[int, int, bytes]] = []
    one = frames.FrameReader()
    while len(got) < 3:
        read = await asyncio.wait_for(reader.read(1 << 16), 30)
        one.feed(read, lambda kind, _flags, number, _header, body: got.append((kind, number, bytes(body))))
    writer.close()
    return got


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (call(1, method=7), b"rpc.unknown_method"),
        (call(1, body=b"\xc1"), b"rpc.invalid_arguments"),
        (call(1, body=b"\x91" * 100_000), b"rpc.invalid_arguments"),
        (call(1, body=b"\xdf\xff\xff\xff\xff"), b"rpc.invalid_arguments"),
        (frames.frame(frames.CALL, 1, headers.encode([-1, 1000]), b"\x80"), b"rpc.invalid_arguments"),
        (frames.frame(frames.CALL, 1, headers.encode([0, -5]), b"\x80"), b"rpc.invalid_arguments"),
        (frames.frame(frames.CALL, 1, headers.encode([0, 1 << 40]), b"\x80"), b"rpc.invalid_arguments"),
        (frames.frame(frames.CALL, 1, b"\xdd\xff\xff\xff\xff", b"\x80"), b"rpc.invalid_arguments"),
    ],
)
async def test_a_call_that_cannot_be_read_fails_alone(frame: bytes, code: bytes) -> None:
    async with provider() as (one, host, port):
        _, _, answer = await answered(host, port, HELLO + frame)
        assert answer[:2] == (frames.ERROR, 1)
        assert code in answer[2]
        assert one.running == 0


async def test_who_says_nothing_or_never_ends_a_frame_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(serving, "HELLO_WITHIN", 0.1)
    monkeypatch.setattr(serving, "FRAME_WITHIN", 0.1)
    async with provider() as (one, host, port):
        for data in (b"", b"CS", HELLO + call(1)[:-1]):
            with pytest.raises(ConnectionResetError):
                await said(host, port, data)
                raise ConnectionResetError  # a clean end is one as well
        assert not one.connections


async def test_who_reads_nothing_is_answered_no_more_and_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(serving, "FRAME_WITHIN", 0.3)
    one = Provider("n1").add(Big, Gives())
    host, _, port = (await one.listen("127.0.0.1")).rpartition(":")
    made = socket.create_connection((host, int(port)))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(made, HELLO)
    sent = 0
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(30):
            for number in range(1, 20_000):
                await loop.sock_sendall(made, call(number))
                sent += 1
    made.close()
    assert Gives.given < 2_000, "what nobody reads is not made"
    assert not one.connections
    await one.close()


async def test_who_trickles_a_frame_gains_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(serving, "FRAME_WITHIN", 0.2)
    async with provider() as (_one, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(HELLO)
        await reader.read(100)
        ended = asyncio.create_task(reader.read())
        for place in range(3000):
            if ended.done():
                break
            writer.write(call(1, body=b"\x80" + b"x" * 4000)[place : place + 1])
            await asyncio.sleep(0.01)
        writer.close()
        assert ended.done()


async def test_too_many_connections_calls_and_cancels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CANCELS_A_SECOND", 5)
    async with provider(ProviderSettings(connections=2, connection_calls=3)) as (one, host, port):
        open_ones = [await asyncio.open_connection(host, port) for _ in range(2)]
        for _, writer in open_ones:
            writer.write(HELLO)
        async with asyncio.timeout(30):
            while one.connections < 2:
                await asyncio.sleep(0.01)
        with pytest.raises((ConnectionResetError, AssertionError)):
            assert await said(host, port, HELLO) != b""
        reader, writer = open_ones[0]
        await reader.read(1000)
        writer.write(b"".join(call(number) for number in range(1, 5)))
        assert b"rpc.overloaded" in await asyncio.wait_for(reader.read(1000), 30)
        writer.write(b"".join(frames.frame(frames.CANCEL, number) for number in range(1, 50)))
        assert b"too many calls are given up" in await asyncio.wait_for(reader.read(), 30)
        for _, writer in open_ones:
            writer.close()


def test_an_object_that_is_no_such_service_is_refused_when_it_is_added() -> None:
    class Empty: ...

    class Other:
        async def wait(self, long: int) -> None: ...

    for implementation, word in ((Empty(), "has no wait"), (Other(), "does not take what test.Slow/wait promises")):
        with pytest.raises(MisconfiguredError, match=word):
            Provider("n1").add(Slow, implementation)
    whole: Any = Waits()
    with pytest.raises(MisconfiguredError, match=r"answers for service test\.Slow already"):
        Provider("n1").add(Slow, whole).add(Slow, whole)
