"""Instances: a child process with real Apps, which says at which nanosecond each callback of a release ran.

First order: {"servers": [...], "applications": [options of an App...], "each": n, "prefix": text}. It answers {"open": n}, then
for each release {"application": name, "number": n, "at": [nanoseconds of the machine's monotonic clock]}.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec

import qiantang
from bench.children import answer

OPENED_AT_A_TIME = 25


class Settings(msgspec.Struct):
    """What every instance binds."""

    number: int = -1


class Gathering:
    """Collects the callbacks of each release, and answers once all instances here ran theirs."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int], list[int]] = defaultdict(list)

    def callback(self, name: str, settings: Settings) -> Callable[[], None]:
        """Make the callback of one instance."""

        def changed() -> None:
            at = time.monotonic_ns()
            key = (name, settings.number)
            with self._lock:
                self._seen[key].append(at)
                if len(self._seen[key]) == self._each:
                    answer({"application": name, "number": key[1], "at": self._seen.pop(key)})

        return changed


async def _run(order: dict[str, Any]) -> None:
    gathering = Gathering(order["each"])
    gate = asyncio.Semaphore(OPENED_AT_A_TIME)
    apps: list[qiantang.App] = []

    async def start(options: Any, number: int) -> None:
        name = options["application"]
        instance = f"{order['prefix']}-{name}-{number}"
        app = qiantang.App(servers=order["servers"], instance=instance, keep_copy=False, start_deadline=60.0, **options)
        settings = app.config.bind(Settings)
        app.config.on_change("*", gathering.callback(name, settings))
        async with gate:
            await app.__aenter__()
        apps.append(app)

    await asyncio.gather(*(start(options, n) for options in order["applications"] for n in range(order["each"])))
    while not all(app.status().connected for app in apps):
        await asyncio.sleep(0.05)
    gc.collect()
    gc.freeze()  # a process has one App, not five hundred for each collection to walk through
    answer({"open": len(apps)})
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.gather(*(app.__aexit__(None, None, None) for app in apps))


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.stdin.readline())))
