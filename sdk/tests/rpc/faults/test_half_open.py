"""Ten thousand connections that say nothing: they cost a provider little, end by themselves, and keep nobody from calling."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import suppress

import pytest

from qiantang.registry.model import Node, Provided
from qiantang.rpc import Caller, Provider
from qiantang.rpc.client.introducing import by_name
from qiantang.rpc.provider import serving
from qiantang.rpc.provider.serving import ProviderSettings
from qiantang.rpc.wire import frames

from .house import Answering, House

pytestmark = [pytest.mark.slow]

MANY = 10_000
WHO = by_name("acme/prod/shop/till")


def half_open(host: str, port: int, count: int) -> list[socket.socket]:
    """Connect, and say half of the preface on every second connection."""
    made: list[socket.socket] = []
    for number in range(count):
        one = socket.create_connection((host, port), timeout=30)
        if number % 2:
            one.sendall(frames.PREFACE[:2])
        made.append(one)
    return made


@pytest.mark.timeout(300)
async def test_ten_thousand_that_say_nothing_keep_nobody_from_calling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HELLO_WITHIN", 20.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sockets: list[socket.socket] = []
    try:
        count = min(MANY, (hard - 500) // 2)
        settings = ProviderSettings(connections=count + 100)
        async with Provider("n1", settings).add(House, Answering("n1")) as provider:
            address = await provider.listen("127.0.0.1")
            host, _, port = address.rpartition(":")
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for _ in range(10):
                sockets += await asyncio.to_thread(half_open, host, int(port), count // 10)
            async with asyncio.timeout(60):
                while provider.connections < len(sockets):
                    await asyncio.sleep(0.05)
            node = Node(name="n1", addresses={"csf1": address}, services={"faults.House": Provided()})
            async with Caller(WHO, [node]) as caller:
                assert await caller.client(House).answer(0.0) == "n1"
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
                assert grown < 40 * len(sockets), "at most 40 KiB each, both ends of it"
                async with asyncio.timeout(120):
                    while provider.connections > 1:
                        await asyncio.sleep(0.1)
                assert await caller.client(House).answer(0.0) == "n1", "who calls is not among them"
    finally:
        for one in sockets:
            with suppress(OSError):
                one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
