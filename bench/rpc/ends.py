"""Ends: a server or a caller of one stack as a process of its own.

`python -m bench.rpc.ends STACK serve` says {"address": text}; `… STACK measure` is ordered
{"address", "concurrency", "seconds", "way"} and answers what it found.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
from typing import Any

import msgspec
import uvloop

from bench.children import answer

PLAIN_LOOP = {"grpc_aio"}
"""Stacks that are no faster, or do not run, on uvloop."""


def main(stack: str, role: str) -> None:
    module = importlib.import_module(f"bench.rpc.stacks.{stack}")
    if role == "serve":
        _run(stack, module.serve(_ready))
        return
    for line in sys.stdin:
        order = json.loads(line)
        way = getattr(module, order["way"])
        found = _run(stack, way(order["address"], order["concurrency"], order["seconds"]))
        answer(msgspec.to_builtins(found))


def _ready(address: str) -> None:
    answer({"address": address})


def _run(stack: str, doing: Any) -> Any:
    if not inspect.isawaitable(doing):
        return doing

    async def awaited() -> Any:
        return await doing

    return asyncio.run(awaited()) if stack in PLAIN_LOOP else uvloop.run(awaited())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
