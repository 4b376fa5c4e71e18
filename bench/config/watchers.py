"""Watchers: a child process with kazoo DataWatches, which says at which nanosecond each callback of a change ran.

First order: {"hosts": text, "paths": [...], "sessions": n}. Every session watches every path. It answers {"open": n}, then for each
change {"path": path, "number": n, "at": [nanoseconds of the machine's monotonic clock]}.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from typing import Any

from kazoo.client import KazooClient

from bench.children import answer


def _run(order: dict[str, Any]) -> None:
    lock = threading.Lock()
    seen: dict[tuple[str, int], list[int]] = defaultdict(list)
    each = order["sessions"]

    def watch(client: KazooClient, path: str) -> None:
        def changed(data: bytes | None, _stat: object) -> None:
            at = time.monotonic_ns()
            number = int(data or b"0")
            if not number:
                return  # the first look, at registration
            with lock:
                seen[(path, number)].append(at)
                if len(seen[(path, number)]) == each:
                    answer({"path": path, "number": number, "at": seen.pop((path, number))})

        client.DataWatch(path, changed)

    clients = [KazooClient(hosts=order["hosts"], timeout=20) for _ in range(each)]
    for client in clients:
        client.start(60)
        for path in order["paths"]:
            watch(client, path)
    answer({"open": each * len(order["paths"])})
    sys.stdin.read()
    for client in clients:
        client.stop()
        client.close()


if __name__ == "__main__":
    _run(json.loads(sys.stdin.readline()))
