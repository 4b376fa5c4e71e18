"""Holding: ten thousand streams on one server: what each costs, and how long until all have taken one release."""

from __future__ import annotations

import os
import time
from pathlib import Path

import httpx

from bench import machine
from bench.children import Child
from bench.config import stage
from bench.figures import Value, quantile, rounded
from tests.servers.platform import Api, Platform

CLIENTS = 10_000
PROCESSES = 2
OPEN_SECONDS = 240.0
SETTLE_SECONDS = 35.0
"""Two heartbeats, and one round of touching all instances."""
STORMS = 3
STORM_SECONDS = 120.0


def measure() -> dict[str, Value]:
    """Connect, rest, publish; give the median of several storms."""
    with stage.platform() as (platform, api):
        application = stage.make(api, 1)[0]
        before = machine.resident_kb(platform.pid)
        children = [Child("bench.config.streams") for _ in range(PROCESSES)]
        try:
            return {**_hold(platform, children, application, before), **_storms(api, children, application)}
        finally:
            for child in children:
                child.close()


def _hold(platform: Platform, children: list[Child], application: stage.Application, before: int) -> dict[str, Value]:
    for index, child in enumerate(children):
        child.order(
            {
                "host": "127.0.0.1",
                "port": platform.port,
                "source": f"127.0.0.{2 + index}",
                "application": application.options(),
                "prefix": f"process-{index}",
                "count": CLIENTS // PROCESSES,
            }
        )
    opened = [child.answer(OPEN_SECONDS) for child in children]
    busy = _cpu_seconds(platform.pid)
    time.sleep(SETTLE_SECONDS)
    idle_load = (_cpu_seconds(platform.pid) - busy) / SETTLE_SECONDS
    held = _streams(platform)
    for child in children:
        child.order({"count": True})
    still = sum(child.answer(30)["open"] for child in children)
    return {
        "idle_clients": min(held, still),
        "idle_client_kb": rounded((machine.resident_kb(platform.pid) - before) / max(1, held)),
        "idle_cpu_percent": rounded(idle_load * 100),
        "idle_connect_s": rounded(max(one["seconds"] for one in opened)),
    }


def _storms(api: Api, children: list[Child], application: stage.Application) -> dict[str, Value]:
    publish = stage.Publisher(api)
    lasts: list[float] = []
    medians: list[float] = []
    acknowledged: list[float] = []
    for number in range(1, STORMS + 1):
        for child in children:
            child.order({"release": True})
        stage.draft(api, application, number)
        began = time.monotonic_ns()
        publish(application)
        found = [child.answer(STORM_SECONDS) for child in children]
        taken = [(at - began) / 1e9 for one in found for at in one["at"]]
        if len(taken) != CLIENTS:
            raise RuntimeError(f"{len(taken)} of {CLIENTS} clients took the release")
        lasts.append(max(taken))
        medians.append(quantile(taken, 0.5))
        acknowledged.append((max(one["acknowledged_at"] for one in found) - began) / 1e9)
        time.sleep(3)
    return {
        "storm_s": rounded(quantile(lasts, 0.5)),
        "storm_p50_s": rounded(quantile(medians, 0.5)),
        "storm_acknowledged_s": rounded(quantile(acknowledged, 0.5)),
    }


def _streams(platform: Platform) -> int:
    """Ask the server itself how many streams it holds."""
    text = httpx.get(f"{platform.address}/metrics", timeout=30).raise_for_status().text
    lines = [line for line in text.splitlines() if line.startswith("qiantang_watch_streams ")]
    return int(float(lines[0].split()[1]))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
