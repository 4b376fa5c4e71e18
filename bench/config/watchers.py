"""Watchers: a child process with kazoo clients, which says at which nanosecond each DataWatch's callback of a change ran.

First order: {"hosts": text, "paths": [...], "each": n}. Each path is watched by as many clients, each with a session of its own, as
each instance of an application has. It answers {"open": n}, then for each change {"path": path, "number": n, "at": [ns of the
monotonic clock]}.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kazoo.client import KazooClient

from bench.children import answer

STARTED_AT_A_TIME = 10


class Watching:
    """Collects the callbacks of each change, and answers once all watchers here ran theirs."""

    def __init__(self, hosts: str, each: int) -> None:
        self._hosts = hosts
        self._each = each
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int], list[int]] = defaultdict(list)

    def watch(self, path: str) -> KazooClient:
        """Start a client that watches a path."""

        def changed(data: bytes | None, _stat: object) -> None:
            at = time.monotonic_ns()
            key = (path, int(data or b"0"))
            if not key[1]:
                return  # the first look, at registration
            with self._lock:
                self._seen[key].append(at)
                if len(self._seen[key]) == self._each:
                    answer({"path": path, "number": key[1], "at": self._seen.pop(key)})

        client = KazooClient(hosts=self._hosts, timeout=40)
        client.start(60)
        client.DataWatch(path, changed)
        return client


def _run(order: dict[str, Any]) -> None:
    watching = Watching(order["hosts"], order["each"])
    paths = [path for path in order["paths"] for _ in range(order["each"])]
    with ThreadPoolExecutor(STARTED_AT_A_TIME) as pool:
        clients = list(pool.map(watching.watch, paths))
        gc.collect()
        gc.freeze()  # as where our own are measured: a process has one client, not five hundred
        answer({"open": len(clients)})
        sys.stdin.read()
        list(pool.map(_end, clients))


def _end(client: KazooClient) -> None:
    client.stop()
    client.close()


if __name__ == "__main__":
    _run(json.loads(sys.stdin.readline()))
