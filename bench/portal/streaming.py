"""Streaming: five hundred browsers on one server, each told ten things a second; how old the news is when it arrives."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx

from bench import machine
from bench.figures import Value, quantile, rounded
from tests.servers.platform import Platform

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
        return asyncio.run(_measured(platform))
    finally:
        platform.close()


async def _measured(platform: Platform) -> dict[str, Value]:
    api = platform.administrator()
    scopes = [f"acme/dev/trade/app-{number}" for number in range(APPLICATIONS)]
    for scope in scopes:
        api.make_application(scope)
    topics = ",".join(f"bundle:{scope}/config" for scope in scopes)
    sent: dict[str, float] = {}
    ages: list[float] = []
    heard = asyncio.Event()
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {api.token}"}
    async with httpx.AsyncClient(base_url=platform.address, headers=headers, timeout=None, limits=limits) as client:
        listening = [asyncio.create_task(_listen(client, topics, sent, ages, heard)) for _ in range(CLIENTS)]
        await asyncio.sleep(5)
        await asyncio.to_thread(_change, api, scopes, sent)
        await asyncio.sleep(2)
        resident = machine.resident_kb(platform.pid) / 1024
        for one in listening:
            one.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    return {
        "stream_500_clients_p50_ms": rounded(quantile(ages, 0.5) * 1000),
        "stream_500_clients_p99_ms": rounded(quantile(ages, 0.99) * 1000),
        "stream_events_per_s": rounded(len(ages) / SECONDS),
        "stream_rss_mb": rounded(resident),
    }


async def _listen(
    client: httpx.AsyncClient, topics: str, sent: dict[str, float], ages: list[float], heard: asyncio.Event
) -> None:
    async with client.stream("GET", "/api/v1/stream", params={"topics": topics}) as answer:
        async for line in answer.aiter_lines():
            if not line.startswith("data:"):
                continue
            data: dict[str, Any] = json.loads(line[5:])
            began = sent.get(str(data.get("topic", "")))
            if began is not None:
                ages.append(time.monotonic() - began)
                heard.set()


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
