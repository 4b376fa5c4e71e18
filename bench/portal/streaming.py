"""Streaming: five hundred browsers on one server, each told ten things a second; how old the news is when it arrives."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any, cast

import uvloop

from bench import machine
from bench.figures import Value, quantile, rounded
from tests.servers.platform import Platform
from tests.servers.process import HOST

_CHANGED = re.compile(rb'event: changed\ndata: {"topic":"([^"]+)"')
CLIENTS = 500
SECONDS = 10.0
PER_SECOND = 10
APPLICATIONS = 3
"""Each topic says at most four things a second: so many topics make ten events a second for each browser."""


def measure() -> dict[str, Value]:
    """Open the streams, then change things at ten a second and see when each browser hears of each."""
    platform = Platform(
        "--set", "watch.max_browser_streams=1000", "--set", "watch.max_browser_streams_per_principal=1000"
    )
    try:
        platform.start()
        return uvloop.run(_measured(platform))
    finally:
        platform.close()


async def _measured(platform: Platform) -> dict[str, Value]:
    api = platform.administrator()
    scopes = [f"acme/dev/trade/app-{number}" for number in range(APPLICATIONS)]
    for scope in scopes:
        api.make_application(scope)
    topics = ",".join(f"bundle:{scope}/config" for scope in scopes)
    crowd = Crowd(
        f"GET /api/v1/stream?topics={topics} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {api.token}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    lines = [await loop.create_connection(lambda: Browser(crowd), HOST, platform.port) for _ in range(CLIENTS)]
    await asyncio.sleep(5)
    await asyncio.to_thread(_change, api, scopes, crowd.sent)
    await asyncio.sleep(2)
    resident = machine.resident_kb(platform.pid) / 1024
    for line, _ in lines:
        line.close()
    return {
        "stream_500_clients_p50_ms": rounded(quantile(crowd.ages, 0.5) * 1000),
        "stream_500_clients_p99_ms": rounded(quantile(crowd.ages, 0.99) * 1000),
        "stream_events_per_s": rounded(len(crowd.ages) / SECONDS),
        "stream_rss_mb": rounded(resident),
    }


class Crowd:
    """All browsers: what each asks for, when each topic was last changed, and how old the news of it was at each of them."""

    def __init__(self, request: str) -> None:
        self.request = request.encode()
        self.sent: dict[str, float] = {}
        self.ages: list[float] = []


class Browser(asyncio.Protocol):
    """One browser's stream on a bare socket: five hundred of them share the machine with the server that is measured."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        whole, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        for topic in _CHANGED.findall(whole):
            began = self._crowd.sent.get(topic.decode())
            if began is not None:
                self._crowd.ages.append(at - began)


def _change(api: Any, scopes: list[str], sent: dict[str, float]) -> None:
    """Save drafts, ten a second, over the applications in turn; each is what the browsers must hear of."""
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < SECONDS:
        scope = scopes[number % len(scopes)]
        sent[f"bundle:{scope}/config"] = time.monotonic()
        api.set(scope, {"number": number})
        number += 1
        time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
